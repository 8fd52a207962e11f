"""The web UI over the example shop: how old a frame is when it is drawn, and pictures of every state.

    python -m bench webui                       # latency alone
    python -m bench webui --pictures docs/img   # and every state, at 1280 and 390 px, light and dark

A frame's age is the wall clock when Chromium has decoded it and draws, less the wall clock when the agent
took it up from the browser: one machine, one clock. The model is a script that takes a second to think.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.async_api import Browser, Page, async_playwright, expect
from saccade.agent import Agent, Preferences, Reply, ScriptedModel, Usage
from saccade.tools import Browser as AgentBrowser
from saccade.tools.chromium import find_chromium, launch_flags
from saccade.ui.app import create_app, launch_options
from saccade.ui.desk import Defaults, Desk
from saccade.ui.registry import Registry
from saccade.ui.shop import open_shop
from saccade.ui.wiring import load_model

SIZES = {"1280": (1280, 900), "390": (390, 844)}
THEMES = ("light", "dark")
TASK = "Put a lamp for my desk into the cart, and ask the shop when it would arrive"
# A risky action of a routine step is thought over once more: its line is played twice.
SCRIPT = [
    {
        "thought": "The shop has a search field at the top. I look for lamps.",
        "action": "type",
        "text": "lamp",
        "coordinate": [678, 44],
    },
    {"thought": "The word is in; now the button beside it.", "action": "left_click", "coordinate": [821, 44]},
    *[
        {
            "thought": "Four lamps. The brass one is made for a desk: into the cart with it.",
            "action": "left_click",
            "coordinate": [844, 581],
        }
    ]
    * 2,  # a person acts in between the first time
    {
        "thought": "The shop wants an address to reply to, which I do not know.",
        "action": "ask_user",
        "text": "Which email address may I give to the shop?",
    },
    {"thought": "There is a page for questions.", "action": "left_click", "coordinate": [317, 44]},
    {
        "thought": "The address first.",
        "action": "type",
        "text": "ada@example.com",
        "coordinate": [369, 267],
    },
    *[{"thought": "All is filled in: send it.", "action": "left_click", "coordinate": [108, 475]}] * 2,
    {
        "thought": "The user would rather not ask, so the cart is all there is to do.",
        "action": "answer",
        "text": "The Brass Desk Lamp is in the cart; the shop was not asked.",
    },
]
WORDS = Reply(
    "A picture of a shop: a header with a search field, a large drawing, six categories.",
    "This is the start page of Nook, a shop for small homes. Its search field is at the top; below it are "
    "six categories: lighting, kitchen, textiles, furniture, desk and plants.",
)
THINK_S = 1.0
TIMEOUT_MS = 90_000


class Slow(ScriptedModel):
    """A script that takes its time."""

    name = "scripted"

    async def reply(self, messages: list[dict], tools: list[dict], thinking: str = "auto") -> Any:
        await asyncio.sleep(THINK_S)
        return await super().reply(messages, tools, thinking)


def load(spec: str) -> Any:
    if spec == "words":
        return ScriptedModel([WORDS])
    if spec != "script":
        return load_model(spec)
    return Slow(SCRIPT, Preferences((1280, 800)), Usage(2310, 1890, 24, 41))


class Visit:
    """One browser window that goes through the states."""

    def __init__(self, page: Page, name: str, folder: Path | None):
        self.page = page
        self.name = name
        self.folder = folder
        self.ages_ms: list[int] = []

    async def shoot(self, state: str, whole: bool = False) -> None:
        if self.folder is None:
            return
        await self.page.wait_for_timeout(350)
        data = await self.page.screenshot(full_page=whole, animations="disabled")
        path = self.folder / f"ui-{state}-{self.name}.webp"
        await asyncio.to_thread(lambda: Image.open(BytesIO(data)).save(path, quality=82, method=6))

    async def chip(self, text: str) -> None:
        await expect(self.page.locator("#live .chip")).to_have_text(text)

    async def steps(self, count: int) -> None:
        await expect(self.page.locator("#steps li")).to_have_count(count)

    async def press(self, selector: str) -> None:
        await self.page.locator(selector).click()

    async def fill(self, selector: str, text: str) -> None:
        await self.page.locator(f"{selector} textarea, {selector} input").first.fill(text)

    async def tab(self, name: str) -> None:
        await self.page.get_by_role("tab", name=name).click()
        await self.page.evaluate("scrollTo(0, 0)")

    async def to_the_page(self) -> None:
        """As one scrolls on a phone."""
        if self.name.startswith("390"):
            await self.page.evaluate("document.querySelector('#live').scrollIntoView()")


async def watch_ages(page: Page) -> None:
    await page.evaluate("""() => {
      window.ages = [];
      new MutationObserver((all) => all.forEach((it) => window.ages.push(Number(it.target.dataset.latency))))
        .observe(document.querySelector('#live'), {subtree: true, attributes: true,
          attributeFilter: ['data-latency']});
    }""")


async def run_states(visit: Visit) -> None:
    page = visit.page
    await visit.shoot("start")
    await page.get_by_role("button", name="Model and limits").click()
    await page.locator("#kind").get_by_label("Folder").check()
    await visit.fill("#model", "script")
    await visit.shoot("settings", whole=True)
    await page.get_by_role("button", name="Model and limits").click()
    await visit.fill("#task", TASK)
    await watch_ages(page)
    await visit.press("#run")
    await visit.steps(2)
    await visit.to_the_page()
    await visit.chip("Thinking")
    await visit.shoot("running")
    await visit.press("#pause")
    await visit.chip("Paused")
    await visit.shoot("paused")
    await visit.press("#take")
    await visit.chip("In your hands")
    await hands(visit)
    await visit.fill("#word", "I had a look around, go on")
    await visit.shoot("hands", whole=visit.name.startswith("390"))
    await visit.press("#resume")
    await expect(page.locator("#notice")).to_contain_text("The agent asks")
    await visit.to_the_page()
    await visit.fill("#answer", "ada@example.com")
    await visit.shoot("question")
    await visit.press("#send")
    await expect(page.locator("#notice")).to_contain_text("May it do this?")
    await visit.to_the_page()
    await visit.shoot("approval")
    await visit.fill("#why", "Not today")
    await visit.press("#refuse")
    await expect(page.locator("#verdict")).to_be_visible()
    await visit.to_the_page()
    await visit.shoot("done", whole=visit.name.startswith("390"))
    visit.ages_ms = await page.evaluate("window.ages.filter(Number.isFinite)")


async def hands(visit: Visit) -> None:
    """A person scrolls, clicks into the field and types."""
    image = visit.page.locator("#live img[data-hands]")
    await expect(image).to_be_visible()
    box = await image.bounding_box()
    assert box is not None
    for word in ("d", "e", "s", "k"):
        if word == "d":
            await visit.page.mouse.click(box["x"] + 0.678 * box["width"], box["y"] + 0.044 * box["height"])
        await visit.page.keyboard.type(word)
        await visit.page.wait_for_timeout(900)


async def other_states(visit: Visit, picture: Path) -> None:
    page = visit.page
    await page.evaluate("scrollTo(0, 0)")
    await visit.press("#replay")
    await expect(page.locator("#frame h4")).to_be_visible()
    await page.evaluate("scrollTo(0, 0)")
    await visit.press("#later")
    await visit.press("#later")
    await expect(page.locator("#frame h4")).to_contain_text("3")
    await visit.shoot("history", whole=True)
    await visit.press("#other input")
    await page.get_by_role("option").first.click()
    await expect(page.locator("#other-frame h4")).to_be_visible()
    await visit.shoot("compare", whole=True)
    await visit.press("#export")
    await expect(page.locator("#file a[download]")).to_be_visible()
    await visit.shoot("export", whole=True)
    await visit.tab("Run")
    await page.get_by_role("button", name="Model and limits").click()
    await page.locator("#kind").get_by_label("Built-in").check()
    await visit.tab("Look")
    await page.locator("#media input[type=file]").set_input_files(picture)
    await expect(page.locator("#sight img")).to_be_visible()
    await visit.fill("#question", "Click the Search button")
    await visit.press("#ask-look")
    await expect(page.locator("#experts img")).to_be_visible(timeout=90_000)
    await visit.shoot("look", whole=True)
    await page.locator("#layer label").nth(1).click()
    await page.wait_for_timeout(1500)
    await visit.shoot("tokens", whole=True)
    await visit.tab("Run")
    await page.locator("#kind").get_by_label("Folder").check()
    await visit.fill("#model", "words")
    await visit.tab("Chat")
    await page.locator("#message input[type=file]").first.set_input_files(picture)
    await expect(page.locator("#message img")).to_be_visible()
    await page.locator("#message textarea").fill("What do you see?")
    await page.keyboard.press("Enter")
    await expect(page.locator("#chat")).to_contain_text("This is the start page of Nook")
    await visit.shoot("chat")


async def trouble(visit: Visit) -> None:
    await visit.fill("#task", "Open the shop")
    await visit.fill("#url", "http://127.0.0.1:9/")
    await visit.press("#run")
    await expect(visit.page.locator("#verdict [role=alert]")).to_be_visible()
    await visit.to_the_page()
    await visit.shoot("trouble")


async def play(
    browser: Browser, address: str, size: str, theme: Any, folder: Path | None, shop: Path
) -> list[int]:
    width, height = SIZES[size]
    context = await browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=theme, has_touch=size == "390"
    )
    page = await context.new_page()
    await page.goto(address)
    await expect(page.locator("#pause")).to_be_visible()
    await expect(page.locator("#live .window")).to_be_visible()
    visit = Visit(page, f"{size}-{theme}", folder)
    await run_states(visit)
    if folder is not None:
        await other_states(visit, shop)
        await page.reload()
        await expect(page.locator("#live .window")).to_be_visible()
        await trouble(visit)
    await context.close()
    return visit.ages_ms


async def record(url: str, runs: Path) -> None:
    """A run of the command line, to compare with."""
    lines = [SCRIPT[0], SCRIPT[1], {"thought": "There are four.", "action": "answer", "text": "Four lamps"}]
    model = ScriptedModel(lines, Preferences((1280, 800)), Usage(2310, 1890, 24, 41))
    await Agent("How many lamps are there?", model, AgentBrowser(url), out=runs / "lamps").run()


async def measure(address: str, url: str, folder: Path | None) -> dict[str, list[int]]:
    expect.set_options(timeout=TIMEOUT_MS)
    async with async_playwright() as playwright:
        own = playwright.chromium.executable_path
        browser = await playwright.chromium.launch(
            executable_path=find_chromium(None, own), args=launch_flags()
        )
        shop = Path(tempfile.mkdtemp()) / "shop.png"
        page = await browser.new_page(viewport={"width": 1280, "height": 800})
        await page.goto(url)
        await page.screenshot(path=shop)
        await page.close()
        chosen = [(size, theme) for size in SIZES for theme in (THEMES if folder else THEMES[:1])]
        ages = {
            f"{size} {theme}": await play(browser, address, size, theme, folder, shop)
            for size, theme in chosen
        }
        await browser.close()
    return ages


def report(ages: dict[str, list[int]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, values in ages.items():
        values = sorted(values)
        p90 = values[min(len(values) - 1, int(0.9 * len(values)))]
        found[name] = {
            "frames": len(values),
            "p50_ms": statistics.median(values),
            "p90_ms": p90,
            "most_ms": values[-1],
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--pictures", type=Path, help="write a picture of every state into this folder")
    arguments = parser.parse_args()
    with open_shop() as shop, tempfile.TemporaryDirectory() as runs:
        desk = Desk(Defaults(url=shop.url, runs=Path(runs)), Registry(load))
        app = create_app(desk=desk)
        app.launch(**launch_options())
        try:
            asyncio.run(record(shop.url, Path(runs)))
            ages = asyncio.run(measure(str(app.local_url), shop.url, arguments.pictures))
        finally:
            desk.registry.close()
            app.close(verbose=False)
    print(json.dumps(report(ages), indent=2))


if __name__ == "__main__":
    main()
