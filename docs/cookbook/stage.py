"""What lets every recipe run as it stands: pages on this machine, and a model that knows its lines.

    python docs/cookbook/login.py                                  # rehearsed: shows the framework, no skill
    SACCADE_MODEL=http://gpu:8000/v1 python docs/cookbook/login.py   # a real model instead

Your own script needs none of this: it has a site, and the name of a model.
"""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from saccade import Browser
from saccade.agent import Preferences, Reply, ScriptedModel, ToolCall

sys.path.append(str(Path(__file__).parents[2] / "examples"))
from shop.server import Shop

__all__ = ["VIEWPORT", "Shop", "model", "site"]
PAGES = Path(__file__).parent / "pages"
VIEWPORT = (1000, 700)
DONE = {"action": "terminate", "status": "success"}


class Pages(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def site(page: str = "") -> Iterator[str]:
    """The address of a page of `pages/`, served on a free port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Pages, directory=str(PAGES)))
    threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/{page}"
    finally:
        server.shutdown()
        server.server_close()


def model(browser: Browser, *lines: Any) -> Any:
    """The model that SACCADE_MODEL names; without one, an actor who plays the lines in this browser."""
    return os.environ.get("SACCADE_MODEL") or Rehearsed(browser, lines)


class Rehearsed:
    """Plays one line per reply, then says that it is done.

    A line is an action whose `at` is a selector; {"read": selector} answers with what the page says there;
    {"tool": name, ...} calls a tool; a string is a reply in words.
    """

    name = "rehearsed"
    preferences = Preferences(viewport=VIEWPORT, memory="snapshot")

    def __init__(self, browser: Browser, lines: tuple[Any, ...]):
        self.browser = browser
        self.lines = iter(lines)

    async def reply(self, messages: list[dict], tools: list[dict], thinking: str = "auto") -> Reply:
        line = await self.seen(next(self.lines, DONE))
        return await ScriptedModel([line]).reply(messages, tools)

    async def seen(self, line: Any) -> Any:
        """The line, with what it takes from the page."""
        match line:
            case {"read": selector}:
                return {"action": "answer", "text": await self.browser.page.locator(selector).inner_text()}
            case {"tool": name, **arguments}:
                return Reply(calls=[ToolCall(name, arguments)])
            case {"at": selector, **rest}:
                return {**rest, "coordinate": await self.center(selector)}
        return line

    async def center(self, selector: str) -> list[int]:
        page = self.browser.page
        box, size = await page.locator(selector).bounding_box(timeout=15_000), page.viewport_size
        assert box, f"{selector} is not to be seen"
        assert size
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        assert 0 <= y <= size["height"], f"{selector} is out of view"
        return [round(1000 * x / size["width"]), round(1000 * y / size["height"])]
