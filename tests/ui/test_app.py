"""The web UI in a real Chromium: a run is started, watched and stopped; what goes wrong is one line."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect
from saccade.tools.chromium import find_chromium, launch_flags

pytest.importorskip("gradio")

from saccade.ui.app import create_app, launch_options
from saccade.ui.desk import Defaults

PAGE = (
    b"<meta charset=utf-8><title>Counter</title><body style='margin:0'><script>n = 0</script><button "
    b"style='width:100vw;height:50vh;font-size:80px' onclick='this.textContent = ++n'>0</button>"
)
PRESS = {"thought": "Press <b>it</b> {value} ${1}", "action": "left_click", "coordinate": [500, 250]}
WAIT = {"thought": "Wait", "action": "wait", "time": 30}
DONE = {"thought": "It says one", "action": "answer", "text": "one"}
TIMEOUT_MS = 30_000
LOOPS = pytest.mark.asyncio(loop_scope="module")
expect.set_options(timeout=TIMEOUT_MS)


class Counter(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Counter)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def address(site: str, runs: Path) -> Iterator[str]:
    defaults = Defaults(url=site, runs=runs)
    app = create_app(defaults)
    app.launch(**launch_options(defaults))
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
    await page.goto(address)
    yield page
    await page.close()


@pytest.fixture
def script(tmp_path: Path):
    """A model that plays the given lines, then gives up."""

    def write(*lines: dict) -> str:
        path = tmp_path / f"script-{time.monotonic_ns()}.jsonl"
        path.write_text("\n".join(json.dumps(line) for line in lines))
        return str(path)

    return write


async def order(page: Page, task: str, model: str) -> None:
    await page.locator("#task textarea").fill(task)
    if not await page.locator("#model").is_visible():
        await page.get_by_role("button", name="Model and limits").click()
    field = page.locator("#model input")
    for _ in range(5):  # a field that is just being drawn takes its first value back
        await field.fill(model)
        await field.press("Tab")
        await page.wait_for_timeout(300)
        if await field.input_value() == model:
            break
    await page.locator("#run").click()


def last_run(runs: Path, task: str) -> dict:
    found = [json.loads(path.read_text()) for path in sorted(runs.glob("*/run.json"))]
    return next(run for run in reversed(found) if run["task"] == task)


@LOOPS
async def test_a_run_is_watched_to_its_verdict(page: Page, script, runs: Path):
    elsewhere: list[str] = []
    page.on(
        "request",
        lambda it: None if it.url.startswith(("http://127.", "data:")) else elsewhere.append(it.url),
    )
    await order(page, "Press it once", script(PRESS, DONE))
    await expect(page.locator("#steps li")).to_have_count(2)
    await expect(page.locator("#verdict .answer")).to_have_text("one")
    await expect(page.locator("#steps li").first).to_contain_text("Press <b>it</b> {value} ${1}")
    await expect(page.locator("#steps li").first).to_contain_text("of the screen changed")
    await expect(page.locator("#live .chip")).to_have_text("Done")
    await expect(page.locator("#film img")).to_be_visible()
    run = last_run(runs, "Press it once")
    await expect(page.locator("#verdict code")).to_have_text(run["folder"])
    assert run["status"] == "success"
    assert (Path(run["folder"]) / "run.gif").exists()
    assert await page.locator("#steps img").first.evaluate("it => it.naturalWidth") > 100
    assert not elsewhere


@LOOPS
async def test_stop_ends_the_run_and_its_browser(page: Page, script, runs: Path):
    await expect(page.locator("#stop")).to_be_disabled()
    await order(page, "Wait for ever", script(PRESS, WAIT))
    await expect(page.locator("#thought .action")).to_have_text("Wait 30 s")
    await expect(page.locator("#run")).to_be_disabled()
    start = time.monotonic()
    await page.locator("#stop").click()
    await expect(page.locator("#verdict h3")).to_have_text("Stopped")
    assert time.monotonic() - start < 10
    assert last_run(runs, "Wait for ever")["status"] == "interrupted"
    await expect(page.locator("#run")).to_be_enabled()
    await order(page, "Again", script(DONE))
    await expect(page.locator("#verdict h3")).to_have_text("Done")


@LOOPS
async def test_people_are_apart(page: Page, chromium: Browser, address: str, script):
    other = await chromium.new_page(viewport={"width": 390, "height": 844})
    await other.goto(address)
    await order(page, "Mine", script(PRESS, WAIT))
    await order(other, "Yours", script(PRESS, PRESS, DONE))
    await expect(other.locator("#verdict h3")).to_have_text("Done")
    await expect(other.locator("#steps li")).to_have_count(3)
    await expect(page.locator("#steps li")).to_have_count(1)
    await expect(page.locator("#thought .action")).to_have_text("Wait 30 s")
    assert await other.evaluate("document.documentElement.scrollWidth") == 390
    await other.close()
    await page.locator("#stop").click()
    await expect(page.locator("#verdict h3")).to_have_text("Stopped")


@LOOPS
async def test_a_closed_page_ends_its_run(chromium: Browser, address: str, script, runs: Path):
    page = await chromium.new_page()
    await page.goto(address)
    await order(page, "Left alone", script(PRESS, WAIT))
    await expect(page.locator("#steps li")).to_have_count(1)
    await page.close()
    deadline = time.monotonic() + 15
    while last_run(runs, "Left alone")["status"] == "running" and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.2)
    assert last_run(runs, "Left alone")["status"] == "interrupted"


@LOOPS
@pytest.mark.parametrize(
    ("task", "model", "url", "message"),
    [
        ("", "builtin", None, "the task is empty"),
        ("Go", "/no/such.jsonl", None, "cannot read the script"),
        ("Go", "", "http://127.0.0.1:9/", "cannot open http://127.0.0.1:9/"),
    ],
)
async def test_trouble_is_one_line(page: Page, script, task: str, model: str, url: str | None, message: str):
    if url:
        await page.locator("#url textarea, #url input").fill(url)
    await order(page, task, model or script(DONE))
    await expect(page.locator("#verdict [role=alert] p")).to_contain_text(message)
    await expect(page.locator("#run")).to_be_enabled()
