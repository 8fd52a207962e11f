"""An element found again by role and name: in the page, in frames of its origin and of others."""

import dataclasses

import pytest
from playwright.async_api import Frame
from saccade.tools import Browser, parse_action
from saccade.tools.element import Element

from .conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

INNER = """<body style='margin:0'><div style='height:PADpx'></div>
<button style='width:120px;height:60px'>Same</button><button style='width:120px;height:60px'>Same</button>
<button style='width:120px;height:60px' onclick='this.textContent = `Pressed`'>Pay</button>"""
NEST = (
    "<body style='margin:0'><iframe title='Deep' style='width:500px;height:200px;border:0' src='{}'></iframe>"
)
PAGE = """<p>above</p><iframe width=10 height=10></iframe>
<iframe style='border:5px solid;padding:3px;margin-left:LEFTpx' width=600 height=200 src='SRC'></iframe>"""


@pytest.fixture(params=["same", "foreign", "nested", "foreign in foreign"])
def pages(request, site: Site, elsewhere: Site) -> tuple[str, str]:
    """A page with a button in a frame, and the same after a redesign: moved, and scrolled out of view."""
    kind, found = request.param.replace(" ", "-"), []
    host = elsewhere.url.replace("127.0.0.1", "localhost")
    for pad, left in ((20, 0), (700, 90)):
        inner = INNER.replace("PAD", str(pad))
        here = site.page(f"/in-{kind}-{pad}", inner)
        there = elsewhere.page(f"/in-{kind}-{pad}", inner).replace("127.0.0.1", "localhost")
        match request.param:
            case "same":
                source = here
            case "foreign":
                source = there
            case "nested":
                source = site.page(f"/mid-{kind}-{pad}", NEST.format(there))
            case _:
                elsewhere.page(f"/mid-{kind}-{pad}", NEST.format(here))
                source = f"{host}/mid-{kind}-{pad}"
        found.append(site.page(f"/out-{kind}-{pad}", PAGE.replace("SRC", source).replace("LEFT", str(left))))
    return found[0], found[1]


@pytest.fixture
def hosts(site: Site, elsewhere: Site) -> list[str]:
    return [f"127.0.0.1:{site.port}", f"localhost:{elsewhere.port}"]


async def frame_with_button(browser: Browser) -> Frame:
    await browser.observe()
    found = [frame for frame in browser.page.frames if await frame.get_by_text("Pay").count()]
    return found[0]


async def find_and_press(browser: Browser, element: Element) -> Element | None:
    point = await browser.find(element)
    assert point is not None
    seen = await browser.observe()
    effect = await browser.execute(
        parse_action("left_click", {"coordinate": list(seen.geometry.css_to_relative(point))})
    )
    assert effect.visible
    return effect.hit


async def test_a_button_in_a_frame_is_found_where_it_is_now(shared, hosts, pages) -> None:
    before, after = pages
    async with Browser(before, (1000, 700), share=shared, allow_hosts=hosts) as browser:
        place = await frame_with_button(browser)
        box = await place.get_by_role("button", name="Pay").bounding_box()
        assert box is not None
        seen = await browser.element_at((box["x"] + 20, box["y"] + 20))
        assert seen is not None
        assert (seen.role, seen.name, seen.twins) == ("button", "Pay", 1)
        foreign = "localhost" in browser.page.main_frame.child_frames[1].url
        edge = 8 if foreign else 0  # border and padding, which Playwright forgets across processes
        assert seen.box == pytest.approx((box["x"] + edge, box["y"] + edge, 120, 60), abs=0.1)
        assert 1 <= len(seen.frames) <= 2
        locator = browser.page.main_frame.frame_locator(seen.frames[0])
        for path in seen.frames[1:]:
            locator = locator.frame_locator(path)
        assert await locator.get_by_role("button", name="Pay").count() == 1  # as Playwright reads the path

        await browser.execute(parse_action("goto", {"url": after}))
        hit = await find_and_press(browser, seen)
        assert hit is not None
        assert hit.name == "Pay"
        assert await locator.get_by_text("Pressed").count() == 1
        assert await browser.find(dataclasses.replace(seen, name="Refund")) is None


async def test_the_second_of_two_alike(shared, hosts, pages) -> None:
    async with Browser(pages[1], (1000, 700), share=shared, allow_hosts=hosts) as browser:
        outer = (await frame_with_button(browser)).parent_frame
        assert outer is not None
        frames = ["iframe >> nth=1", *(['iframe[title="Deep"]'] if outer.parent_frame else [])]
        twin = Element("button", "button", "Same", (0, 0, 1, 1), tuple(frames), nth=1, twins=2)
        point = await browser.find(twin)
        assert point is not None
        seen = await browser.element_at(point)
        assert seen is not None
        assert (seen.name, seen.nth, seen.twins, seen.frames) == ("Same", 1, 2, tuple(frames))


async def test_the_focus_in_a_foreign_frame(shared, site: Site, elsewhere: Site, hosts) -> None:
    elsewhere.page("/field", "<input aria-label=Card autofocus>")
    url = f"http://localhost:{elsewhere.port}/field"
    page = site.page("/with-field", f"<iframe title=Pay src='{url}'></iframe>")
    async with Browser(page, (1000, 700), share=shared, allow_hosts=hosts) as browser:
        await browser.page.frame_locator("iframe").get_by_label("Card").focus()
        focus = await browser.focused()
        assert focus is not None
        assert (focus.role, focus.name, focus.frame) == ("textbox", "Card", url)
        assert focus.frames == ('iframe[title="Pay"]',)
