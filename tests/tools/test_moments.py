"""What comes a moment after an action is in the picture, whether the page needs a frame for it or not."""

import asyncio

import pytest
from playwright.async_api import CDPSession
from saccade.tools import Browser, Observation, observe, parse_action

from .conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

RED, BLUE = (255, 0, 0), (0, 0, 255)
CLICK = parse_action("left_click", {"coordinate": [50, 50]})
SPOT = (900, 150)

# Each paints the spot red or blue, most of them without a change of the document that an observer sees.
WAYS = {
    "node": "<p id=it class=spot>\nit.style.background = red ? 'red' : 'blue'",
    "field": "<style>#it { background: red } #it:placeholder-shown { background: blue }</style>"
    "<textarea id=it class=spot placeholder=x></textarea>\nit.value = red ? ' ' : ''",
    "box": "<style>#it { appearance: none; background: blue } #it:checked { background: red }</style>"
    "<input type=checkbox id=it class=spot>\nit.checked = red",
    "validity": "<style>#it { background: blue } #it:invalid { background: red }</style>"
    "<input id=it class=spot>\nit.setCustomValidity(red ? 'x' : '')",
    "focus": "<style>#it { background: blue } #it:focus { background: red }</style>"
    "<p id=it class=spot tabindex=0>\nred ? it.focus() : it.blur()",
    "scroller": "<div id=it class=spot style='overflow: hidden'><p style='height: 200px; background: blue'>"
    "<p style='height: 200px; background: red'></div>\nit.scrollTop = red ? 200 : 0",
    "window": "<p style='height: 1000px; background: blue'><p style='height: 1000px; background: red'>\n"
    "scrollTo(0, red ? 1000 : 0)",
    "rule": "<style id=rules>#it { background: blue }</style><p id=it class=spot>\n"
    "rules.sheet.cssRules[0].style.background = red ? 'red' : 'blue'",
    "adopted sheet": "<p id=it class=spot>\nconst sheet = new CSSStyleSheet();"
    "sheet.replaceSync(`#it { background: ${red ? 'red' : 'blue'} }`); document.adoptedStyleSheets = [sheet]",
    "shadow": "<p id=it>\nwindow.root ??= it.attachShadow({ mode: 'closed' });"
    "root.innerHTML = `<p style='position:fixed; left:800px; top:100px; width:200px; height:200px; margin:0;"
    " background:${red ? 'red' : 'blue'}'>`",
    "frame": "<iframe id=it class=spot srcdoc=''></iframe>\n"
    "it.contentDocument.body.style.background = red ? 'red' : 'blue'",
    "popover": "<style>#it { background: blue } body:has(:popover-open) #it { background: red }</style>"
    "<p id=it class=spot><p id=on popover=manual>\non.togglePopover(red)",
    "highlight": "<style>#it { background: blue; overflow: hidden; font: 300px/200px monospace; color: blue }"
    "::highlight(on) { background: red; color: red }</style><p id=it class=spot>xx\n"
    "const all = new Range(); all.selectNodeContents(it); CSS.highlights.clear();"
    "if (red) CSS.highlights.set('on', new Highlight(all))",
    "paused animation": "<p id=it class=spot>\nwindow.held ??= it.animate({ background: ['#00f', '#f00'] },"
    "{ duration: 9999, fill: 'both' }); held.pause(); held.currentTime = red ? 9999 : 0",
    "canvas": "<canvas id=it class=spot></canvas>\nconst pen = it.getContext('2d');"
    "pen.fillStyle = red ? 'red' : 'blue'; pen.fillRect(0, 0, 999, 999)",
    "hidden canvas": "<p id=it class=spot>\nif (!window.pen) { const made = document.createElement('canvas');"
    "it.attachShadow({ mode: 'closed' }).append(made); window.pen = made.getContext('2d') }"
    "pen.fillStyle = red ? 'red' : 'blue'; pen.fillRect(0, 0, 999, 999)",
}
# Each calls `show` a moment after a click.
MOMENTS = {
    "now": "show()",
    "frame": "requestAnimationFrame(show)",
    "timer": "setTimeout(show, 8)",
    "microtask": "queueMicrotask(show)",
    "message": "chain(1)",
    "messages": "chain(20)",
    "messages for 8 ms": "last(8)",
    "task": "scheduler.postTask(show)",
    "late task": "scheduler.postTask(show, { priority: 'background' })",
    "frame, then message": "requestAnimationFrame(() => chain(1))",
    "intersection": "new IntersectionObserver((_, it) => (it.disconnect(), show())).observe(mark)",
    "resize": "new ResizeObserver((_, it) => (it.disconnect(), show())).observe(mark)",
    "toggle": "fold.ontoggle = show; fold.open = !fold.open",
    "end of an animation": "mark.animate({ opacity: [0, 1] }, 10).onfinish = show",
}
# These answer from elsewhere, and nobody counts them.
APART = {
    "worker": "worker.postMessage(0)",
    "broadcast": "new BroadcastChannel('x').postMessage(0)",
    "file": "new FileReader().readAsText(new Blob(['x']))",
    "blob": "new Blob(['x']).text()",
    "decode": "new Image().decode().catch(() => 0)",
    "bitmap": "createImageBitmap(new Blob([])).catch(() => 0)",
    "lock": "navigator.locks.request('x', () => 0)",
    "timer of text": "setTimeout('0')",
    "timeout": "AbortSignal.timeout(9)",
    "task": "scheduler.postTask(() => 0)",
    "permission": "navigator.permissions.query({ name: 'geolocation' })",
}
PAGE = """<style>
  .spot { position: absolute; left: 800px; top: 100px; width: 200px; height: 200px; border: 0; padding: 0;
    margin: 0; outline: 0 }
  #go { position: fixed; left: 0; top: 0; width: 200px; height: 90px }
  #mark { position: fixed; top: 300px; width: 50px; height: 50px } #fold { position: fixed; top: 400px }
</style>
<button id=go>go</button><p id=mark></p><details id=fold><summary>fold</summary>x</details>
BODY
<script>
  let count = 0, presses = 0;
  const paint = (red) => { PAINT };
  const show = () => paint(++count % 2 === 1);
  const chain = (left) => {
    const it = new MessageChannel(), again = () => it.port2.postMessage(0);
    it.port1.onmessage = () => --left > 0 ? again() : show();
    again();
  };
  const last = (ms) => {
    const it = new MessageChannel(), end = performance.now() + ms, again = () => it.port2.postMessage(0);
    it.port1.onmessage = () => performance.now() < end ? again() : show();
    again();
  };
  const worker = new Worker("data:text/javascript,");
  addEventListener("pointerdown", () => mark.style.background = ++presses % 2 ? "black" : "gold", true);
  go.onclick = () => { MOMENT };
  addEventListener('load', () => paint(false));
</script>"""


