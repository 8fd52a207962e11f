"""`until`: what must hold on the page for a run to be a success. The page's word, not the model's.

A condition is JavaScript, `css=.thanks`, `text=Order placed`, `url=**/order/*`, or a function of the
Playwright page, sync or async.
"""

import re
from collections.abc import Callable
from fnmatch import translate
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from ..errors import InputError

if TYPE_CHECKING:
    from ..tools import Browser

Condition = str | Callable[[Any], Any]
_SHOWS = "css => [...document.querySelectorAll(css)].some(it => it.checkVisibility())"
_SAYS = "text => document.body.innerText.toLowerCase().includes(text.toLowerCase())"


async def holds(condition: Condition, browser: "Browser") -> bool:
    """False also when the page has just gone or its script throws: a later step judges again.

    Raises InputError for a condition that is no JavaScript or no selector.
    """
    from playwright.async_api import Error as PageError

    try:
        if callable(condition):
            return bool(await value_of(condition(browser.page)))
        return await _text_holds(condition, browser)
    except PageError as error:
        if "SyntaxError" in error.message:
            what = "selector" if condition.startswith("css=") else "JavaScript"  # type: ignore[union-attr]
            raise InputError(f"the condition {condition!r} is no {what}: {error.message}") from None
        return False


async def _text_holds(condition: str, browser: "Browser") -> bool:
    kind, _, rest = condition.partition("=")
    match kind:
        case "css":
            return bool(await browser.evaluate(_SHOWS, rest))
        case "text":
            return bool(await browser.evaluate(_SAYS, rest.strip()))
        case "url":
            return url_matches(rest, browser.page.url)
        case _:
            return bool(await browser.evaluate(condition))


def url_matches(pattern: str, url: str) -> bool:
    """`*` and `?` as in file names, over the whole address."""
    return re.match(translate(pattern.strip()), url) is not None


async def value_of(result: Any) -> Any:
    """The result of a callback that may be async."""
    return await result if isawaitable(result) else result
