"""A site with a button that counts, a field and a dangerous button; models that play scripts; the web UI."""

import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect
from saccade.tools.chromium import find_chromium, launch_flags

PAGE = (
    b"<meta charset=utf-8><title>Counter</title><style>body{margin:0}button,input{display:block;width:100vw;"
    b"box-sizing:border-box;font:60px sans-serif}</style><script>n = 0</script><button style='height:50vh' "
    b"onclick='this.textContent = ++n'>0</button><input aria-label=Name style='height:20vh'><button "
    b"style='height:30vh' onclick='this.textContent = `Gone`'>Delete account</button>"
)
PRESS = {"thought": "Press <b>it</b> {value} ${1}", "action": "left_click", "coordinate": [500, 250]}
DELETE = {"thought": "Away with it", "action": "left_click", "coordinate": [500, 850]}
ASK = {"thought": "I do not know", "action": "ask_user", "text": "Which <i>name</i>?"}
WAIT = {"thought": "Wait", "action": "wait", "time": 30}
DONE = {"thought": "It says one", "action": "answer", "text": "one"}
Script = Callable[..., str]
expect.set_options(timeout=60_000)


class Counter(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Counter)
    threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """A model that plays the given lines, then gives up."""

    def write(*lines: dict) -> str:
        path = tmp_path / f"script-{time.monotonic_ns()}.jsonl"
        path.write_text("\n".join(json.dumps(line) for line in lines))
        return str(path)

    return write


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def address(site: str, runs: Path) -> Iterator[str]:
    pytest.importorskip("gradio")
    from saccade.ui.app import create_app, launch_options
    from saccade.ui.desk import Defaults

    app = create_app(Defaults(url=site, runs=runs))
    app.launch(**launch_options())
    yield str(app.local_url)
    app.close(verbose=False)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        own = playwright.chromium.executable_path
        browser = await playwright.chromium.launch(
            executable_path=find_chromium(None, own), args=launch_flags()
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(chromium: Browser, address: str) -> AsyncIterator[Page]:
    page = await chromium.new_page(viewport={"width": 1280, "height": 860})
    await visit(page, address)
    yield page
    await page.close()


async def visit(page: Page, address: str) -> None:
    await page.goto(address)
    await expect(page.locator("#pause")).to_be_visible()
    await expect(page.locator("#live .window")).to_be_visible()


async def settings(page: Page, model: str | None = None, ask: str | None = None) -> None:
    if not await page.locator("#kind").is_visible():
        await page.get_by_role("button", name="Model and limits").click()
    if ask:
        await page.locator("#ask").get_by_label(ask).check()
    if model:
        await page.locator("#kind").get_by_label("Folder").check()
        field = page.locator("#model textarea, #model input")
        await expect(field).to_be_visible()
        await field.fill(model)


async def order(page: Page, task: str, model: str | None, ask: str | None = None) -> None:
    await settings(page, model, ask)
    await page.locator("#task textarea").fill(task)
    await page.locator("#run").click()
