"""Ten recorded runs done again: on the restyled shop with no model, replayed and as exported programs; and in
the same shop with a model that errs.
"""

import asyncio
import os
import runpy
import sys
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image, ImageDraw
from playwright.sync_api import sync_playwright
from saccade import Agent, Browser
from saccade.agent import ScriptedModel
from saccade.agent.html import export_html
from saccade.agent.match import find_again
from saccade.agent.replay import Replayer
from saccade.agent.script import export_playwright, export_pytest
from saccade.tools.chromium import find_chromium
from shop.server import Shop

from .shop_runs import AT_ONCE, TASKS, VIEWPORT, ErringModel, PointingModel, ShopTask, anew, visit

pytestmark = pytest.mark.asyncio(loop_scope="module")
BY_NAME = {task.name: task for task in TASKS}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def night():
    """The shop after its redesign, and a browser in it."""
    with Shop(theme="night") as shop:
        async with Browser(shop.url, viewport=VIEWPORT) as browser:
            yield shop, browser


@pytest.mark.parametrize("name", BY_NAME)
async def test_a_run_is_replayed_after_a_redesign(name, recorded, night):
    shop, browser = night
    await anew(browser, shop)
    report = await Replayer(recorded[name], browser).play()
    assert report.success, (report.reason, report.steps)
    assert BY_NAME[name].judge(shop.state())
    assert {step.how for step in report.steps} <= {"name", "place", "skipped"}
    assert max(step.moved_px for step in report.steps) > 20


@pytest.fixture(scope="module")
def chromium() -> str:
    """Its path."""
    with sync_playwright() as playwright:
        return find_chromium(None, playwright.chromium.executable_path)


