"""Steps without a page, and small real pages on a loopback server."""

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import pytest_asyncio
from saccade.agent import Agent, Preferences, Run, ScriptedModel, Step, ToolCall, Usage
from saccade.tools import Browser
from saccade.tools.actions import parse_action
from saccade.tools.observation import Effect

from .shop_runs import record_all

SMALL = Preferences((640, 480), "snapshot")
LONG = Preferences((640, 480), "conversation")
HEAD = "<meta name=viewport content='width=device-width'><body style='margin:0;font:24px sans-serif'>"
PAGES = {
    # A button over the upper half: each press counts.
    "/counter": HEAD
    + "<title>Counter</title><button id=b style='width:100vw;height:50vh;font-size:60px' "
    + "onclick='this.textContent = ++window.n'>0</button><script>n = 0</script>",
    "/dead": HEAD + "<title>Dead</title><p>Nothing happens here.",
    "/form": HEAD + "<title>Form</title><input id=q style='width:100vw;height:50vh;font-size:60px'>",
    # A card form on the upper half; what was sent is shown as the page's title.
    "/pay": HEAD
    + "<title>Pay</title><form method=post onsubmit='event.preventDefault(); document.title = `Sent`'>"
    + "<label>User <input id=user style='width:90vw;height:20vh'></label>"
    + "<label>Code <input id=code type=password style='width:90vw;height:20vh'></label>"
    + "<button style='width:100vw;height:20vh'>Place order</button></form><output id=out></output>",
    "/three": HEAD
    + "<title>Three</title>"
    + "".join(f"<input id=f{i} style='width:100vw;height:20vh;display:block'>" for i in range(3))
    + "<button style='width:100vw;height:20vh' onclick='document.body.textContent=`Done`'>Go</button>",
    "/one": HEAD + "<title>One</title><a href=/two style='display:block;height:50vh'>to two</a>",
    "/two": HEAD + "<title>Two</title><a href=/one style='display:block;height:50vh'>to one</a> two",
}


class Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        page = PAGES.get(self.path)
        self.send_response(200 if page else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write((page or "no such page").encode())

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(site):
    """One browser for all tests of a module that do not ask for their own."""
    async with Browser(site + "/dead", viewport=(640, 480)) as shared:
        yield shared


@pytest_asyncio.fixture(loop_scope="module")
async def start(browser, site, tmp_path):
    """An agent on a page of the site, with a script for a model."""

    async def make(
        page: str, script, preferences: Preferences = SMALL, own: bool = False, **settings
    ) -> Agent:
        model = ScriptedModel(script, preferences, Usage(10, 4, 2, 1))
        if not own:
            await browser.page.goto(site + page)
        return Agent(
            "Press it", model, Browser(site + page) if own else browser, out=tmp_path / "run", **settings
        )

    return make


@pytest.fixture(scope="session")
def recorded(tmp_path_factory) -> dict[str, Run]:
    """The shop's ten tasks, recorded as it is by day; each by a new visitor."""
    return asyncio.run(record_all(tmp_path_factory.mktemp("recorded")))


@pytest.fixture
def make_step():
    """A step from the arguments of its action (None: no valid action)."""

    def make(index: int = 0, arguments: dict | None = None, changed: float = 0.5, **fields) -> Step:
        action = parse_action("computer_use", arguments) if arguments else None
        call = ToolCall("computer_use", arguments) if arguments else None
        defaults = {
            "url": "http://page/",
            "title": "Page",
            "screenshot_path": Path(f"{index:03d}.png"),
            "screen": f"screen {index}",
            "call": call,
            "action": action,
            "effect": Effect(changed=changed) if action else None,
        }
        return Step(index, **{**defaults, **fields})

    return make
