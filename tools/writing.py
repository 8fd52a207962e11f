"""Text as a person would bring it: by keys where there are any, by an input method where people use one.

- What the US layout has: its keys. Letters of other layouts (é, ß, я, α): a key that gives that letter.
- Han, Kana, Hangul: composed and committed, as input methods do, a run at a time.
- All else (emoji, symbols) and the long part of long lines: inserted, as from the clipboard.
"""

import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Literal

from playwright.async_api import CDPSession, Page

Way = Literal["keys", "letter", "compose", "insert"]
Allow = Callable[[], Awaitable[None]]
"""Asked right before text goes to where the focus is; raises PolicyError where it must not."""

_LONG_TEXT = 60
_COMPOSED = "\u1100-\u11ff\u2e80-\u2fdf\u3005-\u3007\u3041-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf"
_COMPOSED += "\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
_PARTS = re.compile(rf"(?P<keys>[ -~\t]+)|(?P<compose>[{_COMPOSED}]+)|(?P<letter>[^\W\d_])|(?P<insert>.)")


async def write(page: Page, cdp: CDPSession, text: str, allow: Allow | None = None) -> None:
    """Where the focus is. Line breaks are Enter; pages that listen for keys hear one even of a long line.
    With `allow` each key is asked for: a page may move the focus between two of them.
    """
    for number, line in enumerate(text.split("\n")):
        if number:
            await page.keyboard.press("Enter")
        head, tail = (line[:-1], line[-1:]) if len(line) > _LONG_TEXT else ("", line)
        pieces: list[tuple[Way, str]] = [("insert", head)] if head else []
        for way, part in (*pieces, *parts(tail)):
            for piece in part if allow is not None and way == "keys" else (part,):
                if allow is not None:
                    await allow()
                await _write_part(page, cdp, way, piece)


async def press_letter(cdp: CDPSession, letter: str) -> None:
    """The key of another layout than the US one, whose place on the keyboard is not known."""
    key = {"key": letter, "text": letter, "unmodifiedText": letter}
    await cdp.send("Input.dispatchKeyEvent", {"type": "keyDown", **key})
    await cdp.send("Input.dispatchKeyEvent", {"type": "keyUp", "key": letter})


def parts(text: str) -> Iterator[tuple[Way, str]]:
    """How each run of it is written."""
    pending = ""
    for match in _PARTS.finditer(text):
        way, part = match.lastgroup, match[0]
        if way == "insert":
            pending += part
            continue
        if pending:
            yield "insert", pending
            pending = ""
        yield way, part  # type: ignore[misc]
    if pending:
        yield "insert", pending


def on_us_layout(key: str) -> bool:
    return len(key) > 1 or key.isascii()


async def _write_part(page: Page, cdp: CDPSession, way: Way, part: str) -> None:
    match way:
        case "keys":
            await page.keyboard.type(part)
        case "letter":
            await press_letter(cdp, part)
        case "compose":
            end = len(part.encode("utf-16-le")) // 2
            await cdp.send(
                "Input.imeSetComposition", {"text": part, "selectionStart": end, "selectionEnd": end}
            )
            await page.keyboard.insert_text(part)
        case "insert":
            await page.keyboard.insert_text(part)
