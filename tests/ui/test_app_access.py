"""The web UI without a mouse, without eyes, on a phone: names, keys, contrast, no overflow."""

import re

import pytest
from playwright.async_api import Browser, Page, expect

from .conftest import DONE, PRESS, WAIT, order, settings, visit

LOOPS = pytest.mark.asyncio(loop_scope="module")
TABS = ("Run", "History", "Look", "Chat")

# WCAG contrast of every visible text with the colour behind it; disabled controls are exempt.
FAINT = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const over = ([r, g, b, a = 1], under) => [r, g, b].map((value, i) => a * value + (1 - a) * under[i]);
  const behind = (element) => {
    const layers = [];
    for (let it = element; it; it = it.parentElement) {
      const style = getComputedStyle(it), colour = parse(style.backgroundColor);
      if (style.backgroundImage !== 'none' && it !== document.body) return null;
      if ((colour[3] ?? 1) > 0) layers.push(colour);
      if ((colour[3] ?? 1) === 1) break;
    }
    return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255]);
  };
  const light = (rgb) => rgb.map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode.textContent.trim(), element = walk.currentNode.parentElement;
    if (!text || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    if (element.closest(':disabled, script, style, [aria-hidden=true]')) continue;
    const box = element.getBoundingClientRect(), back = behind(element);
    if (!box.width || !box.height || !back) continue;
    const ink = over(parse(getComputedStyle(element).color), back);
    const [low, high] = [light(ink), light(back)].sort((a, b) => a - b), ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) found.push(`${text.slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return [...new Set(found)];
}"""


@LOOPS
async def test_a_run_without_a_mouse(page: Page, script):
    await settings(page, script(PRESS, {**WAIT, "time": 1}, DONE))
    await page.locator("#task textarea").focus()
    await page.keyboard.type("By keys alone")
    await page.keyboard.press("Shift+Enter")
    await expect(page.locator("#pause")).to_be_enabled()
    await reach(page, "take")
    await page.keyboard.press("Enter")
    await expect(page.locator("#live .chip")).to_have_text("In your hands")
    await expect(page.get_by_role("application")).to_be_focused()
    before = await page.locator("#live img").get_attribute("src") or ""
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.type("Ada")
    await expect(page.locator("#live img")).not_to_have_attribute("src", before)
    await page.keyboard.press("Shift+Escape")
    await expect(page.get_by_role("application")).not_to_be_focused()
    await reach(page, "resume")
    await page.keyboard.press("Enter")
    await expect(page.locator("#verdict h3")).to_have_text("Done")


async def reach(page: Page, id: str) -> None:
    """With the Tab key, as long as it is not a trap."""
    for _ in range(40):
        if await page.evaluate("document.activeElement.closest('[id]')?.id") == id:
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"no way to #{id} with the Tab key")


@LOOPS
@pytest.mark.parametrize("tab", TABS)
async def test_every_control_has_a_name(page: Page, tab: str):
    await page.get_by_role("tab", name=tab).click()
    if tab == "Run":
        await settings(page)
    snapshot = await page.locator("body").aria_snapshot()
    nameless = re.findall(r"- (?:button|textbox|slider|radio|combobox|spinbutton|tab)(?=[:\n]| \[)", snapshot)
    assert not nameless, snapshot


@LOOPS
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_text_is_readable_and_fits_a_phone(chromium: Browser, address: str, script, scheme):
    context = await chromium.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page = await context.new_page()
    await visit(page, address)
    await order(page, "Press it", script(PRESS, DONE))
    await expect(page.locator("#verdict h3")).to_have_text("Done")
    for tab in TABS:
        await page.get_by_role("tab", name=tab).click()
        await page.wait_for_timeout(400)
        assert await page.evaluate("document.documentElement.scrollWidth") == 390, tab
        assert await page.evaluate(FAINT) == [], tab
    await context.close()
