"""The example shop and the demo's judges: a scripted agent with real clicks succeeds, an idle one does not.

The scripted agent looks up where to click in the page that it drives, at the built-in model's viewport: so
these tests also hold the shop to its promise that every task can be done there without scrolling.
"""

import io
import json
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import demo
import pytest
import pytest_asyncio
from rich.console import Console
from saccade import Browser
from saccade.agent import Preferences, Reply, ScriptedModel
from shop import pages
from shop.server import Shop

LOOPS = pytest.mark.asyncio(loop_scope="module")
VIEWPORT = (480, 360)
SEARCH = {"action": "type", "at": "input[name=q]"}
BUY = [
    {"action": "left_click", "at": ".card .button >> nth=0"},
    {"action": "left_click", "at": ".cart-link"},
    {"action": "left_click", "at": "text=Checkout"},
    *({"action": "type", "at": f"#{name}", "text": value} for name, value in demo.CUSTOMER.items()),
    {"action": "left_click", "at": "text=Continue"},
    {"action": "left_click", "at": "text=Place order"},
]
SCRIPTS = {
    "help": [{"action": "left_click", "at": "nav >> text=Help"}],
    "search": [{**SEARCH, "text": "lamp"}, {"action": "key", "keys": ["Enter"]}],
    "cart": BUY[:2],
    "first": [
        {**SEARCH, "text": "lamp"},
        {"action": "key", "keys": ["Enter"]},
        {"action": "left_click", "at": ".card .button >> nth=0"},
    ],
    "order": [{**SEARCH, "text": "kettle"}, {"action": "left_click", "at": ".search button"}, *BUY],
}
DONE = {"action": "terminate", "status": "success"}
TASKS = {task.name: task for task in demo.TASKS + demo.LONGER}


class PointingModel:
    """A script whose `at` is a selector: looked up in the page, and required to be in view."""

    name = "pointing"
    preferences = Preferences(viewport=VIEWPORT, memory="snapshot")

    def __init__(self, script: list[dict], browser: Browser):
        self.browser = browser
        self.lines = iter([*script, DONE])

    async def reply(self, messages: list[dict], tools: list[dict], thinking: str = "auto") -> Reply:
        line: dict[str, Any] = dict(next(self.lines))
        if selector := line.pop("at", None):
            line["coordinate"] = await self.center_of(selector)
        return await ScriptedModel([line]).reply(messages, tools, thinking)

    async def center_of(self, selector: str) -> list[int]:
        box = await self.browser.page.locator(selector).bounding_box()
        assert box, selector
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        assert y + box["height"] / 2 <= VIEWPORT[1], f"{selector} is below the fold"
        return [round(1000 * x / VIEWPORT[0]), round(1000 * y / VIEWPORT[1])]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """One Chromium, in which each player has a browser of its own."""
    async with Browser() as browser:
        yield browser


async def play(chromium: Browser, name: str, script: list[dict], folder: Path) -> demo.Result:
    with Shop() as shop:
        browser = Browser(shop.url, share=chromium)
        model = PointingModel(script, browser)
        return await demo.play(TASKS[name], model, folder, quiet(), shop, browser)


def quiet() -> Console:
    return Console(file=io.StringIO(), width=120)


@LOOPS
@pytest.mark.parametrize("name", SCRIPTS)
async def test_task_is_judged_success(name, chromium, tmp_path):
    result = await play(chromium, name, SCRIPTS[name], tmp_path / name)
    assert result.success, [step.outcome() for step in result.run.steps]
    assert result.run.status == "success"
    assert result.gif.stat().st_size > 1000


@LOOPS
@pytest.mark.parametrize("name", SCRIPTS)
async def test_idle_agent_is_judged_failure(name, chromium, tmp_path):
    """It says that it succeeded, and did nothing."""
    result = await play(chromium, name, [], tmp_path / name)
    assert result.run.status == "success"
    assert not result.success


@LOOPS
async def test_clumsy_agent_is_judged_failure(chromium, tmp_path):
    """One click too many puts two lamps into the cart."""
    result = await play(chromium, "first", [*SCRIPTS["first"], SCRIPTS["first"][-1]], tmp_path / "first")
    assert not result.success


@LOOPS
@pytest.mark.parametrize(("successes", "code"), [(3, 0), (2, 1)])
async def test_exit_code_needs_all_three(successes, code, chromium, tmp_path):
    result = await play(chromium, "help", SCRIPTS["help"], tmp_path / "help")
    results = [demo.Result(task, result.run, i < successes, result.gif) for i, task in enumerate(demo.TASKS)]
    console = quiet()
    assert demo.report(results, console) == code
    assert f"{successes} of 3" in console.file.getvalue()  # type: ignore[attr-defined]


class Visitor:
    """A visitor without a browser: cookies, forms, nothing else."""

    def __init__(self, shop: Shop):
        self.shop = shop
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())

    def get(self, path: str) -> str:
        return self.opener.open(self.shop.url + path, timeout=60).read().decode()

    def post(self, path: str, form: str) -> str:
        return self.opener.open(self.shop.url + path, form.encode(), timeout=60).read().decode()


@pytest.fixture
def shop():
    with Shop() as shop:
        yield shop


def test_visitors_have_their_own_state(shop):
    first, second = Visitor(shop), Visitor(shop)
    first.post("cart/add", "id=arc-lamp&quantity=2")
    second.get("search?q=mug")
    assert json.loads(first.get("api/state"))["cart"] == {"arc-lamp": 2}
    assert json.loads(second.get("api/state"))["searches"] == ["mug"]
    assert shop.state()["searches"] == ["mug"]


def test_every_page_opens_and_every_product_is_drawn(shop):
    visitor = Visitor(shop)
    drawn = visitor.get("static/pictures.svg")
    for slug in pages.PRODUCTS:
        assert f'id="{slug}"' in drawn
        assert "Add to cart" in visitor.get(f"product/{slug}")
    for path in ("", "cart", "help", "about", "contact", *(f"category/{slug}" for slug in pages.CATEGORIES)):
        assert "<h1>" in visitor.get(path)


def test_checkout_asks_for_what_is_missing(shop):
    visitor = Visitor(shop)
    visitor.post("cart/add", "id=arc-lamp")
    assert "Enter your email" in visitor.post("checkout", "name=Ada&address=x&city=y")
    assert "Enter an email with an @" in visitor.post("checkout", "name=Ada&email=ada&address=x&city=y")
    assert shop.state()["delivery"] == {}


def test_search_puts_names_first(shop):
    assert pages.find("lamp") == ["mushroom-lamp", "arc-lamp", "paper-lamp", "brass-lamp"]
    assert pages.find("Mugs") == ["stoneware-mug"]
    assert pages.find("nothing such") == []


def test_input_is_escaped(shop):
    assert "<script>x" not in Visitor(shop).get("search?q=%3Cscript%3Ex")
