"""Observations and effects on real pages in a real browser."""

import asyncio
import sys

import pytest
from playwright.async_api import CDPSession
from playwright.async_api import Error as PlaywrightError
from saccade.errors import ActionError, BrowserError
from saccade.tools import Browser, parse_action, settle
from saccade.tools.observation import Effect, Observation

from .conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

DESK = """
<div id=log></div>
<button id=button class=at style="left:100px;top:100px;width:100px;height:40px"
  onclick="hit('click')" oncontextmenu="hit('context');return false" ondblclick="hit('double')"
  onauxclick="event.button==1&&hit('middle')" onmouseenter="hit('enter')">press</button>
<p id=words class=at style="left:300px;top:90px">some words here</p>
<input id=field class=at style="left:100px;top:200px;width:300px" value="old text">
<input id=range class=at type=range style="left:100px;top:260px;width:300px;margin:0" value=0 max=100>
<div id=wide class=at style="left:500px;top:200px;width:200px;height:100px;overflow:auto">
  <div style="width:900px;height:900px;background:linear-gradient(45deg,red,blue)"></div></div>
<a id=link class=at style="left:100px;top:320px" href="/other">other</a>
<a id=popup class=at style="left:200px;top:320px" href="/other" target=_blank>popup</a>
<button id=alert class=at style="left:300px;top:320px" onclick="alert('saved')">alert</button>
<button id=confirm class=at style="left:400px;top:320px" onclick="hit(confirm('sure?'))">confirm</button>
<div style="height:3000px"></div>
<script>
  window.hits = [];
  window.hit = (what) => { hits.push(what); log.textContent = hits.join(" "); };
</script>
"""


async def open_desk(browser: Browser, site: Site) -> Observation:
    site.page("/other", "<title>Other</title><h1>the other page</h1>")
    effect = await act(browser, "goto", url=site.page("/desk", f"<title>Desk</title>{DESK}"))
    assert effect.error is None
    return await browser.observe()


async def act(browser: Browser, verb: str, **arguments: object) -> Effect:
    return await browser.execute(parse_action(verb, arguments))


async def centre(browser: Browser, selector: str) -> list[int]:
    """Where an element is, relative to the screenshot."""
    box = await browser.evaluate(
        "(it) => document.querySelector(it).getBoundingClientRect().toJSON()", selector
    )
    seen = await browser.observe()
    return list(seen.geometry.css_to_relative((box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)))


async def test_observation(shared: Browser, site: Site) -> None:
    seen = await open_desk(shared, site)
    assert seen.image.size == (1000, 700)
    assert seen.image.mode == "RGB"
    assert (seen.geometry.css_width, seen.geometry.css_height) == (1000, 700)
    assert seen.url == site.url + "/desk"
    assert seen.title == "Desk"
    assert [(tab.title, tab.active) for tab in seen.tabs] == [("Desk", True)]
    assert seen.scroll[:2] == (0, 0)
    assert seen.scroll[3] > 2000
    assert seen.settled
    assert seen.dialog is None


@pytest.mark.parametrize(
    ("verb", "hits"),
    [
        ("left_click", ["enter", "click"]),
        ("right_click", ["enter", "context"]),
        ("middle_click", ["enter", "middle"]),
        ("double_click", ["enter", "click", "click", "double"]),
        ("mouse_move", ["enter"]),
    ],
)
async def test_mouse(shared: Browser, site: Site, verb: str, hits: list[str]) -> None:
    await open_desk(shared, site)
    effect = await act(shared, verb, coordinate=await centre(shared, "#button"))
    assert await shared.evaluate("hits") == hits
    assert effect.visible
    assert 0 < effect.changed < 0.05
    assert not effect.navigated


