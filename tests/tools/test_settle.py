"""One look waits for what is on its way, and not for what never ends."""

import asyncio

import pytest
from playwright.async_api import CDPSession
from saccade.tools import Browser, observe, parse_action
from saccade.vision.screen import changed_fraction, same

from .conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def goto(browser: Browser, site: Site, path: str, body: str) -> None:
    effect = await browser.execute(parse_action("goto", {"url": site.page(path, body)}))
    assert effect.error is None


WAYS = {
    "frames": "let k = 3; const f = () => k-- ? requestAnimationFrame(f) : show(); f()",
    "timers": "let k = 5; const f = () => k-- ? setTimeout(f) : show(); f()",
    "messages": "let k = 20; const c = new MessageChannel(); const f = () => c.port2.postMessage(0);"
    " c.port1.onmessage = () => k-- ? f() : show(); f()",
    "worker": "worker.postMessage(0)",
    "observer": "spot.style.top = spot.style.top ? '' : '5000px'",
    "database": "const t = db.result.transaction('s', 'readwrite'); t.objectStore('s').put(1, 1);"
    " t.oncomplete = show",
    "long transaction": "const t = db.result.transaction('s', 'readwrite'), o = t.objectStore('s');"
    " let k = 400; const put = () => k-- && (o.put(k, k).onsuccess = put); put(); t.oncomplete = show",
    "idle": "requestIdleCallback(show)",
    "answer": "fetch('/wait?ms=60').then((it) => it.text()).then(show)",
    "answer in parts": "fetch('/wait?ms=30&then=90').then((it) => it.text()).then(show)",
    "two alike": "const u = '/wait?ms=60'; fetch(u); setTimeout(() => fetch(u).then(show), 40)",
    "answer unread": "fetch('/wait?ms=60').then(show)",
    "late answer": "fetch('/wait?ms=60').then((it) => setTimeout(() => it.text().then(show), 30))",
    "transition": "move(() => { end.ontransitionend = (it) => it.propertyName === 'translate' && show();"
    " end.style.translate = end.style.translate ? '' : '40px' })",
    "busy": "setTimeout(() => { const s = performance.now(); while (performance.now() - s < 60); show() })",
}
LATELY = """<button style='width:200px;height:90px' onclick='go()'>go</button>
<h1 id=end>0</h1><p id=spot class=at>x
<script>
  let n = 0, seen = 0;
  end.style.transition = "translate .2s";
  const show = () => { end.textContent = ++n; end.style.background = n % 2 ? "red" : "blue" };
  const wait = "const s = performance.now(); while (performance.now() - s < 8);";
  const work = `onmessage = () => { ${wait} postMessage(0) }`;
  const worker = new Worker(URL.createObjectURL(new Blob([work])));
  worker.onmessage = show;
  const db = indexedDB.open("x");
  db.onupgradeneeded = () => db.result.createObjectStore("s");
  if (WATCH) new IntersectionObserver(() => seen++ && show()).observe(spot);
  const move = (then) => {
    let k = 25;
    const c = new MessageChannel(), start = performance.now();
    c.port1.onmessage = () => performance.now() - start < k ? c.port2.postMessage(0) : then();
    c.port2.postMessage(0);
  };
  const go = () => { WAY };
</script>"""


@pytest.mark.parametrize("way", WAYS)
async def test_what_comes_a_moment_later_is_in_the_effect(shared: Browser, site: Site, way: str) -> None:
    """By every road that a page's work may take from a click to its end."""
    body = LATELY.replace("WAY", WAYS[way]).replace("WATCH", str(way == "observer").lower())
    await goto(shared, site, f"/ways-{way.replace(' ', '-')}", body)
    for colour in [(255, 0, 0), (0, 0, 255)] * 3:
        assert (await shared.execute(parse_action("left_click", {"coordinate": [50, 50]}))).visible
        assert (await shared.observe()).image.getpixel((900, 120)) == colour


