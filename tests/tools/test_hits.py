"""What a click landed on, through frames and shadow roots; where the screen changed; where the focus is."""

import pytest
from saccade.tools import Browser, parse_action
from saccade.tools.observation import Effect

from .conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

CONTROLS = """
<button class=at style="left:100px;top:70px;width:200px;height:70px"><b>Save</b> <i>all</i></button>
<a class=at href="#x" style="left:400px;top:70px">Help and <span>support</span></a>
<label class=at style="left:600px;top:70px">Your name <input id=name></label>
<div class=at role=switch aria-label="Dark mode" style="left:100px;top:210px;width:50px;height:50px">
</div><input class=at type=checkbox title="Agree"
  style="left:400px;top:210px;width:40px;height:40px;margin:0">
<canvas class=at style="left:600px;top:210px;width:200px;height:100px"></canvas>
<x-card class=at style="left:100px;top:350px;width:200px;height:70px"></x-card>
<iframe class=at style="left:400px;top:350px;width:300px;height:100px;border:7px solid" srcdoc="<body
  style='margin:0'><iframe style='border:3px solid'
  srcdoc='<body style=margin:0><button>Deep</button>'>"></iframe>
<script>
  const outer = document.querySelector("x-card").attachShadow({mode: "open"});
  outer.innerHTML = "<div id=in></div>";
  outer.getElementById("in").attachShadow({mode: "open"}).innerHTML = "<button>Shadow</button>";
</script>
"""
WANTED = [
    ([150, 150], ("button", "button", "Save all")),
    ([490, 115], ("a", "link", "Help and support")),
    ([720, 115], ("input", "textbox", "Your name")),
    ([120, 340], ("div", "switch", "Dark mode")),
    ([420, 330], ("input", "checkbox", "Agree")),
    ([700, 380], ("canvas", "canvas", "")),
    ([115, 515], ("button", "button", "Shadow")),
    ([420, 530], ("button", "button", "Deep")),
]


async def act(browser: Browser, verb: str, **arguments: object) -> Effect:
    return await browser.execute(parse_action(verb, arguments))


@pytest.mark.parametrize(("point", "wanted"), WANTED, ids=str)
async def test_hit(shared: Browser, site: Site, point: list[int], wanted: tuple) -> None:
    await act(shared, "goto", url=site.page("/controls", CONTROLS))
    hit = (await act(shared, "left_click", coordinate=point)).hit
    assert hit is not None
    assert (hit.tag, hit.role, hit.name) == wanted
    x, y, width, height = hit.box
    assert x <= point[0] <= x + width
    assert y <= point[1] * 0.7 <= y + height
    assert hit.frame is None


async def test_a_click_beside_everything(shared: Browser, site: Site) -> None:
    await act(shared, "goto", url=site.page("/controls", CONTROLS))
    hit = (await act(shared, "left_click", coordinate=[950, 950])).hit
    assert hit is not None
    assert hit.describe() == "html"


async def test_hit_in_a_frame_of_another_origin(shared: Browser, site: Site, elsewhere: Site) -> None:
    elsewhere.page(
        "/inner", "<button style='width:200px;height:90px' onclick='this.textContent=1'>Pay</button>"
    )
    frame = f"<iframe class=at style='left:100px;top:140px;border:0' src='{elsewhere.url}/inner'></iframe>"
    page = site.page("/shop", frame.replace("127.0.0.1", "localhost"))
    hosts = [f"localhost:{elsewhere.port}"]
    async with Browser(page, viewport=(1000, 700), share=shared, allow_hosts=hosts) as browser:
        hit = (await act(browser, "left_click", coordinate=[150, 250])).hit
        assert hit is not None
        assert (hit.role, hit.name) == ("button", "Pay")
        assert hit.box == (100, 140, 200, 90)
        assert hit.frame == f"http://localhost:{elsewhere.port}/inner"


async def test_regions(shared: Browser, site: Site) -> None:
    spots = "".join(
        f"<canvas class=at id=c{i} width=40 height=20 style='left:{200 * i + 100}px;top:400px'></canvas>"
        for i in range(3)
    )
    script = "for (const it of [c0, c2]) it.getContext('2d').fillRect(0, 0, 40, 20)"
    button = f'<div style="width:200px;height:100px" onclick="{script}">paint</div>'
    await act(shared, "goto", url=site.page("/paint", button + spots))
    effect = await act(shared, "left_click", coordinate=[50, 50])
    assert sorted(effect.regions) == [(100, 400, 40, 20), (500, 400, 40, 20)]
    assert (await act(shared, "left_click", coordinate=[50, 50])).regions == ()


async def test_focus_that_moves(shared: Browser, site: Site) -> None:
    await act(shared, "goto", url=site.page("/focus", "<input aria-label=One><input aria-label=Two><p>x"))
    for name in ("One", "Two"):
        effect = await act(shared, "key", keys=["Tab"])
        assert effect.focused
        focus = (await shared.observe()).focus
        assert focus is not None
        assert (focus.role, focus.name) == ("textbox", name)
    assert not (await act(shared, "type", text="letters")).focused