async def test_a_window_that_is_resized(shared: Browser, site: Site) -> None:
    """The next look has the new size, and what it shows is hit where it shows it."""
    await open_desk(shared, site)
    await shared.page.set_viewport_size({"width": 620, "height": 500})
    try:
        seen = await shared.observe()
        assert seen.image.size == (seen.geometry.css_width, seen.geometry.css_height) == (620, 500)
        effect = await act(shared, "left_click", coordinate=await centre(shared, "#button"))
        assert "click" in await shared.evaluate("hits")
        assert effect.hit is not None
        assert effect.hit.name == "press"
    finally:
        await shared.page.set_viewport_size({"width": 1000, "height": 700})


async def test_triple_click_selects_a_line(shared: Browser, site: Site) -> None:
    await open_desk(shared, site)
    await act(shared, "triple_click", coordinate=await centre(shared, "#words"))
    assert (await shared.evaluate("String(getSelection())")).strip() == "some words here"


async def test_a_click_on_nothing_has_no_effect(shared: Browser, site: Site) -> None:
    await open_desk(shared, site)
    effect = await act(shared, "left_click", coordinate=[900, 900])
    assert not effect.visible
    assert effect.describe() == "no change"


async def test_type_replaces_at_a_coordinate_and_appends_without(shared: Browser, site: Site) -> None:
    await open_desk(shared, site)
    effect = await act(shared, "type", text="héllo", coordinate=await centre(shared, "#field"))
    assert effect.visible
    assert await shared.evaluate("field.value") == "héllo"
    await act(shared, "type", text=" wörld 日本")
    assert await shared.evaluate("field.value") == "héllo wörld 日本"
    await act(shared, "type", text="", coordinate=await centre(shared, "#field"))
    assert await shared.evaluate("field.value") == ""


@pytest.mark.parametrize("text", ["x", ""])
async def test_typing_where_no_text_is_selects_nothing(shared: Browser, site: Site, text: str) -> None:
    """The page still hears the keys."""
    await open_desk(shared, site)
    await shared.evaluate("window.heard = []; onkeydown = (event) => heard.push(event.key); 0")
    effect = await act(shared, "type", text=text, coordinate=await centre(shared, "#words"))
    assert await shared.evaluate("String(getSelection())") == ""
    assert await shared.evaluate("heard") == list(text)
    assert not effect.visible


@pytest.mark.parametrize("html", ["<p id=it contenteditable>old</p>", "<textarea id=it>old</textarea>"])
async def test_typing_replaces_whatever_holds_text(shared: Browser, site: Site, html: str) -> None:
    await act(shared, "goto", url=site.page("/holds", f"<body style='margin:0;font:40px sans-serif'>{html}"))
    await act(shared, "type", text="new", coordinate=await centre(shared, "#it"))
    assert (await shared.evaluate("it.value ?? it.textContent")) == "new"


async def test_one_typed_character_is_visible(shared: Browser, site: Site) -> None:
    await open_desk(shared, site)
    await act(shared, "type", text="x", coordinate=await centre(shared, "#field"))
    assert (await act(shared, "type", text=".")).visible


async def test_keys(shared: Browser, site: Site) -> None:
    await open_desk(shared, site)
    await act(shared, "left_click", coordinate=await centre(shared, "#field"))
    await act(shared, "key", keys=["ctrl", "a"])
    assert await shared.evaluate("field.selectionEnd - field.selectionStart") == len("old text")
    await act(shared, "key", keys=["Delete"])
    assert await shared.evaluate("field.value") == ""
    await act(shared, "key", keys="Tab")
    assert await shared.evaluate("document.activeElement.id") == "range"


async def test_drag(shared: Browser, site: Site) -> None:
    await open_desk(shared, site)
    await act(shared, "left_click_drag", start_coordinate=[108, 382], coordinate=[300, 382])
    assert 50 < await shared.evaluate("Number(range.value)") < 90
    await act(shared, "mouse_move", coordinate=[300, 382])
    await act(shared, "left_click_drag", coordinate=[110, 382])
    assert await shared.evaluate("Number(range.value)") < 40


