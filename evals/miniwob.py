"""MiniWoB++ through the product's own browser: `saccade eval miniwob --model builtin`.

The pages come from the `miniwob` package of PyPI, fetched on first use. An episode is a page, a seed and at
most ten steps; BrowserGym's rule counts a raw reward above 0, the strict rule at least 1. As there, the page
is shown 1.4 times as large, without what is for people who play: points, time, and the wish, which the agent
is told. By default only the development tasks are played: the others are a test set, to be looked at once and
not before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Page
from saccade.agent import Agent
from saccade.agent.protocol import ChatModel
from saccade.errors import InputError
from saccade.tools import Browser

from .apps.fetch import fetch_pip
from .grounding import serve
from .results import Result, Tell, play_all, share
from .tasks import fresh, nothing, result_of

PACKAGE = "miniwob==1.1.0"
DEVELOPMENT: tuple[str, ...] = (
    "click-button", "click-link", "click-test", "click-test-2", "click-dialog", "click-dialog-2", "click-tab",
    "click-tab-2", "click-tab-2-easy", "click-option", "click-checkboxes", "click-checkboxes-large",
    "click-color", "click-widget", "click-collapsible", "click-button-sequence", "click-menu",
    "email-inbox-delete", "focus-text", "focus-text-2", "enter-text", "enter-password", "login-user",
    "search-engine", "use-autocomplete", "simple-arithmetic", "identify-shape", "grid-coordinate",
    "click-shape", "choose-list", "unicode-test",
)  # fmt: skip
MOST_STEPS = 10
VIEWPORT = (480, 360)
SHOWN = """
#reward-display, #click-canvas, #sync-task-cover { display: none !important }
#query { color: transparent !important }
#query * { visibility: hidden !important }
body { transform: scale(1.4); transform-origin: top left }
"""
BEGIN = """([seed, shown]) => {
  document.head.append(Object.assign(document.createElement("style"), {textContent: shown}));
  core.EPISODE_MAX_TIME = 1e9;  // steps are counted, not seconds
  Math.seedrandom(seed);
  core.startEpisodeReal();
  const wish = core.getUtterance();
  return wish.utterance ?? wish;
}"""
READY = "() => WOB_TASK_READY"
REWARD = "() => [WOB_DONE_GLOBAL, WOB_RAW_REWARD_GLOBAL]"


@dataclass(frozen=True)
class Episode:
    task: str
    seed: int


def pages() -> Path:
    """The folder `html` of the package. Raises InputError when it cannot be fetched."""
    return fetch_pip(PACKAGE, alone=True) / "miniwob" / "html"


def chosen(names: Sequence[str], held_out: bool, html: Path) -> list[str]:
    """Raises InputError for a task that does not exist, or that is held out and not asked for as such."""
    known = {path.stem for path in (html / "miniwob").glob("*.html")}
    allowed = sorted(known - set(DEVELOPMENT)) if held_out else list(DEVELOPMENT)
    for name in names:
        if name not in known:
            raise InputError(f"MiniWoB++ has no task {name!r}")
        if name not in allowed:
            raise InputError(f"{name} is not one of the {'held-out' if held_out else 'development'} tasks")
    return list(names) or allowed


async def play(
    names: Sequence[str], seeds: int, html: Path, model: ChatModel, out: Path, parallel: int, tell: Tell
) -> list[Result]:
    """`seeds` episodes of each task."""
    episodes = [Episode(name, seed) for seed in range(seeds) for name in names]
    items = [(f"{it.task}-{it.seed}", it) for it in episodes]
    with serve(html) as site:

        async def work(episode: Episode, _: None) -> Result:
            return await play_one(episode, site, model, out)

        return await play_all(items, nothing, work, out, parallel, tell)


async def begin(page: Page, seed: int) -> str:
    """Starts the episode on the page; the wish."""
    task = await page.evaluate(BEGIN, [str(seed), SHOWN])
    await page.wait_for_function(READY)
    return task


async def play_one(episode: Episode, site: str, model: ChatModel, out: Path) -> Result:
    viewport = model.preferences.viewport or VIEWPORT
    async with Browser(f"{site}/miniwob/{episode.task}.html", viewport) as browser:
        task = await begin(browser.page, episode.seed)
        folder = fresh(out / f"{episode.task}-{episode.seed}")
        agent = Agent(task, model, browser, until="WOB_DONE_GLOBAL", max_steps=MOST_STEPS, out=folder)
        result = await result_of(agent, task, episode.task, out)
        done, raw = await browser.page.evaluate(REWARD)
    raw = float(raw) if done else 0.0
    return {**result, "seed": episode.seed, "raw_reward": raw, "right": raw > 0, "strict": raw >= 1}


def summary(results: list[Result]) -> dict[str, Any]:
    return {
        "episodes": len(results),
        "right": share(r["right"] for r in results),
        "strict": share(r["strict"] for r in results),
        "tasks": len({r["kind"] for r in results}),
        "steps": sum(r["steps"] for r in results),
    }
