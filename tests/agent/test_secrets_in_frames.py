"""A secret in a frame of another origin: the frame decides whether it is typed, and no picture shows it."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from saccade import Agent, Browser, Secret
from saccade.agent import Preferences, ScriptedModel
from saccade.agent.secrets import COVER, Secrets

pytestmark = pytest.mark.asyncio(loop_scope="module")

VIEWPORT = (800, 600)
VALUE = "hunter2-and-more"
FIELD = "<body style='margin:0'><input aria-label=Code style='width:300px;height:100px;border:0'>"
PAGE = """<body style='margin:0'><div style='height:200px'></div>
<iframe name=pay style='border:7px solid;padding:3px;width:400px;height:150px' src='http://localhost:PORT/SRC'></iframe>"""
NEST = "<body style='margin:0'><iframe style='border:0' width=390 height=140 src='http://127.0.0.1:PORT/field'></iframe>"
THEFT = """<body style='margin:0'><input aria-label=Code ON="document.querySelector('iframe').focus()"
style='width:300px;height:100px;border:0'><iframe style='display:block' src='http://localhost:PORT/thief'></iframe>"""
THIEF = "<input id=it><script>onfocus = () => it.focus()</script>"
PAGES = {
    "/onclick": THEFT.replace("ON", "onclick"),
    "/oninput": THEFT.replace("ON", "oninput"),
    "/thief": THIEF,
    "/field": FIELD,
    "/page": PAGE.replace("SRC", "field"),
    "/nested": PAGE.replace("SRC", "nest"),
    "/nest": NEST,
}
IN_FIELD = (50, 260)  # CSS px, of the page


class Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        port = self.headers["Host"].rpartition(":")[2]
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(PAGES.get(self.path, "").replace("PORT", port).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
    yield server.server_port
    server.shutdown()


def point() -> list[int]:
    return [round(at / size * 1000) for at, size in zip(IN_FIELD, VIEWPORT, strict=True)]


@pytest.mark.parametrize(
    ("page", "host", "typed"),
    [
        ("page", "localhost", True),
        ("page", "127.0.0.1", False),
        ("nested", "127.0.0.1", True),  # the innermost frame takes it, whatever lies between
        ("nested", "localhost", False),
    ],
)
@pytest.mark.parametrize("by", ["coordinate", "focus"])
async def test_the_frame_decides(port, tmp_path, browser, page, host, typed, by):
    where = {"coordinate": point()} if by == "coordinate" else {}
    focus = [] if where else [{"action": "left_click", "coordinate": point()}]
    script = [
        *focus,
        {"action": "type", "text": "{{code}}", **where},
        {"action": "terminate", "status": "success"},
    ]
    secrets = {"code": Secret(VALUE, (f"{host}:{port}",))}

    hosts = [f"127.0.0.1:{port}", f"localhost:{port}"]
    url = f"http://127.0.0.1:{port}/{page}"
    async with Browser(url, VIEWPORT, share=browser, allow_hosts=hosts) as visitor:
        model = ScriptedModel(script, Preferences(VIEWPORT, "snapshot"))
        done = await Agent("Pay", model, visitor, secrets=secrets, out=tmp_path / "run").run()
        value = await visitor.page.frames[-1].locator("input").input_value()
        seen = await Secrets(secrets).cover(await visitor.observe(), visitor)
    covered = np.asarray(seen.image)[IN_FIELD[1], IN_FIELD[0]].tolist() == list(COVER)
    error = done.steps[len(focus)].error
    assert value == (VALUE if typed else "")
    assert covered is typed
    assert (error is None) is typed
    assert not any(VALUE in file.read_text("utf-8") for file in (tmp_path / "run").rglob("*.json*"))


@pytest.mark.parametrize(("event", "kept"), [("onclick", ""), ("oninput", VALUE[0])])
async def test_a_focus_that_moves_away_gets_nothing(port, tmp_path, browser, event, kept):
    """Between the click and the keys, and between two keys."""
    script = [
        {"action": "type", "text": "{{code}}", "coordinate": [100, 80]},
        {"action": "terminate", "status": "success"},
    ]

    secrets = {"code": Secret(VALUE, (f"127.0.0.1:{port}",))}
    hosts = [f"127.0.0.1:{port}", f"localhost:{port}"]
    url = f"http://127.0.0.1:{port}/{event}"
    async with Browser(url, VIEWPORT, share=browser, allow_hosts=hosts) as visitor:
        model = ScriptedModel(script, Preferences(VIEWPORT, "snapshot"))
        done = await Agent("Pay", model, visitor, secrets=secrets, out=tmp_path / "run").run()
        field, stolen = [await frame.locator("input").input_value() for frame in visitor.page.frames]
    error = done.steps[0].error
    assert stolen == ""
    assert field == kept
    assert error is not None
    assert "belongs to 127.0.0.1" in error


async def test_a_frame_that_does_not_answer_is_covered(port):
    hosts = [f"127.0.0.1:{port}", f"localhost:{port}"]
    async with Browser(f"http://127.0.0.1:{port}/page", VIEWPORT, allow_hosts=hosts) as browser:
        seen = await browser.observe()
        await browser.page.frames[1].evaluate("setTimeout(() => { for (;;); }, 0)")
        covered = await Secrets({"code": Secret(VALUE, ("localhost",))}).cover(seen, browser)
    pixels = np.asarray(covered.image)
    assert pixels[IN_FIELD[1], IN_FIELD[0]].tolist() == list(COVER)
    assert pixels[100, 100].tolist() != list(COVER)