async def test_scroll_page_and_inner_box(shared: Browser, site: Site) -> None:
    await open_desk(shared, site)
    effect = await act(shared, "scroll", pixels=-300, coordinate=[900, 900])
    assert effect.visible
    assert (await shared.observe()).scroll[1] == 300
    await act(shared, "scroll", pixels=100)
    assert (await shared.observe()).scroll[1] == 200
    await act(shared, "scroll", pixels=9999)
    await act(shared, "hscroll", pixels=150, coordinate=await centre(shared, "#wide"))
    await act(shared, "scroll", pixels=-80, coordinate=await centre(shared, "#wide"))
    assert await shared.evaluate("[wide.scrollLeft, wide.scrollTop, scrollY]") == [150, 80, 0]


async def test_links_history_and_reload(shared: Browser, site: Site) -> None:
    await open_desk(shared, site)
    effect = await act(shared, "left_click", coordinate=await centre(shared, "#link"))
    assert effect.navigated
    assert (await shared.observe()).title == "Other"
    assert (await act(shared, "back")).navigated
    assert (await shared.observe()).url.endswith("/desk")
    assert (await act(shared, "forward")).navigated
    assert (await shared.observe()).url.endswith("/other")
    before = site.hits.count("/other")
    assert (await act(shared, "reload")).navigated
    assert site.hits.count("/other") == before + 1


async def test_tabs_and_popups(shared: Browser, site: Site) -> None:
    await open_desk(shared, site)
    effect = await act(shared, "left_click", coordinate=await centre(shared, "#popup"))
    assert effect.new_tab
    seen = await shared.observe()
    assert [(tab.title, tab.active) for tab in seen.tabs] == [("Desk", False), ("Other", True)]
    assert (await act(shared, "switch_tab", tab=0)).visible
    assert (await shared.observe()).title == "Desk"
    assert "no tab 7" in str((await act(shared, "switch_tab", tab=7)).error)
    await act(shared, "close_tab", tab=1)
    assert [tab.title for tab in (await shared.observe()).tabs] == ["Desk"]
    await act(shared, "new_tab", url=site.url + "/other")
    assert (await shared.observe()).title == "Other"
    await act(shared, "close_tab")
    assert (await shared.observe()).title == "Desk"


@pytest.mark.parametrize("closes", [True, False])
async def test_what_a_click_closes_has_been_clicked(
    shared: Browser, site: Site, monkeypatch: pytest.MonkeyPatch, closes: bool
) -> None:
    """Though the page takes the answer to the click with it."""
    await open_desk(shared, site)
    await act(shared, "new_tab", url=site.url + "/other")
    page = shared.page

    async def lost(*_: object, **__: object) -> None:
        if closes:
            await page.close()
        raise PlaywrightError("Mouse.click: Target page, context or browser has been closed")

    monkeypatch.setattr(page.mouse, "click", lost)
    error = (await act(shared, "left_click", coordinate=[500, 500])).error
    assert error is None if closes else "has been closed" in str(error)
    if not closes:
        await act(shared, "close_tab")
    assert (await shared.observe()).title == "Desk"


async def test_the_last_closed_tab_leaves_an_empty_one(shared: Browser, site: Site) -> None:
    await open_desk(shared, site)
    await act(shared, "close_tab")
    assert [tab.url for tab in (await shared.observe()).tabs] == ["about:blank"]


async def test_alert_is_told_once(shared: Browser, site: Site) -> None:
    await open_desk(shared, site)
    effect = await act(shared, "left_click", coordinate=await centre(shared, "#alert"))
    assert "saved" in str(effect.dialog)
    assert effect.visible
    assert "saved" in str((await shared.observe()).dialog)
    assert (await shared.observe()).dialog is None
    assert (await act(shared, "wait", time=0)).dialog is None


