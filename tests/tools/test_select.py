"""The list of a <select> is on the screenshot and can be clicked; the closed one looks as before."""

import pytest
from saccade.tools import Browser, parse_action
from saccade.vision.screen import changed_regions, same

from .conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

FORM = """
<form style="padding:40px">
<p>Fruit <select id=fruit><option>Apple<option>A much longer banana<option>Cherry</select> <b>after</b></p>
<p><select id=fancy style="appearance:none;border:2px solid blue;border-radius:9px;padding:9px 30px">
<option>One<option>Two</select></p>
<p><select id=many multiple><option>x<option>y</select> <select id=rows size=3><option>x<option>y</select></p>
</form>
"""


async def open_form(shared: Browser, site: Site) -> None:
    await shared.execute(parse_action("goto", {"url": site.page("/form", FORM)}))


async def point(browser: Browser, selector: str) -> list[int]:
    box = await browser.evaluate(
        "(it) => document.querySelector(it).getBoundingClientRect().toJSON()", selector
    )
    css = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    return list((await browser.observe()).geometry.css_to_relative(css))


@pytest.mark.parametrize(("selector", "chosen"), [("#fruit", "A much longer banana"), ("#fancy", "Two")])
async def test_option_is_seen_and_clicked(shared: Browser, site: Site, selector: str, chosen: str) -> None:
    await open_form(shared, site)
    closed = (await shared.observe()).image
    await shared.execute(parse_action("left_click", {"coordinate": await point(shared, selector)}))
    opened = (await shared.observe()).image
    lists = [box for box in changed_regions(closed, opened) if box[2] > 60 and box[3] > 40]
    assert lists, "the open list is not on the screenshot"
    box = await shared.evaluate(
        "(it) => document.querySelectorAll(it + ' option')[1].getBoundingClientRect().toJSON()", selector
    )
    second = box["x"] + 20, box["y"] + box["height"] / 2
    x, y, width, height = max(lists, key=lambda box: box[2] * box[3])
    assert x <= second[0] <= x + width
    assert y <= second[1] <= y + height
    coordinate = list((await shared.observe()).geometry.css_to_relative(second))
    await shared.execute(parse_action("left_click", {"coordinate": coordinate}))
    assert await shared.evaluate("(it) => document.querySelector(it).value", selector) == chosen
    assert await shared.evaluate("document.querySelectorAll('option:not(#many *, #rows *)').length") == 5


async def test_closed_selects_keep_their_looks_and_place(shared: Browser, site: Site) -> None:
    await open_form(shared, site)
    before = (await shared.observe()).image
    places = "[...document.querySelectorAll('b,p,select')].map((it) => it.getBoundingClientRect().toJSON())"
    layout = await shared.evaluate(places)
    await shared.execute(parse_action("left_click", {"coordinate": await point(shared, "#fruit")}))
    for now, then in zip(await shared.evaluate(places), layout, strict=True):
        assert all(abs(now[side] - then[side]) <= 1 for side in then)
    await shared.execute(parse_action("key", {"keys": "Escape"}))
    await shared.execute(parse_action("left_click", {"coordinate": [900, 900]}))
    assert same(before, (await shared.observe()).image)
    assert await shared.evaluate("fruit.getAttribute('style')") is None


async def test_keyboard_still_chooses(shared: Browser, site: Site) -> None:
    await open_form(shared, site)
    await shared.evaluate("fruit.focus()")
    await shared.execute(parse_action("key", {"keys": ["Down"]}))
    assert await shared.evaluate("fruit.value") == "A much longer banana"
    await shared.execute(parse_action("key", {"keys": ["Enter"]}))
    await shared.execute(parse_action("key", {"keys": ["Down", "Enter"]}))
    assert await shared.evaluate("fruit.value") == "Cherry"


async def test_lists_that_are_always_open_stay_as_they_are(shared: Browser, site: Site) -> None:
    await open_form(shared, site)
    await shared.execute(parse_action("left_click", {"coordinate": await point(shared, "#rows option")}))
    assert await shared.evaluate("[rows.value, rows.getAttribute('style')]") == ["x", None]


@pytest.mark.parametrize(
    ("style", "height"), [("", (15, 23)), ("<style>option { height: 40px }</style>", (40, 50))]
)
async def test_a_list_is_tight_unless_the_page_says_how_it_looks(
    shared: Browser, site: Site, style: str, height: tuple[int, int]
) -> None:
    """The sign of the chosen entry takes no room before the others."""
    options = "<option>Please choose</option><option id=ivy>Ivy</option>"
    page = site.page("/tight", f"{style}<select id=it style='font-size:13px'>{options}</select>")
    async with Browser(page, viewport=(400, 300), share=shared) as browser:
        await browser.page.click("#it")
        rows = await browser.evaluate("ivy.getBoundingClientRect().height")
        assert height[0] <= rows <= height[1]
        text = "(it => { it.selectNodeContents(ivy); return it.getBoundingClientRect().left })(new Range())"
        indent = await browser.evaluate(f"{text} - ivy.getBoundingClientRect().left")
        assert indent < 12