@pytest.mark.parametrize("way", ["frames", "timers", "answer", "database", "idle", "transition"])
async def test_what_is_over_before_the_page_is_asked_is_in_the_effect(
    shared: Browser, site: Site, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine all of it, begin and end, may fall between a screenshot and the question after it."""
    await goto(shared, site, f"/over-{way}", LATELY.replace("WAY", WAYS[way]).replace("WATCH", "false"))
    page, capture, taken = shared.page, observe._capture, []

    async def capture_and_go(cdp: CDPSession, timeout_s: float) -> bytes:
        taken.append(await capture(cdp, timeout_s))
        if len(taken) == 1:
            await page.evaluate("go()")
            await asyncio.sleep(0.5)
        return taken[-1]

    monkeypatch.setattr(observe, "_capture", capture_and_go)
    assert (await shared.execute(parse_action("mouse_move", {"coordinate": [500, 500]}))).visible
    assert (await shared.observe()).image.getpixel((900, 120)) == (255, 0, 0)
    assert len(taken) == 2


@pytest.mark.parametrize("delay_ms", [400, 700])
async def test_late_answers_are_in_the_effect(shared: Browser, site: Site, delay_ms: int) -> None:
    script = f"fetch('/wait?ms={delay_ms}').then(() => document.body.style.background = 'green')"
    await goto(shared, site, "/late", f'<button style="font-size:99px" onclick="{script}">ask</button>')
    effect = await shared.execute(parse_action("left_click", {"coordinate": [50, 60]}))
    seen = await shared.observe()
    assert seen.settled
    assert seen.image.getpixel((900, 600)) == (0, 128, 0)
    assert effect.changed > 0.5


async def test_the_same_request_at_every_click_is_no_poll(shared: Browser, site: Site) -> None:
    script = "fetch('/wait?ms=150').then(() => it.textContent = ++n)"
    button = f'<button style="font-size:99px" onclick="{script}">ask</button>'
    body = f"{button}<h1 id=it>0</h1><script>n = 0</script>"
    await goto(shared, site, "/again", body)
    for count in range(1, 8):
        assert (await shared.execute(parse_action("left_click", {"coordinate": [50, 60]}))).visible
        assert await shared.evaluate("n") == count


async def test_a_poll_is_soon_not_waited_for(shared: Browser, site: Site) -> None:
    """A look takes less time than one poll."""
    poll = "(function poll() { fetch('/wait?ms=800').finally(poll) })()"
    await goto(shared, site, "/polls", f"<h1>polls</h1><script>{poll}</script>")
    looks = []
    for _ in range(3):
        await shared.page.wait_for_timeout(850)
        looks.append(await shared.observe())
    assert looks[-1].settled
    assert looks[-1].seconds < 0.6


async def test_the_answer_to_a_poll_is_not_taken_for_that_to_a_click(shared: Browser, site: Site) -> None:
    """All of one address, as a GraphQL server has; the poll's comes while the click's is on its way."""
    ask = "fetch('/wait?ms=500', { method: 'POST', body: 'ask' }).then(() => it.textContent = ++n)"
    button = f"""<button style="font-size:99px" onclick="{ask}">ask</button>"""
    body = f"{button}<h1 id=it>0</h1><script>n = 0</script>"
    await goto(shared, site, "/poll-and-ask", body)
    for count in range(1, 4):
        await shared.page.evaluate("void fetch('/wait?ms=500', { method: 'POST', body: 'poll' })")
        await shared.page.wait_for_timeout(250)
        assert (await shared.execute(parse_action("left_click", {"coordinate": [50, 60]}))).visible
        assert await shared.evaluate("n") == count


async def test_a_slow_document_is_waited_for(shared: Browser, site: Site) -> None:
    await goto(shared, site, "/slow-link", "<a style='font-size:99px' href='/wait?ms=2200'>go</a>")
    effect = await shared.execute(parse_action("left_click", {"coordinate": [50, 60]}))
    assert effect.navigated
    assert (await shared.observe()).url.endswith("/wait?ms=2200")


async def test_late_pictures_are_waited_for(shared: Browser, site: Site) -> None:
    site.pages["/late.svg"] = ""
    await goto(
        shared,
        site,
        "/pictures",
        "<img onerror=\"document.body.style.background='green'\" src='/wait?ms=600'>",
    )
    assert (await shared.observe()).image.getpixel((900, 600)) == (0, 128, 0)


async def test_transitions_are_finished(shared: Browser, site: Site) -> None:
    body = """<style>#box{width:100px;height:100px;background:red;transition:all .6s linear}
    #box.go{width:800px;background:rgb(0,0,255)}</style><div id=box onclick="this.className='go'"></div>"""
    await goto(shared, site, "/transition", body)
    await shared.execute(parse_action("left_click", {"coordinate": [50, 70]}))
    assert (await shared.observe()).image.getpixel((790, 50)) == (0, 0, 255)


async def test_what_never_ends_does_not_hold_up(shared: Browser, site: Site) -> None:
    body = """<style>
      @keyframes spin { to { rotate: 360deg } }
      #it { animation: spin 1s linear infinite; font-size: 60px }
    </style><div id=it>*</div><script>
      const again = () => fetch('/wait?ms=30').finally(again); again();
      const hue = () => performance.now() / 9;
      const draw = () => { it.style.color = `hsl(${hue()},90%,50%)`; requestAnimationFrame(draw) };
      draw();
      setInterval(() => it.textContent = Date.now() % 10, 50);
    </script>"""
    await goto(shared, site, "/spinner", body)
    assert (await shared.observe()).image.size == (1000, 700)
    await goto(shared, site, "/calm", "<h1>calm</h1>")
    assert (await shared.observe()).settled


async def test_a_request_that_outlives_one_look_is_not_waited_for_again(shared: Browser, site: Site) -> None:
    await goto(shared, site, "/poll", "<h1>poll</h1><script>fetch('/wait?ms=6000')</script>")
    await shared.evaluate("0")  # so that the next look is a new one
    assert (await shared.observe()).settled


async def test_page_scripts_cannot_fool_the_look(shared: Browser, site: Site) -> None:
    body = "<title>true</title><script>requestAnimationFrame = () => 0; innerWidth = 5; scrollX = 9</script>"
    await goto(shared, site, "/fool", body)
    seen = await shared.observe()
    assert seen.settled
    assert seen.scroll[0] == 0
    assert seen.title == "true"


async def test_two_looks_at_a_focused_field_are_equal(shared: Browser, site: Site) -> None:
    await goto(shared, site, "/caret", "<input autofocus style='font-size:60px;outline:none'>")
    looks = []
    for _ in range(4):
        await shared.page.wait_for_timeout(300)
        looks.append((await shared.observe()).image)
    assert all(same(looks[0], look) for look in looks)
    await shared.evaluate("document.activeElement.blur()")
    assert changed_fraction(looks[0], (await shared.observe()).image) > 0, "the caret is not visible"


AT_WORK = {
    "a timer": "setTimeout(() => document.body.style.background = 'green', 300)",
    "timers in a chain": "setTimeout(() => setTimeout(() => "
    "document.body.style.background = 'green', 200), 200)",
    "a timer and then a request": "setTimeout(() => fetch('/wait?ms=300').then(() => "
    "document.body.style.background = 'green'), 250)",
    "frame callbacks": "n = 0; (function go() { ++n < 24 ? requestAnimationFrame(go) : "
    "document.body.style.background = 'green' })()",
    "an interval": "n = 0; t = setInterval(() => ++n == 20 && (clearInterval(t), "
    "document.body.style.background = 'green'), 20)",
    "a timer of a frame": "frames[0].setTimeout(() => document.body.style.background = 'green', 300)",
}


@pytest.mark.parametrize("script", AT_WORK.values(), ids=AT_WORK)
async def test_what_a_click_sets_in_motion_is_waited_for(shared: Browser, site: Site, script: str) -> None:
    """The label changes at once, so a look that waits for any change would see too little."""
    button = f'<button style="font-size:99px" onclick="this.textContent=1; {script}">ask</button>'
    await goto(shared, site, "/work", f"{button}<iframe hidden srcdoc='x'></iframe>")
    effect = await shared.execute(parse_action("left_click", {"coordinate": [50, 60]}))
    assert effect.changed > 0.5
    seen = await shared.observe()
    assert seen.settled
    assert seen.image.getpixel((900, 600)) == (0, 128, 0)


async def test_endless_work_is_soon_not_waited_for(shared: Browser, site: Site) -> None:
    body = """<p id=it>x</p><script>
      const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
      (async () => { for (;;) { await sleep(100); it.textContent = Date.now(); } })();
    </script>"""
    await goto(shared, site, "/loop", body)
    looks = []
    for _ in range(4):
        await shared.evaluate("0")  # so that the next look is a new one
        looks.append((await shared.observe()).seconds)
    assert looks[-1] < 0.5


async def test_timers_of_pages_work_as_before(shared: Browser, site: Site) -> None:
    script = """async () => {
      const seen = [];
      setTimeout((a, b) => seen.push(a + b), 1, 2, 3);
      setTimeout("window.text = 1", 1);
      clearTimeout(setTimeout(() => seen.push("cleared"), 1));
      const id = setInterval(function () { seen.push(this === window); clearInterval(id); }, 1);
      await new Promise((done) => requestAnimationFrame((at) => { seen.push(typeof at); done(); }));
      await new Promise((done) => setTimeout(done, 30));
      return [seen.sort().map(String), window.text, String(setTimeout).includes("native code")];
    }"""
    await goto(shared, site, "/timers", "<h1>timers</h1>")
    assert await shared.evaluate(script) == [["5", "number", "true"], 1, True]
