"""From a pixel of the screenshot to the element under it, at every scale: 200 targets, all hit.

Targets are found by their colour in the screenshot, as a model would, so the whole way is tested:
capture, geometry, rounding to 0..1000, mouse events.
"""

import random

import numpy as np
import pytest
from saccade.tools import Browser, Observation, parse_action
from saccade.tools.execute import perform

from .conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

COUNT, SIZE_PX = 200, 13


def colour(index: int) -> tuple[int, int, int]:
    return 20 + 12 * (index % 20), 20 + 20 * (index // 20), 250 - 12 * (index % 20)


def targets(seed: int, top: int) -> str:
    """One square of its own colour in each cell of a 20 x 10 grid over 1000 x 700 px."""
    random.seed(seed)
    boxes = []
    for index in range(COUNT):
        x = 50 * (index % 20) + random.uniform(0, 50 - SIZE_PX)
        y = 70 * (index // 20) + random.uniform(0, 70 - SIZE_PX) + top
        style = (
            f"left:{x:.2f}px;top:{y:.2f}px;width:{SIZE_PX}px;height:{SIZE_PX}px;background:rgb{colour(index)}"
        )
        boxes.append(f"<div class=at style='{style}' onmousedown='hits.push({index})'></div>")
    return f"<script>hits = []</script><div style='height:5000px'></div>{''.join(boxes)}"


def find(seen: Observation) -> dict[int, tuple[int, int]]:
    """Relative centre of every target that is entirely visible."""
    height, width = seen.image.height, seen.image.width
    codes = np.asarray(seen.image).astype(np.int32) @ (65536, 256, 1)
    wanted = [np.dot(colour(index), (65536, 256, 1)) for index in range(COUNT)]
    rows, columns = np.nonzero(np.isin(codes, wanted))
    values = codes[rows, columns]
    found = {}
    for index, code in enumerate(wanted):
        ys, xs = rows[values == code], columns[values == code]
        if len(ys) and ys.min() > 0 and ys.max() < height - 1 and xs.min() > 0 and xs.max() < width - 1:
            centre = (xs.min() + xs.max() + 1) / 2, (ys.min() + ys.max() + 1) / 2
            found[index] = seen.geometry.image_to_relative(centre)
    return found


@pytest.mark.parametrize("ratio", [1.0, 1.25, 1.5, 2.0, 3.0])
async def test_every_target_is_hit(shared: Browser, site: Site, ratio: float) -> None:
    page = site.page("/calibration", targets(seed=round(ratio * 100), top=0))
    scrolled = site.page("/scrolled", targets(seed=7, top=1234))
    async with Browser(page, viewport=(1000, 700), share=shared, device_scale_factor=ratio) as browser:
        assert await hit_all(browser) >= 180
        for zoom, offset in [("1.25", 1400), ("0.8", 950), ("1", 1234)]:
            await browser.page.goto(scrolled)
            await browser.evaluate(f"document.body.style.zoom = '{zoom}'; scrollTo(0, {offset})")
            assert await hit_all(browser) >= 90


async def hit_all(browser: Browser) -> int:
    """Click each visible target; how many there were."""
    seen = await browser.observe()
    found = find(seen)
    for point in found.values():
        action = parse_action("left_click", {"coordinate": point})
        assert await perform(browser._running(), seen.geometry, action) is None
    assert await browser.evaluate("hits.splice(0)") == list(found)
    return len(found)


async def test_the_corners_are_inside(shared: Browser, site: Site) -> None:
    page = site.page(
        "/corners", "<script>onmousedown = (e) => hits.push([e.clientX, e.clientY]); hits = []</script>"
    )
    await shared.execute(parse_action("goto", {"url": page}))
    for point in [[0, 0], [1000, 0], [0, 1000], [1000, 1000]]:
        await shared.execute(parse_action("left_click", {"coordinate": point}))
    assert await shared.evaluate("hits") == [[0, 0], [999, 0], [0, 699], [999, 699]]