async def open_page(browser: Browser, site: Site, way: str, moment: str = "") -> None:
    """At rest, with a spot that is blue."""
    body, paint = way.split("\n")
    page = PAGE.replace("BODY", body).replace("PAINT", paint).replace("MOMENT", moment)
    assert (await browser.execute(parse_action("goto", {"url": site.page("/moment", page)}))).error is None
    assert colour(await browser.observe()) == BLUE


def colour(seen: Observation) -> tuple[int, ...]:
    found = seen.image.getpixel(SPOT)
    assert isinstance(found, tuple)
    return found


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Those that are taken."""
    capture, taken = observe._capture, []

    async def capture_and_keep(cdp: CDPSession, timeout_s: float) -> bytes:
        taken.append(await capture(cdp, timeout_s))
        return taken[-1]

    monkeypatch.setattr(observe, "_capture", capture_and_keep)
    return taken


CASES = [
    *((way, moment) for way in ("field", "canvas") for moment in MOMENTS),
    *(
        (way, moment)
        for way in WAYS
        for moment in ("message", "messages for 8 ms")
        if way not in ("field", "canvas")
    ),
]


@pytest.mark.parametrize(("way", "moment"), CASES)
async def test_what_comes_a_moment_later_is_in_the_picture(
    shared: Browser, site: Site, way: str, moment: str
) -> None:
    """The press itself is seen at once, so no second look helps."""
    await open_page(shared, site, WAYS[way], MOMENTS[moment])
    for wanted in [RED, BLUE, RED]:
        assert (await shared.execute(CLICK)).visible
        assert colour(await shared.observe()) == wanted


@pytest.mark.parametrize("script", APART.values(), ids=APART)
async def test_a_page_tells_that_it_asked_elsewhere(shared: Browser, site: Site, script: str) -> None:
    """For a second, in which a look takes its frame."""
    await open_page(shared, site, WAYS["node"])
    told = "!dispatchEvent(new Event('saccade-apart', { cancelable: true }))"
    assert await shared.evaluate(told) is False
    assert await shared.evaluate(f"async () => {{ await ({script}); return {told} }}") is True
    await asyncio.sleep(1.1)
    assert await shared.evaluate(told) is False


async def test_what_changes_the_document_after_the_picture_is_in_another(
    shared: Browser, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_page(shared, site, WAYS["node"])
    page, capture, taken = shared.page, observe._capture, []

    async def capture_and_show(cdp: CDPSession, timeout_s: float) -> bytes:
        taken.append(await capture(cdp, timeout_s))
        if len(taken) == 1:
            await page.evaluate("show()")
        return taken[-1]

    monkeypatch.setattr(observe, "_capture", capture_and_show)
    await shared.execute(CLICK)
    assert colour(await shared.observe()) == RED
    assert len(taken) == 2


async def test_a_page_at_rest_is_taken_once(shared: Browser, site: Site, pictures: list[bytes]) -> None:
    await open_page(shared, site, WAYS["node"], "show()")
    pictures.clear()
    for _ in range(4):
        await shared.execute(CLICK)
    assert len(pictures) == 4


async def test_a_page_that_changes_at_every_look_is_soon_taken_once(
    shared: Browser, site: Site, pictures: list[bytes]
) -> None:
    """Messages that go on for ever are no work and no animation."""
    go = (
        "const it = new MessageChannel(); let at = 0; it.port1.onmessage = () => { it.port2.postMessage(0);"
        " if (performance.now() - at > 2) mark.title = at = performance.now() }; it.port2.postMessage(0)"
    )
    await open_page(shared, site, WAYS["node"], go)
    await shared.execute(CLICK)
    for _ in range(5):
        await shared.evaluate("0")  # so that the next look is a new one
        pictures.clear()
        await shared.observe()
    assert len(pictures) == 1
