"""What a browser must remember for a run to go on in another process: the address, cookies, local storage."""

import asyncio
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from ..tools import Browser

_STORED = "JSON.stringify(Object.entries(globalThis.localStorage ?? {}))"


async def take_state(browser: "Browser") -> dict[str, Any]:
    """Asks once; cheap enough for every step."""
    stored, cookies = await asyncio.gather(browser.inspect(_STORED), browser.page.context.cookies())
    return {
        "url": browser.address,
        "cookies": cookies,
        "storage": json.loads(stored) if stored else [],
    }


async def restore_state(browser: "Browser", state: dict[str, Any]) -> None:
    """Back to the page, as the same visitor. The browser runs already."""
    from ..tools.actions import Goto

    page, url = browser.page, state["url"]
    if state["cookies"]:
        await page.context.add_cookies(state["cookies"])
    if not urlsplit(url).scheme:
        return
    await browser.execute(Goto(url=url))
    if state["storage"]:
        await page.evaluate(
            "items => items.forEach(([key, value]) => localStorage.setItem(key, value))", state["storage"]
        )
        await page.reload(wait_until="domcontentloaded")
