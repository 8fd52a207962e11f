"""The first look at a page lets go of what only repeats itself, not of what may still bring something.

Patience is made so long here that nothing but the page's own end, or being let go, ends a wait well.
"""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.async_api import CDPSession
from playwright.async_api import Error as PlaywrightError
from saccade.errors import BrowserError
from saccade.tools import Browser, observe, parse_action, repeats, session, settle, world
from saccade.tools.world import page_file

from .conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

LONG_S = 20
GREEN = (0, 128, 0)
CLICK = parse_action("left_click", {"coordinate": [50, 50]})

CANVAS = "<canvas id=c></canvas>"
PEN = "const pen = c.getContext('2d'), hue = () => `hsl(${performance.now() / 9}, 90%, 50%)`;"
DRAW = "pen.fillStyle = hue(); pen.fillRect(0, 0, 99, 99);"
SPINNER = f"{CANVAS}<script>{PEN} (function draw() {{ {DRAW} requestAnimationFrame(draw) }})()</script>"
ROUND = """<style>@keyframes spin { to { rotate: 360deg } }
  #o { width: 300px; height: 300px; background: linear-gradient(red, blue);
    animation: spin 1s linear infinite }
  #c { position: absolute; right: 0; bottom: 0 }
</style><p id=o></p>"""
POLL = "<script>(function poll() { fetch('/wait?ms=200').finally(poll) })()</script>"
REPEATING = {
    "frames that draw": SPINNER,
    "frames that turn": "<p id=it style='width:80px; height:80px; background:linear-gradient(red, blue)'>"
    "<script>const turn = () => { it.style.rotate = performance.now() / 3 + 'deg';"
    " requestAnimationFrame(() => turn()) }; turn()</script>",
    "timers that draw": f"{CANVAS}<script>{PEN} (function draw() {{ {DRAW}"
    " setTimeout(draw, 16) })()</script>",
    "timers and frames that draw": f"{CANVAS}<script>{PEN} (function draw() {{ {DRAW}"
    " setTimeout(() => requestAnimationFrame(draw), 16) })()</script>",
    "an interval that draws": f"{CANVAS}<script>{PEN} setInterval(() => {{ {DRAW} }}, 16)</script>",
    "frames that draw beside a large animation": ROUND + SPINNER,
    "a poll": POLL,
    "a poll that reads": "<script>(async () => { for (;;)"
    " await (await fetch('/wait?ms=200')).text() })()</script>",
    "a poll with pauses": "<script>(function poll() {"
    " fetch('/wait?ms=100').finally(() => setTimeout(poll, 200)) })()</script>",
    "a poll that sends": "<script>(function poll() { fetch('/wait?ms=200', { method: 'POST', body: 'news' })"
    ".finally(poll) })()</script>",
}

SHOW = "const show = () => document.body.style.background = 'green', start = performance.now();"
LATER = {
    "an answer beside frames": (SPINNER, "fetch('/wait?ms=700').then(show)"),
    "a timer beside frames": (SPINNER, "setTimeout(show, 700)"),
    "timers beside frames": (SPINNER, "setTimeout(() => setTimeout(show, 350), 350)"),
    "a worker beside frames": (
        CANVAS,
        f"{PEN} let over = false; (function draw() {{ {DRAW} over || requestAnimationFrame(draw) }})();"
        "const work = 'onmessage = () => setTimeout(() => postMessage(0), 700)';"
        "const it = new Worker('data:text/javascript,' + work);"
        "it.postMessage(0); it.onmessage = () => { show(); over = true }",
    ),
    "a message beside frames": (  # brought by an interval, which nobody counts
        CANVAS,
        f"{PEN} let over = false; (function draw() {{ {DRAW} over || requestAnimationFrame(draw) }})();"
        "new WebSocket(location.href.replace('http', 'ws'));"
        "setInterval(() => { show(); over = true }, 700)",
    ),
    "an event beside frames": (
        CANVAS,
        f"{PEN} let over = false; (function draw() {{ {DRAW} over || requestAnimationFrame(draw) }})();"
        "new EventSource('/wait'); setInterval(() => { show(); over = true }, 700)",
    ),
    "an answer beside a poll": (POLL, "fetch('/wait?ms=700').then(show)"),
    "a timer beside a poll": (POLL, "setTimeout(show, 700)"),
    "answers in turn": (
        "",
        "const ask = (ms) => fetch('/wait?ms=' + ms);"
        "ask(200).then(() => ask(201)).then(() => ask(200)).then(show)",
    ),
    "the fourth answer of a page that spins": (
        ROUND,
        "let n = 4; (function ask() { fetch('/wait?ms=150').then(() => --n ? ask() : show()) })()",
    ),
    "the fourth answer of a page that says it is busy": (
        "<p aria-busy=true>",
        "let n = 4; (function ask() { fetch('/wait?ms=150').then(() => --n ? ask() : show()) })()",
    ),
    "the fourth answer, after refusals": (
        "",
        "let n = 3; (function ask() { fetch('/missing?ms=150').then(() => --n ? ask() : show()) })()",
    ),
    "the fourth answer of a page that changes": (
        "<p id=it>0",
        "let n = 4; (function ask() {"
        " fetch('/wait?ms=150').then(() => (it.title = --n) ? ask() : show()) })()",
    ),
    "frames that show nothing": (
        "",
        "(function go() { performance.now() - start < 700 ? requestAnimationFrame(go) : show() })()",
    ),
    "frames that show nothing beside an animation": (
        ROUND,
        "(function go() { performance.now() - start < 700 ? requestAnimationFrame(go) : show() })()",
    ),
    "frames that draw much": (
        "<canvas id=c width=500 height=400></canvas>",
        f"{PEN} (function go() {{ {DRAW.replace('99, 99', '500, 400')}"
        " performance.now() - start < 700 ? requestAnimationFrame(go) : show() })()",
    ),
    "frames that count": (
        "<p id=it>0",
        "(function go() { it.textContent = Math.round(performance.now() - start);"
        " performance.now() - start < 700 ? requestAnimationFrame(go) : show() })()",
    ),
}


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    def page_file_with_patience(name: str) -> str:
        return page_file(name).replace("_MS = 1000;", f"_MS = {LONG_S * 3000};")

    monkeypatch.setattr(session, "page_file", page_file_with_patience)
    monkeypatch.setattr(world, "page_file", page_file_with_patience)
    for name, value in {"SETTLE_S": LONG_S, "REQUESTS_S": LONG_S, "POLL_COUNT": 999, "ROUNDS": 99}.items():
        monkeypatch.setattr(settle, name, value)
    # On a busy machine the news of a request may come behind an answer that was asked for after it.
    monkeypatch.setattr(observe, "_CAPTURES", 9)


