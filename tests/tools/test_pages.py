"""Pages with one difficulty each (`tests/pages/`), played by a scripted model through the whole agent.

A page holds its own script: the task, the steps and the condition that its final state must meet. A step's
`at` is a selector (through frames and shadow roots with ` >> `), or [selector, x, y] from its corner.
It is looked up when the step is due, as a model finds its target on the screenshot of that moment.
"""

import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from saccade.agent import Agent
from saccade.agent.protocol import Preferences, Reply, ToolCall
from saccade.tools import Browser
from saccade.tools.actions import FUNCTION_NAME, AcceptDialog, CloseTab, Goto

from .conftest import Site
from .test_native import PDF, spot

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGES = Path(__file__).parents[1] / "pages"
LONG = "letter " * 856 + "the  end"
VIEWPORT = (1000, 700)

# The centre of an element, or a point counted from its corner, in CSS px of the viewport.
FIND = """([path, x, y]) => {
  const parts = path.split(" >> ");
  let root = document, left = 0, top = 0;
  for (const part of parts.slice(0, -1)) {
    const host = root.querySelector(part);
    root = host.contentDocument ?? host.shadowRoot;
    if (!host.contentDocument) continue;
    const box = host.getBoundingClientRect();
    left += box.x + host.clientLeft;
    top += box.y + host.clientTop;
  }
  const box = root.querySelector(parts.at(-1))?.getBoundingClientRect();
  return box?.width ? [left + box.x + (x ?? box.width / 2), top + box.y + (y ?? box.height / 2)] : null;
}"""


@dataclass(frozen=True)
class Page:
    """One file of `tests/pages/`, read."""

    name: str
    text: str
    task: str
    steps: list[dict]
    until: str
    browser: dict[str, Any]
    downloads: list[str]
    told: str

    @classmethod
    def read(cls, file: Path) -> "Page":
        text = file.read_text("utf-8")
        found = re.search(r'<script type="application/json">\n(.*?)\n</script>', text, re.DOTALL)
        assert found, f"{file.name} holds no script"
        play = json.loads(found[1])
        rest = {"browser": {}, "downloads": [], "told": ""} | play
        return cls(file.stem, text, **rest)


class Player:
    """Plays the steps of one page; each target is looked up when its step is due."""

    name = "player"
    preferences = Preferences()

    def __init__(self, page: Page, browser: Browser) -> None:
        self._steps = iter(page.steps)
        self._browser = browser

    async def reply(self, messages: list[dict], tools: list[dict], thinking: str = "auto") -> Reply:
        step: dict[str, Any] = dict(next(self._steps, {"action": "terminate", "status": "failure"}))
        for name, place in (("coordinate", "at"), ("start_coordinate", "from")):
            if place in step:
                step[name] = await self._find(step.pop(place))
        if "part" in step:
            step["coordinate"] = spot(self._browser, step.pop("part"))
        if step.get("text") == "LONG":
            step["text"] = LONG
        return Reply(calls=[ToolCall(FUNCTION_NAME, step)])

    async def _find(self, place: str | list) -> list[int]:
        path, x, y = place if isinstance(place, list) else (place, None, None)
        point = await self._browser.evaluate(FIND, [path, x, y])
        seen = self._browser._seen
        assert point is not None, f"{place} is not there"
        assert seen is not None
        assert all(0 <= it <= side for it, side in zip(point, VIEWPORT, strict=True)), (
            f"{place} is off screen"
        )
        return list(seen.geometry.css_to_relative(point))


def load() -> list[Page]:
    return [Page.read(file) for file in sorted(PAGES.glob("*.html"))]


@pytest.fixture(scope="module")
def other() -> Iterator[Site]:
    """The site that one page has a frame of."""
    site = Site()
    pay = "<button style='width:100px;height:60px' onclick=\"parent.postMessage('paid', '*')\">Pay</button>"
    site.page("/pages/inner-pay", pay)
    yield site
    site.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(shared: Browser, site: Site, other: Site, tmp_path_factory) -> AsyncIterator[Browser]:
    """The browser of all pages that want no special one."""
    letter = tmp_path_factory.mktemp("uploads") / "letter.txt"
    letter.write_text("dear reader")
    hosts = [f"127.0.0.1:{site.port}", f"localhost:{other.port}"]
    async with Browser(viewport=VIEWPORT, share=shared, allow_hosts=hosts, uploads=[letter]) as browser:
        yield browser


@pytest.mark.parametrize("page", load(), ids=lambda page: page.name)
async def test_page(desk: Browser, site: Site, other: Site, tmp_path: Path, page: Page) -> None:
    serve(site, other, page)
    url = f"{site.url}/pages/{page.name}"
    if not page.browser:
        assert (await desk.execute(Goto(url=url))).error is None
        try:
            await play(page, desk, tmp_path)
        finally:
            if desk._running().asks.open is not None:
                await desk.execute(AcceptDialog())
        while len((await desk.observe()).tabs) > 1:
            await desk.execute(CloseTab())
        return
    viewport = None if "device" in page.browser else VIEWPORT
    async with Browser(url, viewport, share=desk, **page.browser) as browser:
        await play(page, browser, tmp_path)


async def play(page: Page, browser: Browser, folder: Path) -> None:
    # In deep mode every reply counts at once: nothing is asked a second time for its risk.
    agent = Agent(page.task, Player(page, browser), browser, out=folder / "run", thinking="deep")
    run = await agent.run(len(page.steps))
    assert [step.error for step in run.steps] == [None] * len(page.steps)
    assert await browser.evaluate(page.until), [step.outcome() for step in run.steps]
    assert [path.name for path in browser.downloaded] == page.downloads or not page.downloads
    assert page.told in " ".join(step.outcome() for step in run.steps)


def serve(site: Site, other: Site, page: Page) -> None:
    """The page, and what some pages stand on: a locked page, a paper, a picture."""
    site.pages[f"/pages/{page.name}"] = page.text.replace("PORT", str(other.port))
    site.page("/pages/vault", "<h1>the vault</h1>")
    site.secure["/pages/vault"] = "ada:l0ve"
    site.pages["/pages/paper.pdf"] = PDF
    site.pages["/pages/late.svg"] = "<svg xmlns='http://www.w3.org/2000/svg'><path d='M0 0h9v9z'/></svg>"


async def test_there_are_enough_pages() -> None:
    assert len(load()) >= 60


async def test_downloads_of_a_run_are_in_its_folder(site: Site, other: Site, tmp_path: Path) -> None:
    page = next(page for page in load() if page.name == "download")
    serve(site, other, page)
    browser = Browser(f"{site.url}/pages/download", VIEWPORT)
    await Agent(page.task, Player(page, browser), browser, out=tmp_path / "run", thinking="deep").run(1)
    assert (tmp_path / "run" / "downloads" / "report.csv").read_text() == "late"
