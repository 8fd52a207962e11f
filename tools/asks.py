"""Which question of the browser is open, who waits for its answer, and how each kind is answered.

Knows playwright's dialogs and choosers; `dialogs.py` draws what is asked here.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlsplit

from playwright.async_api import Dialog, FileChooser

from .dialogs import Ask, Kind
from .files import Files

_KINDS: dict[str, Kind] = {
    "alert": "alert",
    "confirm": "confirm",
    "prompt": "prompt",
    "beforeunload": "leave",
}


class Asks:
    """At most one question is open. `note(text)` tells the model of it."""

    def __init__(self, note: Callable[[str], None], timeout_s: float) -> None:
        self.open: Ask | None = None
        self._note = note
        self._timeout_s = timeout_s
        self._asked = asyncio.Event()
        self._held: asyncio.Future[Any] | None = None

    @property
    def blocking(self) -> bool:
        """Whether a page stands still until the answer."""
        return self.open is not None and self.open.blocks

    def hold(self, ask: Ask) -> None:
        self.open = ask
        self._note(ask.describe())
        self._asked.set()

    async def answer(self, accepted: bool, text: str = "") -> str | None:
        """Answer the open question; what went wrong in one line, or None. Then what it held up goes on."""
        ask, self.open = self.open, None
        assert ask is not None
        self._asked.clear()
        problem = await ask.answer(accepted, text)
        if problem is not None and self.open is None:
            self.hold(ask)
        held, self._held = self._held, None
        if held is not None:
            await self.until(held, self._timeout_s)
        return problem

    async def until(self, work: Awaitable[Any], timeout_s: float) -> Any:
        """The result of `work`; None, while it goes on, when a question holds it up. Raises TimeoutError."""
        doing, asked = asyncio.ensure_future(work), asyncio.ensure_future(self._asked.wait())
        end = asyncio.get_running_loop().time() + timeout_s
        try:
            await asyncio.wait({doing, asked}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            doing.cancel()
            raise
        finally:
            asked.cancel()
        if not doing.done() and self.blocking:
            doing.add_done_callback(lambda it: it.cancelled() or it.exception())
            self._held = doing
            return None
        return await asyncio.wait_for(doing, max(end - asyncio.get_running_loop().time(), 0))

    async def wait_for(self, kind: Kind, timeout_s: float) -> bool:
        """Whether a question of that kind is open, now or soon."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._asked.wait(), timeout_s)
        return self.open is not None and self.open.kind == kind


def of_dialog(dialog: Dialog) -> Ask:
    """alert(), confirm(), prompt() and the warning before a page is left."""

    async def answer(accepted: bool, text: str) -> str | None:
        await (dialog.accept(text) if accepted else dialog.dismiss())
        return None

    return Ask(_KINDS[dialog.type], dialog.message or "leave this page?", answer, dialog.default_value)


def of_chooser(chooser: FileChooser, files: Files) -> Ask:
    """Only allowed files can be chosen; the question lists them."""

    async def answer(accepted: bool, text: str) -> str | None:
        if not accepted:
            return None
        path = files.find(text)
        if path is None:
            names = ", ".join(files.allowed()) or "none: Browser(uploads=[...]) allows some"
            return f"there is no file {text!r} to upload; the allowed files are: {names}"
        await chooser.set_files(path)
        return None

    message = "the page asks for files" if chooser.is_multiple() else "the page asks for a file"
    return Ask("file", message, answer, choices=tuple(files.allowed()))


def of_sign_in(url: str, goto: Callable[[str], Awaitable[str | None]]) -> Ask:
    """HTTP authentication. A headless browser shows no prompt: the navigation fails, and is done again."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]

    async def answer(accepted: bool, text: str) -> str | None:
        name, colon, password = text.partition(":")
        if not accepted:
            return None
        if not colon:
            return "give the text as user:password"
        signed = parts._replace(netloc=f"{quote(name, safe='')}:{quote(password, safe='')}@{host}")
        problem = await goto(signed.geturl())
        return "the sign-in failed" if problem else await goto(parts._replace(netloc=host).geturl())

    return Ask("sign-in", f"{parts.hostname} asks for a user name and a password", answer)