@pytest.fixture
def watches(monkeypatch: pytest.MonkeyPatch) -> list[repeats.Watch]:
    """Those of the looks, in turn."""
    all_of_them, begin = [], repeats.Watch.__init__

    def begin_and_keep(self: repeats.Watch, *given: object) -> None:
        all_of_them.append(self)
        begin(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(repeats.Watch, "__init__", begin_and_keep)
    return all_of_them


def opened(shared: Browser, site: Site, body: str) -> Browser:
    """One that has done nothing yet, on a page."""
    return Browser(site.page("/first", f"<h1>words</h1>{body}"), viewport=(1000, 700), share=shared)


@pytest.mark.parametrize("body", REPEATING.values(), ids=REPEATING)
async def test_what_repeats_is_let_go(shared: Browser, site: Site, body: str) -> None:
    async with opened(shared, site, body) as browser:
        assert (await browser.observe()).settled


@pytest.mark.parametrize(("body", "script"), LATER.values(), ids=LATER)
async def test_what_comes_later_is_waited_for(shared: Browser, site: Site, body: str, script: str) -> None:
    async with opened(shared, site, f"{body}<script>{SHOW} {script}</script>") as browser:
        assert (await browser.observe()).image.getpixel((990, 690)) == GREEN


async def test_a_page_at_rest_is_taken_once(
    shared: Browser, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture, taken = observe._capture, []

    async def capture_and_count(cdp: CDPSession, timeout_s: float) -> bytes:
        taken.append(cdp)
        return await capture(cdp, timeout_s)

    monkeypatch.setattr(observe, "_capture", capture_and_count)
    async with opened(shared, site, "<p>and more") as browser:
        await browser.observe()
    assert len(taken) == 1


async def test_what_was_let_go_is_no_work_and_what_a_click_begins_is(
    shared: Browser, site: Site, watches: list[repeats.Watch]
) -> None:
    """By the page's own count, after the first look and after the click."""
    style = "position: fixed; left: 0; top: 0; width: 200px; height: 90px"
    go = "go.textContent = 1; setTimeout(() => setTimeout(show, 300), 300)"
    button = f"<button id=go style='{style}'>go</button>"
    body = f"{button}{SPINNER}<script>{SHOW} go.onclick = () => {{ {go} }}</script>"
    async with opened(shared, site, body) as browser:
        await browser.observe()
        assert await browser.inspect("saccade.says('saccade-busy')") is False
        await browser.execute(CLICK)
        assert (await browser.observe()).image.getpixel((990, 690)) == GREEN
    assert [it.excused for it in watches] == [True]


@pytest.mark.parametrize("act", ["execute", "page"])
async def test_only_a_look_before_any_action_lets_go(
    shared: Browser, site: Site, watches: list[repeats.Watch], act: str
) -> None:
    async with opened(shared, site, "") as browser:
        await browser.observe()
        watches.clear()
        if act == "execute":
            await browser.execute(CLICK)
        else:
            await browser.page.mouse.click(50, 50)
        await browser.observe()
    assert not watches


async def watch_that_fails(error: Exception) -> None:
    asked = asyncio.Event()

    async def ask(_: str) -> None:
        asked.set()
        raise error

    nothing: Any = None
    world: Any = SimpleNamespace(ask=ask)
    async with repeats.watched(world, nothing, nothing):
        await asked.wait()


async def test_a_fault_of_the_watch_is_told():
    with pytest.raises(ZeroDivisionError):
        await watch_that_fails(ZeroDivisionError())


@pytest.mark.parametrize(
    "error", [PlaywrightError("closed"), BrowserError("hangs"), TimeoutError()], ids=repr
)
async def test_a_page_that_left_is_no_fault_of_the_watch(error):
    await watch_that_fails(error)
