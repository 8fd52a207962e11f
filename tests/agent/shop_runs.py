"""Ten tasks in the example shop, as scripts of selectors, and the judges of the shop's own state."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from saccade.agent import Preferences, Reply, ScriptedModel
from saccade.tools import Browser

State = dict[str, Any]
VIEWPORT = (1000, 700)
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
        box = await self.browser.page.locator(selector).bounding_box()
        assert box, selector
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        assert 0 <= y <= VIEWPORT[1], f"{selector} is out of view at {y:.0f}"
        return [round(1000 * x / VIEWPORT[0]), round(1000 * y / VIEWPORT[1])]
