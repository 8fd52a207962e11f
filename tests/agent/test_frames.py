"""A run in frames, of the page's origin and of another: replayed and exported by name after a redesign."""

import asyncio
import os
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from playwright.async_api import async_playwright
from saccade import Agent, Browser, Run
from saccade.agent import Preferences, Reply, ScriptedModel
from saccade.agent.replay import Replayer
from saccade.agent.script import export_playwright, program
from saccade.tools.chromium import find_chromium

VIEWPORT = (800, 600)
FORM = """<body style='margin:0;font:STYLE'><div style='height:MOVEpx'></div>
<label>Name <input name=q></label><button onclick="fetch('/sent?' + document.querySelector('input').value)
.then(() => { document.querySelector('button').textContent = 'Thanks' })">Send</button>"""
PAGE = """<body style='margin:0'><div style='height:MOVEpx'></div>
<iframe title='Letters' width=500 height=150 src='/form-THEME'></iframe><br>
<iframe name=pay width=500 height=150 src='http://localhost:PORT/form-THEME'></iframe>"""
THEMES = {"day": ("10", "20px serif"), "night": ("40", "15px monospace")}


class Framed(ThreadingHTTPServer):
    """The page in two themes; `sent` is what its forms sent, with the host that they were of."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.sent: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Framed

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        kind, _, theme = parts.path.strip("/").partition("-")
        if kind == "sent":
            self.server.sent.append(f"{self.headers['Host'].split(':')[0]}: {parts.query}")
        body = {"form": FORM, "page": PAGE}.get(kind, "")
        move, style = THEMES.get(theme, ("0", ""))
        for mark, value in {"MOVE": move, "STYLE": style, "THEME": theme}.items():
            body = body.replace(mark, value)
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(body.replace("PORT", str(self.server.server_port)).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def framed() -> Iterator[Framed]:
    server = Framed()
    threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
    yield server
    server.shutdown()


class Pointing:
    """Points at what Playwright finds at the frame's locator."""

    name = "pointing"
    preferences = Preferences(viewport=VIEWPORT, memory="snapshot")

    def __init__(self, browser: Browser, lines: list[tuple[str, str, dict]]):
        self.browser, self.lines = browser, iter(lines)

    async def reply(self, messages: list[dict], tools: list[dict], thinking: str = "auto") -> Reply:
        frame, selector, action = next(self.lines, ("", "", {"action": "terminate", "status": "success"}))
        if frame:
            box = await self.browser.page.frame_locator(frame).locator(selector).bounding_box()
            assert box
            x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
            action = {**action, "coordinate": [round(1000 * x / VIEWPORT[0]), round(1000 * y / VIEWPORT[1])]}
        return await ScriptedModel([action]).reply(messages, tools)


LINES = [
    ("[title=Letters]", "input", {"action": "type", "text": "Ada"}),
    ("[title=Letters]", "button", {"action": "left_click"}),
    ("[name=pay]", "input", {"action": "type", "text": "Eve"}),
    ("[name=pay]", "button", {"action": "left_click"}),
]
SENT = ["127.0.0.1: Ada", "localhost: Eve"]


async def record(framed: Framed, folder: str) -> Run:
    hosts = [f"localhost:{framed.server_port}"]
    async with Browser(f"{framed.url}/page-day", VIEWPORT, allow_hosts=hosts) as browser:
        return await Agent("Send both", Pointing(browser, LINES), browser, out=folder).run()


async def test_a_run_in_frames_is_done_again_by_name(framed, tmp_path):
    run = await record(framed, tmp_path / "run")
    assert run.success, (run.reason, run.errors)
    assert framed.sent == SENT
    assert [step.targets["coordinate"].frames for step in run.steps[:4]] == [
        *[('iframe[title="Letters"]',)] * 2,
        *[('iframe[name="pay"]',)] * 2,
    ]
    effect = run.steps[3].effect
    assert effect is not None
    assert effect.hit is not None
    assert effect.hit.frame == f"http://localhost:{framed.server_port}/form-day"

    framed.sent.clear()
    hosts = [f"localhost:{framed.server_port}"]
    async with Browser(f"{framed.url}/page-night", VIEWPORT, allow_hosts=hosts) as browser:
        report = await Replayer(Run.load(run.folder), browser).play()
    assert report.success, report.reason
    assert {step.how for step in report.steps[:4]} == {"name"}
    assert framed.sent == SENT

    framed.sent.clear()
    path = export_playwright(run, tmp_path / "both.py")
    text = program(run)
    assert "page.frame_locator('iframe[name=\"pay\"]').get_by_role('button', name='Send', exact=True)" in text
    assert "mouse" not in text
    async with async_playwright() as playwright:
        chromium = find_chromium(None, playwright.chromium.executable_path)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(path), f"{framed.url}/page-night"),
        env={**os.environ, "CHROMIUM": chromium},
        stderr=asyncio.subprocess.PIPE,
    )
    _, stderr = await process.communicate()
    assert process.returncode == 0, stderr.decode()[-1500:]
    assert framed.sent == SENT
