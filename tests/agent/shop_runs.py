"""Ten tasks in the example shop, as scripts of selectors, and the judges of the shop's own state."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Error as PageError
from saccade.agent import Agent, Preferences, Reply, Run, ScriptedModel
from saccade.tools import Browser
from shop.server import Shop

State = dict[str, Any]
VIEWPORT = (1000, 700)
AT_ONCE = 2  # a visitor mostly waits for pages
DONE = {"action": "terminate", "status": "success"}
SEARCH = "input[name=q]"


def click(at: str) -> dict:
    return {"action": "left_click", "at": at}


def write(at: str, text: str) -> dict:
    return {"action": "type", "at": at, "text": text}


def press(*keys: str) -> dict:
    return {"action": "key", "keys": list(keys)}


@dataclass(frozen=True)
class ShopTask:
    name: str
    text: str
    script: list[dict]
    judge: Callable[[State], bool]


CUSTOMER = {"name": "Ada Green", "email": "ada@example.com", "address": "12 Hill Road", "city": "Leeds"}
FILL = [write(f"#{field}", value) for field, value in CUSTOMER.items()]
FIRST = ".card .button >> nth=0"

TASKS = [
    ShopTask(
        "help", "Open the Help page", [click("nav >> text=Help")], lambda it: it["pages"][-1] == "/help"
    ),
    ShopTask(
        "search",
        "Search for 'lamp' and add the first result to the cart",
        [write(SEARCH, "lamp"), press("Enter"), click(FIRST)],
        lambda it: it["cart"] == {"mushroom-lamp": 1},
    ),
    ShopTask(
        "third",
        "Add the third lamp of the category",
        [click(".tiles >> text=Lighting"), click(".card .button >> nth=2")],
        lambda it: it["cart"] == {"paper-lamp": 1},
    ),
    ShopTask(
        "quantity",
        "Add three wall clocks",
        [
            click(".tiles >> text=Desk"),
            click(".name >> text=Quiet Wall Clock"),
            write("input[name=quantity]", "3"),
            click(".product .button"),
        ],
        lambda it: it["cart"] == {"wall-clock": 3},
    ),
    ShopTask(
        "message",
        "Write to the shop",
        [
            click("nav >> text=Contact"),
            write("#email", "ada@example.com"),
            write("#message", "Do you repair lamps?\nThank you"),
            click("text=Send message"),
        ],
        lambda it: len(it["messages"]) == 1 and "repair" in it["messages"][0]["message"],
    ),
    ShopTask(
        "stepper",
        "Take two mugs and then one",
        [
            write(SEARCH, "mug"),
            click(".search button"),
            click(FIRST),
            click(".cart-link"),
            click(".stepper button >> nth=1"),
            click(".stepper button >> nth=1"),
            click(".stepper button >> nth=0"),
        ],
        lambda it: it["cart"] == {"stoneware-mug": 2},
    ),
    ShopTask(
        "remove",
        "Take a lamp and a mug, then put the lamp back",
        [
            write(SEARCH, "table lamp"),
            press("Enter"),
            click(FIRST),
            write(SEARCH, "mug"),
            press("Enter"),
            click(FIRST),
            click(".cart-link"),
            click("button.link >> nth=0"),
        ],
        lambda it: it["cart"] == {"stoneware-mug": 1},
    ),
    ShopTask(
        "order",
        "Order a kettle by express",
        [
            write(SEARCH, "kettle"),
            press("Enter"),
            click(FIRST),
            click(".cart-link"),
            click(".panel >> text=Checkout"),
            *FILL,
            click("text=Express"),
            click("text=Continue >> nth=0"),
            click("text=Invoice"),
            click("text=Place order"),
        ],
        lambda it: (
            [(o["items"], o["shipping"], o["payment"], o["city"]) for o in it["orders"]]
            == [({"enamel-kettle": 1}, "express", "invoice", "Leeds")]
        ),
    ),
    ShopTask(
        "footer",
        "Open the page about returns from the footer",
        [{"action": "scroll", "pixels": -2000, "coordinate": [500, 500]}, click("footer >> text=Returns")],
        lambda it: it["pages"][-1] == "/help",
    ),
    ShopTask(
        "company",
        "From a lamp's page, take what goes well with it, and see the cart",
        [
            write(SEARCH, "arc lamp"),
            press("Enter"),
            click(".name >> text=Arc Floor Lamp"),
            {"action": "scroll", "pixels": -600, "coordinate": [500, 500]},
            click("section .card .button >> nth=1"),
            click(".toast a"),
        ],
        lambda it: len(it["cart"]) == 1 and it["pages"][-1] == "/cart",
    ),
]


class PointingModel:
    """A script whose `at` is a selector, looked up in the page; it must be in view."""

    name = "pointing"
    preferences = Preferences(viewport=VIEWPORT, memory="snapshot")

    def __init__(self, script: list[dict], browser: Browser):
        self.browser = browser
        self.lines = iter([*script, DONE])

    async def reply(self, messages: list[dict], tools: list[dict], thinking: str = "auto") -> Reply:
        return await ScriptedModel([await self.pointed(dict(next(self.lines)))]).reply(messages, tools)

    async def pointed(self, line: dict[str, Any]) -> dict[str, Any]:
        selector = line.pop("at", None)
        return {**line, "coordinate": await self.center_of(selector)} if selector else line

    async def center_of(self, selector: str) -> list[int]:
        box = await self.browser.page.locator(selector).bounding_box(timeout=15_000)
        assert box, selector
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        assert 0 <= y <= VIEWPORT[1], f"{selector} is out of view at {y:.0f}"
        return [round(1000 * x / VIEWPORT[0]), round(1000 * y / VIEWPORT[1])]


class ErringModel(PointingModel):
    """Knows the way, and errs in a fifth of its steps: a near miss, a repetition, text without a call.

    `way` is the address before each line. Off the way it goes back; a line that should have led elsewhere and
    did not is tried again, with the text before it. What may not be done twice (adding, counting) it does not
    repeat: no agent could take that back for it.
    """

    def __init__(self, script: list[dict], browser: Browser, way: list[str], seed: int, rate: float = 0.2):
        super().__init__(script, browser)
        self.script = [*script, DONE]
        self.way = [path(url) for url in way]
        self.random = Random(seed)
        self.rate = rate
        self.errors = self.at = 0
        self.last: dict[str, Any] | None = None

    async def reply(self, messages: list[dict], tools: list[dict], thinking: str = "auto") -> Reply:
        line = await self.next_line()
        if isinstance(line, dict):
            try:
                line = await self.pointed(dict(line))
            except (AssertionError, PageError):  # not there: a toast that has gone
                self.at = max(self.at - 2, 0)
                line = "I do not see it."
        return await ScriptedModel([line]).reply(messages, tools)

    async def next_line(self) -> Any:
        if self.random.random() < self.rate:
            self.errors += 1
            return await self.error()
        here = path(self.browser.address)
        if self.at and here == self.way[self.at - 1] != self.way[self.at]:
            self.at -= 2 if self.script[self.at - 1]["action"] == "key" else 1
        elif here != self.way[self.at]:
            return {"action": "back"}
        self.at += 1
        self.last = self.script[self.at - 1]
        return self.last

    async def error(self) -> Any:
        kind = self.random.choice(("miss", "repeat", "garbage"))
        line = self.script[self.at]
        if kind == "miss" and "at" in line and await self.browser.page.locator(line["at"]).count() == 1:
            x, y = await self.center_of(line["at"])
            return {"action": "left_click", "coordinate": [max(x - 60, 0), max(y - 60, 0)]}
        if (
            kind == "repeat"
            and self.last
            and not any(word in str(self.last) for word in ("button", ".tiles"))
        ):
            where = self.last.get("at")
            if where is None or await self.browser.page.locator(where).count() == 1:
                return self.last
        return "I will now press the button."


def path(url: str) -> str:
    """Without the host and without the number of an order, which counts up."""
    parts = urlsplit(url)
    return re.sub(r"\d+$", "", f"{parts.path}?{parts.query}".rstrip("?"))


async def anew(browser: Browser, shop: Shop) -> None:
    """A new visitor at the shop's door."""
    await browser.page.context.clear_cookies()
    await browser.page.goto(shop.url)


@asynccontextmanager
async def visit(chromium: Browser, turn: asyncio.Semaphore) -> AsyncIterator[tuple[Shop, Browser]]:
    """A shop of one's own and a browser at its door, when it is one's turn."""
    async with turn:
        with Shop() as shop:
            async with Browser(shop.url, viewport=VIEWPORT, share=chromium) as browser:
                yield shop, browser


async def record_all(folder: Path) -> dict[str, Run]:
    async def record(task: ShopTask) -> Run:
        async with visit(chromium, turn) as (shop, browser):
            model = PointingModel(task.script, browser)
            run = await Agent(task.text, model, browser, out=folder / task.name).run()
            assert run.success, (task.name, run.reason, run.errors)
            assert task.judge(shop.state()), (task.name, shop.state())
            return run

    async with Browser() as chromium:
        turn = asyncio.Semaphore(AT_ONCE)
        runs = await asyncio.gather(*map(record, TASKS))
    return {task.name: run for task, run in zip(TASKS, runs, strict=True)}