def play_exported(paths: list[Path], url: str, chromium: str) -> None:
    """As their own `main` does, in one browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        for path in paths:
            module = runpy.run_path(str(path))
            module["play"](browser.new_page(viewport=module["VIEWPORT"]), url)
        browser.close()


async def test_exported_programs_run_after_a_redesign(recorded, night, chromium, tmp_path):
    """The first and the last as programs of their own, meanwhile the others one after the other."""
    shop, _ = night
    paths = [export_playwright(recorded[name], tmp_path / f"{name}.py") for name in BY_NAME]
    begun = len(shop.sessions)

    async def execute(path: Path) -> tuple[str, int, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(path), shop.url),
            env={**os.environ, "CHROMIUM": chromium},
            stderr=asyncio.subprocess.PIPE,
        )
        _, stderr = await process.communicate()
        return path.name, process.returncode or 0, stderr.decode()[-1500:]

    others = asyncio.to_thread(play_exported, paths[1:-1], shop.url, chromium)
    *programs, _ = await asyncio.gather(execute(paths[0]), execute(paths[-1]), others)
    for name, code, stderr in programs:
        assert code == 0, (name, stderr)
    states = [shop.state(sid) for sid in list(shop.sessions)[begun:]]
    for task in TASKS:
        assert any(task.judge(state) for state in states if state["pages"]), task.name


async def test_an_exported_test_passes_and_can_fail(recorded, night, chromium, tmp_path):
    shop, _ = night
    right = export_pytest(recorded["search"], tmp_path / "test_search.py")
    wrong = tmp_path / "test_wrong.py"
    wrong.write_text(right.read_text().replace("/search", "/elsewhere"))

    async def outcome(path: Path) -> int | None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(path)),
            env={**os.environ, "CHROMIUM": chromium, "BASE_URL": shop.url},
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
        )
        await process.communicate()
        return process.returncode

    assert await asyncio.gather(outcome(right), outcome(wrong)) == [0, 1]


async def test_a_program_reads_like_one_by_hand(recorded):
    from saccade.agent.script import program

    lines = program(recorded["search"]).strip().splitlines()
    assert [line.strip() for line in lines if not line.startswith("    #")] == [
        "def play(page: Page, url: str) -> None:",
        "page.goto(url)",
        "page.get_by_role('searchbox', name='Search products', exact=True).fill('lamp')",
        "page.keyboard.press('Enter')",
        "page.get_by_role('button', name='Add to cart: Mushroom Table Lamp', exact=True).click()",
    ]


async def test_what_is_gone_is_reported(recorded, night):
    shop, browser = night
    await anew(browser, shop)
    await browser.page.goto("about:blank")
    report = await Replayer(recorded["third"], browser).play()
    assert not report.success
    assert report.steps[-1].how == "lost"
    assert report.reason.startswith("step 1 (Click at")


async def test_the_model_finds_what_name_and_picture_do_not(recorded, night):
    shop, browser = night
    await anew(browser, shop)
    await browser.evaluate(
        "document.querySelectorAll('nav a').forEach(it => it.textContent = `To ${it.textContent}`)"
    )
    x, y = await PointingModel([], browser).center_of("nav >> text=To Help")
    model = ScriptedModel([{"action": "left_click", "coordinate": [x, y]}])
    report = await Replayer(recorded["help"], browser, model=model).play()
    assert report.success, report.reason
    assert report.steps[0].how == "model"


async def test_the_condition_judges_a_replay(recorded, night):
    shop, browser = night
    await anew(browser, shop)
    report = await Replayer(recorded["help"], browser, until="url=*/about").play()
    assert (report.success, len(report.steps)) == (False, 2)


@pytest.mark.timeout(300)
async def test_tasks_end_right_in_spite_of_errors(recorded, tmp_path):
    """In a fifth of its steps, and all the same done within twice the steps."""

    async def err(task: ShopTask, seed: int) -> tuple[int, int, list]:
        clean = recorded[task.name].steps
        async with visit(chromium, turn) as (shop, browser):
            model = ErringModel(task.script, browser, [step.url for step in clean], seed)
            out = tmp_path / f"{task.name}-{seed}"
            run = await Agent(task.text, model, browser, out=out, max_steps=2 * len(clean)).run()
            good = run.success and task.judge(shop.state())
            return model.errors, len(run.steps), [] if good else [(task.name, seed, run.reason, run.history)]

    async with Browser() as chromium:
        turn = asyncio.Semaphore(AT_ONCE)
        results = await asyncio.gather(*(err(task, seed) for task in TASKS for seed in (1, 2)))
    failed = [it for *_, wrong in results for it in wrong]
    assert sum(errors for errors, *_ in results) >= 0.15 * sum(steps for _, steps, _ in results)
    assert len(failed) <= 0.05 * len(results), failed


async def test_html_holds_all_pictures(recorded, tmp_path):
    text = export_html(recorded["order"], tmp_path / "run.html").read_text()
    assert text.count("data:image/jpeg;base64,") == len(recorded["order"].steps)
    assert "http" not in text.replace(recorded["order"].steps[0].url.split("/")[2], "").split("base64")[0]


def scene(spots: list[tuple[int, int]], size=(400, 300)) -> Image.Image:
    image = Image.new("RGB", size, "#dde3ea")
    draw = ImageDraw.Draw(image)
    for x, y in spots:
        draw.rounded_rectangle((x, y, x + 60, y + 30), 6, fill="#1f5c45")
        draw.line((x + 10, y + 20, x + 30, y + 8, x + 50, y + 22), fill="white", width=3)
    return image


@pytest.mark.parametrize(
    ("now", "point"),
    [
        (scene([(250, 180)]), (280, 195)),
        (scene([(250, 180)]).resize((440, 330)), (308, 214)),
        (scene([]), None),
        (scene([(20, 20), (250, 180)]), None),
    ],
)
async def test_a_picture_is_found_again(now, point):
    """Moved or scaled it is found; gone or doubled it is not guessed."""
    found = find_again(scene([(40, 50)]), now, (70, 65), (40, 50, 60, 30))
    assert (found is None) == (point is None)
    if found and point:
        assert found.point == pytest.approx(point, abs=3)
