"""The History tab in a real Chromium: search, replay, comparison, files."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from .conftest import DONE, PRESS, WAIT, order

LOOPS = pytest.mark.asyncio(loop_scope="module")


def begins(path: Path, start: bytes) -> bool:
    data = path.read_bytes()
    return data.startswith(start) and len(data) > 300


@LOOPS
async def test_history_is_searched_replayed_compared_and_exported(page: Page, script, tmp_path: Path):
    for task in ("Press for the album", "Wait for the album"):
        await order(page, task, script(PRESS, DONE) if task.startswith("Press") else script(DONE))
        folder = task.lower().replace(" ", "-")  # the verdict of the run before may still stand there
        await expect(page.locator("#verdict")).to_contain_text(folder)
        await expect(page.locator("#verdict h3")).to_have_text("Done")
        await expect(page.locator("#run")).to_be_enabled()
    await page.locator("#replay").click()
    await expect(page.locator("#run-head .task")).to_have_text("Wait for the album")
    await page.locator("#search textarea, #search input").fill("press album")
    await expect(page.locator("#runs label")).to_have_count(1)
    await page.locator("#runs label").click()
    await expect(page.locator("#run-head .task")).to_have_text("Press for the album")
    await expect(page.locator("#frame h4")).to_contain_text("1Click at")
    await page.locator("#later").click()
    await expect(page.locator("#frame h4")).to_contain_text("2Answer")
    await page.locator("#earlier").click()
    await expect(page.locator("#frame h4")).to_contain_text("1Click at")
    await page.locator("#play").click()
    await expect(page.locator("#frame h4")).to_contain_text("2Answer")
    await page.locator("#other input").click()
    await page.get_by_role("option", name="Wait for the album").click()
    await expect(page.locator("#other-frame h4")).to_contain_text("Answer")
    for form, name, start in [
        ("GIF", "run.gif", b"GIF8"),
        ("MP4", "run.mp4", b""),
        ("HTML report", "run.html", b"<!doctype html>"),
        ("Playwright script", "run.py", b'"""'),
        ("JSON", "run.json", b"{"),
    ]:
        await page.locator("#format input").click()
        await page.get_by_role("option", name=form, exact=True).click()
        await page.locator("#export").click()
        link = page.locator(f"#file a[download='{name}']")
        await expect(link).to_be_visible()
        async with page.expect_download() as waiting:
            await link.click()
        assert begins(await (await waiting.value).path(), start), form


@LOOPS
async def test_a_run_that_goes_on_is_not_called_stopped(page: Page, script, runs: Path):
    cut = runs / "cut-off"
    cut.mkdir()
    (cut / "run.json").write_text('{"task": "Cut off long ago", "status": "running"}')
    await order(page, "Wait for ever", script(PRESS, WAIT))
    await expect(page.locator("#steps li")).to_have_count(1)
    await page.get_by_role("tab", name="History").click()
    await find(page, "ever", "Wait for ever · Running")
    await page.locator("#runs label").click()
    await expect(page.locator("#run-head h3")).to_have_text("Running")
    await find(page, "long ago", "Cut off long ago · Unfinished")
    await page.get_by_role("tab", name="Run").click()
    await page.locator("#stop").click()
    await expect(page.locator("#verdict h3")).to_have_text("Stopped")
    await page.get_by_role("tab", name="History").click()
    await find(page, "ever", "Wait for ever · Stopped")


async def find(page: Page, words: str, label: str) -> None:
    await expect(page.locator("#runs label").first).to_be_visible()  # words typed before that would be lost
    await page.locator("#search textarea, #search input").fill(words)
    await expect(page.locator("#runs label")).to_have_count(1)
    await expect(page.locator("#runs label")).to_contain_text(label)
