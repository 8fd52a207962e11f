"""Held-out tasks of several actions: doing what they ask makes them right, and nothing else does."""

import json
import random
from pathlib import Path

import pytest
from saccade.evals.grounding import serve
from saccade.evals.tasks import read_tasks
from saccade.tools import Browser

from train.journeys import FIRST_SEED, Wish, chosen, journey, write_journey
from train.pages import HEIGHT, WIDTH
from train.render import Renderer, Scene
from train.shape import SHAPES
from train.tasks.sight import Sight

PAGES = 48


@pytest.fixture(scope="module")
def made() -> list[tuple[Scene, list[Wish], dict]]:
    renderer, found = Renderer(8, SHAPES["trial"]), []
    for start in range(FIRST_SEED, FIRST_SEED + PAGES, 8):
        seeds = list(range(start, start + 8))
        for seed, scene in zip(seeds, renderer.render(seeds, "heldout"), strict=True):
            if task := journey(scene, random.Random(seed)):
                found.append((scene, chosen(Sight(scene, random.Random(seed), "heldout")), task))
    renderer.close()
    return found


def test_a_journey_can_be_told_plainly(made):
    """The same page, its names in one kind of quotes."""
    scene = made[0][0]
    told = [journey(scene, random.Random(seed), plain=True) for seed in range(20)]
    tasks = [task["task"] for task in told if task]
    assert len(tasks) > 5
    for task in tasks:
        assert sum(mark in task for mark in "'\"“") < 2, task


async def do(browser: Browser, wish: Wish) -> None:
    """What the wish asks for, by the page's own elements."""
    here = browser.page.locator(f'[data-e="{wish.element.id}"]')
    match wish.element.role:
        case "field":
            await here.fill(json.loads(wish.holds.split(" === ", 1)[1]))
        case "select":
            await here.select_option(json.loads(wish.holds.split(" === ", 1)[1]))
        case _:
            await here.click(position={"x": 6, "y": 6})


async def test_a_journey_is_right_when_all_of_it_is_done_and_no_more(made, tmp_path: Path):
    (tmp_path / "pages").mkdir()
    places = [write_journey(scene, tmp_path, i) for i, (scene, _, _) in enumerate(made)]
    assert len(made) > 5
    with serve(tmp_path) as url:
        async with Browser(f"{url}/{places[0]}", viewport=(WIDTH, HEIGHT)) as browser:
            for place, (_, wishes, task) in zip(places, made, strict=True):
                await browser.page.goto(f"{url}/{place}")
                for wish in wishes:
                    assert not await browser.evaluate(task["until"]), (task, wish)
                    await do(browser, wish)
                assert await browser.evaluate(task["until"]), task
                await browser.evaluate("live.pressed.push(-1)")
                assert not await browser.evaluate(task["until"])


def test_what_is_written_is_what_the_evaluation_reads(made, tmp_path: Path):
    tasks = [{"id": str(i), "page": "pages/000.html", **task} for i, (_, _, task) in enumerate(made)]
    (tmp_path / "tasks.jsonl").write_text("".join(json.dumps(task) + "\n" for task in tasks))
    assert read_tasks(tmp_path) == tasks
