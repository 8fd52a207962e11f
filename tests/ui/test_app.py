"""The web UI in a real Chromium: a run is started, watched, taken over, approved, stopped, found again."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect
from saccade.ui import app
from shop.server import Shop

from .conftest import ASK, DELETE, DONE, PRESS, WAIT, order, settings, visit

LOOPS = pytest.mark.asyncio(loop_scope="module")


async def press_picture(page: Page, x: float, y: float) -> None:
    """At a share of the live picture's width and height."""
    box = await page.locator("#live img[data-hands]").bounding_box()
    assert box is not None
    await page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])


def last_run(runs: Path, task: str) -> dict:
    found = [json.loads(path.read_text()) for path in sorted(runs.glob("*/run.json"))]
    return next(run for run in reversed(found) if run["task"] == task)


def journal_of(runs: Path, task: str) -> list[dict]:
    path = Path(last_run(runs, task)["folder"]) / "journal.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def named(runs: Path, slug: str) -> Path:
    return next(folder for folder in runs.iterdir() if slug in folder.name)


async def eventually(holds: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


@LOOPS
async def test_a_run_is_watched_to_its_verdict(page: Page, script, runs: Path):
    elsewhere: list[str] = []
    page.on(
        "request",
        lambda it: None if it.url.startswith(("http://127.", "data:")) else elsewhere.append(it.url),
    )
    await order(page, "Press it once", script(PRESS, DONE))
    await expect(page.locator("#steps li")).to_have_count(2)
    await expect(page.locator("#verdict .answer")).to_have_text("one")
    await expect(page.locator("#steps li").first).to_contain_text("Press <b>it</b> {value} ${1}")
    await expect(page.locator("#steps li").first).to_contain_text("of the screen changed")
    await expect(page.locator("#live .chip")).to_have_text("Done")
    run = last_run(runs, "Press it once")
    await expect(page.locator("#verdict code")).to_have_text(run["folder"])
    assert run["status"] == "success"
    assert await page.locator("#steps img").first.evaluate("it => it.naturalWidth") > 100
    assert not elsewhere


@LOOPS
async def test_the_builtin_model_goes_about_in_the_example_shop(page: Page, runs: Path):
    """That it is watched while it does; not what it achieves."""
    with Shop() as shop:
        await page.locator("#url textarea, #url input").fill(shop.url)
        await settings(page)
        await page.locator("#kind").get_by_label("Built-in").check()
        await page.locator("#max-steps input[type=number]").fill("2")
        await page.keyboard.press("Tab")
        await page.locator("#task textarea").fill("Search for 'lamp'")
        await page.locator("#run").click()
        await expect(page.locator("#steps li").first).to_be_visible(timeout=60_000)
        await expect(page.locator("#live .address")).to_contain_text(shop.url.rstrip("/"))
        await expect(page.locator("#verdict h3")).to_be_visible(timeout=60_000)
    steps = journal_of(runs, "Search for 'lamp'")
    assert 1 <= len(steps) <= 2
    assert steps[0]["usage"]["prompt_tokens"] > 1000


@LOOPS
async def test_hands_on_the_live_picture(page: Page, script, runs: Path):
    """Click, type, press a key; the page shows it, the agent hears of it and goes on."""
    task = "Count with me"
    await order(page, task, script(PRESS, {**WAIT, "time": 2}, DONE))
    await expect(page.locator("#steps li")).to_have_count(1)
    await page.locator("#take").click()
    await expect(page.locator("#live .chip")).to_have_text("In your hands")
    await expect(page.locator("#live img[data-hands]")).to_be_visible()
    before = await page.locator("#live img").get_attribute("src")
    await press_picture(page, 0.5, 0.6)
    await page.keyboard.type("Ada", delay=10)
    await expect(page.locator("#live img")).not_to_have_attribute("src", before or "")
    await page.keyboard.press("Tab")
    await page.locator("#typed textarea, #typed input").fill("x")
    await page.locator("#spell").click()
    await expect(page.locator("#typed textarea, #typed input")).to_have_value("")
    await page.locator("#word textarea, #word input").fill("The name is in")
    await page.locator("#resume").click()
    await expect(page.locator("#verdict .answer")).to_have_text("one")
    told = [text for line in journal_of(runs, task) for text in line["told"]]
    assert "The user says: The name is in" in told
    deeds = next(text for text in told if "in the page myself" in text)
    assert "left click at [500, 6" in deeds
    assert "typed text, pressed Tab" in deeds
    assert any("of the screen changed" in text for text in told)
    assert "Ada" not in json.dumps(journal_of(runs, task))


@LOOPS
async def test_pause_and_resume(page: Page, script, runs: Path):
    await order(page, "Slowly", script(PRESS, {**WAIT, "time": 1}, DONE))
    await page.locator("#pause").click()
    await expect(page.locator("#live .chip")).to_have_text("Paused")
    await expect(page.locator("#hands")).to_be_hidden()
    count = await page.locator("#steps li").count()
    await page.wait_for_timeout(1500)
    assert await page.locator("#steps li").count() == count
    await page.locator("#resume").click()
    await expect(page.locator("#verdict h3")).to_have_text("Done")


@LOOPS
async def test_a_risky_action_is_refused_then_approved(page: Page, script, runs: Path):
    task = "Away with the account"
    await order(page, task, script(DELETE, DELETE, DONE), "Risky ones")
    await expect(page.locator("#notice .why")).to_contain_text("deletes (button 'Delete account')")
    await page.locator("#why textarea, #why input").fill("Not yet")
    await page.locator("#refuse").click()
    await expect(page.locator("#steps li").first).to_contain_text("not approved")
    await expect(page.locator("#notice .why")).to_be_visible()
    await page.locator("#approve").click()
    await expect(page.locator("#verdict h3")).to_have_text("Done")
    first, second, _ = journal_of(runs, task)
    assert first["error"]
    assert second["told"] == ["The user says: Not yet"]
    assert second["effect"]["changed"] > 0


@LOOPS
async def test_a_question_is_answered_in_place(page: Page, script, runs: Path):
    await order(page, "Ask me", script(ASK, DONE))
    await expect(page.locator("#notice p")).to_have_text("Which <i>name</i>?")
    await page.locator("#answer textarea, #answer input").fill("Ada")
    await page.keyboard.press("Enter")
    await expect(page.locator("#verdict h3")).to_have_text("Done")
    assert journal_of(runs, "Ask me")[0]["user_reply"] == "Ada"


@LOOPS
async def test_stop_ends_the_run_and_its_browser(page: Page, script, runs: Path):
    await expect(page.locator("#stop")).to_be_disabled()
    await order(page, "Wait for ever", script(PRESS, WAIT))
    await expect(page.locator("#thought .action")).to_have_text("Wait 30 s")
    await expect(page.locator("#run")).to_be_disabled()
    await page.locator("#stop").click()
    await expect(page.locator("#verdict h3")).to_have_text("Stopped")
    assert last_run(runs, "Wait for ever")["status"] == "interrupted"
    await expect(page.locator("#run")).to_be_enabled()
    await order(page, "Again", script(DONE))
    await expect(page.locator("#verdict h3")).to_have_text("Done")


@LOOPS
async def test_people_are_apart(page: Page, chromium: Browser, address: str, script):
    other = await chromium.new_page(viewport={"width": 390, "height": 844})
    await visit(other, address)
    await order(page, "Mine", script(PRESS, WAIT))
    await order(other, "Yours", script(PRESS, PRESS, DONE))
    await expect(other.locator("#verdict h3")).to_have_text("Done")
    await expect(other.locator("#steps li")).to_have_count(3)
    await expect(page.locator("#steps li")).to_have_count(1)
    await expect(page.locator("#thought .action")).to_have_text("Wait 30 s")
    assert await other.evaluate("document.documentElement.scrollWidth") == 390
    await other.get_by_role("tab", name="History").click()
    await expect(other.locator("#runs label").filter(has_text="Yours")).to_have_count(1)
    await expect(other.locator("#runs label").filter(has_text="Mine")).to_have_count(0)
    await other.close()
    await page.locator("#stop").click()
    await expect(page.locator("#verdict h3")).to_have_text("Stopped")


@LOOPS
async def test_a_closed_tab_leaves_its_run_and_comes_back(
    chromium: Browser, address: str, script, runs: Path
):
    context = await chromium.new_context(viewport={"width": 1280, "height": 860})
    page = await context.new_page()
    await visit(page, address)
    await order(page, "Left alone", script(PRESS, ASK, DONE))
    await expect(page.locator("#steps li")).to_have_count(1)
    await page.close()
    await asyncio.sleep(1.5)
    assert last_run(runs, "Left alone")["status"] == "running"
    page = await context.new_page()
    await visit(page, address)
    await expect(page.locator("#steps li")).to_have_count(1)
    await expect(page.locator("#notice p")).to_have_text("Which <i>name</i>?")
    await expect(page.locator("#run")).to_be_disabled()
    await page.locator("#answer textarea, #answer input").fill("Ada")
    await page.locator("#send").click()
    await expect(page.locator("#verdict h3")).to_have_text("Done")
    await page.reload()
    await expect(page.locator("#verdict h3")).to_have_text("Done")
    await context.close()


@LOOPS
async def test_who_is_quicker_than_the_page_is_known_afterwards(
    chromium: Browser, address: str, script, monkeypatch: pytest.MonkeyPatch
):
    """Settings and a task are there before the browser has its token."""
    real = app.new_visitor
    monkeypatch.setattr(app, "new_visitor", lambda: (time.sleep(1.5), real())[1])
    context = await chromium.new_context(viewport={"width": 1280, "height": 860})
    page = await context.new_page()
    await visit(page, address)
    await order(page, "Too soon", script(PRESS, ASK))
    await expect(page.locator("#steps li")).to_have_count(1)
    await page.close()
    page = await context.new_page()
    await visit(page, address)
    await expect(page.locator("#notice p")).to_have_text("Which <i>name</i>?")
    await page.locator("#stop").click()
    await expect(page.locator("#verdict h3")).to_have_text("Stopped")
    await context.close()


@LOOPS
async def test_settings_stay_in_the_browser(chromium: Browser, address: str, script):
    context = await chromium.new_context()
    page = await context.new_page()
    await visit(page, address)
    await settings(page, "/some/where", "Every one")
    await page.locator("#hosts input, #hosts textarea").fill("localhost:8000")
    await page.keyboard.press("Tab")
    await page.wait_for_timeout(2500)
    await page.locator("#theme").click()
    dark = await page.evaluate("document.body.classList.contains('dark')")
    await page.reload()
    await visit(page, address)
    await settings(page)
    await expect(page.locator("#ask").get_by_label("Every one")).to_be_checked()
    await expect(page.locator("#model input, #model textarea")).to_have_value("/some/where")
    await expect(page.locator("#hosts input, #hosts textarea")).to_have_value("localhost:8000")
    assert await page.evaluate("document.body.classList.contains('dark')") == dark
    await context.close()


@LOOPS
async def test_no_folder_of_a_run_is_served(page: Page, address: str, script, runs: Path):
    await order(page, "Keep it", script(PRESS, ASK))
    await expect(page.locator("#notice p")).to_be_visible()
    state = named(runs, "keep-it") / "state.json"
    await eventually(state.exists)
    for prefix in ("file=", "file/"):
        answer = await page.request.get(f"{address}gradio_api/{prefix}{state}")
        assert answer.status >= 400
    await page.locator("#stop").click()
    await expect(page.locator("#verdict h3")).to_have_text("Stopped")


@LOOPS
@pytest.mark.parametrize(
    ("task", "model", "url", "message"),
    [
        ("", "builtin", None, "the task is empty"),
        ("Go", "/no/such.jsonl", None, "cannot read the script"),
        ("Go", "", "http://127.0.0.1:9/", "cannot open http://127.0.0.1:9/"),
    ],
)
async def test_trouble_is_one_line(page: Page, script, task: str, model: str, url: str | None, message: str):
    if url:
        await page.locator("#url textarea, #url input").fill(url)
    await order(page, task, model or script(DONE))
    await expect(page.locator("#verdict [role=alert] p")).to_contain_text(message)
    await expect(page.locator("#run")).to_be_enabled()