@pytest.mark.parametrize("accept", [False, True])
async def test_confirm_is_answered_as_the_user_said(shared: Browser, site: Site, accept: bool) -> None:
    start = site.page("/confirm", f"<title>Desk</title>{DESK}")
    async with Browser(start, share=shared, accept_dialogs=accept) as browser:
        effect = await act(browser, "left_click", coordinate=await centre(browser, "#confirm"))
        assert "sure?" in str(effect.dialog)
        assert await browser.evaluate("hits") == [accept]


async def test_download_is_told(shared: Browser, site: Site) -> None:
    site.page("/files", f"<a style='font-size:99px' href='{site.url}/wait?file=report.pdf'>get</a>")
    await act(shared, "goto", url=site.url + "/files")
    effect = await act(shared, "left_click", coordinate=[50, 90])
    assert "report.pdf" in str(effect.dialog)


async def test_unreachable_pages_are_results(shared: Browser, site: Site) -> None:
    await open_desk(shared, site)
    effect = await act(shared, "goto", url="http://nowhere.invalid/")
    assert "no such host" in str(effect.error)
    assert effect.describe().startswith("failed: ")


async def test_a_page_that_never_answers_is_a_result(site: Site) -> None:
    start = site.page("/quick", "<h1>quick</h1>")
    async with Browser(start, timeout_s=1.0) as browser:
        effect = await act(browser, "goto", url=f"{site.url}/wait?ms=4000")
        assert "did not load within" in str(effect.error)
        assert (await browser.observe()).url == start


async def test_a_page_that_hangs_is_a_result(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "SETTLE_S", 0.5)
    start = site.page("/hang", "<button style='font-size:99px' onclick='for(;;);'>hang</button>")
    async with Browser(start, timeout_s=1.0) as browser:
        first = await browser.observe()
        effect = await act(browser, "left_click", coordinate=[50, 60])
        assert "took longer" in str(effect.error)
        seen = await browser.observe()
        assert "hangs" in str(seen.dialog)
        assert seen.image is first.image
        assert not seen.settled


async def test_a_forgotten_picture_is_asked_for_again(
    shared: Browser, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Chromium forgets some that it was asked for when the next document came."""
    await open_desk(shared, site)
    send, asked = CDPSession.send, []

    async def forget_the_first(self: CDPSession, method: str, params: dict | None = None) -> dict:
        asked.append(method)
        if asked.count("Page.captureScreenshot") == 1 and method == "Page.captureScreenshot":
            await asyncio.Event().wait()
        return await send(self, method, params)

    monkeypatch.setattr(CDPSession, "send", forget_the_first)
    effect = await act(shared, "reload")
    assert asked.count("Page.captureScreenshot") >= 2
    assert (effect.error, effect.dialog) == (None, None)
    assert (await shared.observe()).settled


async def test_the_runs_own_actions_are_not_the_browsers(shared: Browser) -> None:
    for verb, arguments in [("answer", {"text": "x"}), ("terminate", {"status": "success"})]:
        with pytest.raises(ActionError):
            await act(shared, verb, **arguments)


async def test_lazy_until_started() -> None:
    browser = Browser("https://example.com")
    browser.viewport = (800, 600)
    assert not browser.started
    with pytest.raises(BrowserError, match="not started"):
        await browser.observe()
    await browser.close()


async def test_importing_the_room_loads_no_browser() -> None:
    code = "import sys, saccade.tools, saccade.tools.actions; sys.exit('playwright' in sys.modules)"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    assert await process.wait() == 0


async def test_a_killed_browser_is_an_error_in_one_line(site: Site) -> None:
    async with Browser(site.page("/quick", "<h1>quick</h1>")) as browser:
        await browser.observe()
        await browser.page.context.close()
        assert browser._session is not None
        await browser._session.process.browser.close()  # type: ignore[union-attr]
        with pytest.raises(BrowserError):
            await act(browser, "reload")
