"""The Look and Chat tabs in a real Chromium, with the built-in model: that they work, not how well."""

import re
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw
from playwright.async_api import Locator, Page, expect

LOOPS = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    image = Image.new("RGB", (480, 360), "white")
    ImageDraw.Draw(image).rectangle((60, 40, 200, 90), "navy")
    image.save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 4, (160, 120))
    for i in range(8):
        frame = np.full((120, 160, 3), 255, np.uint8)
        frame[40:80, 10 * i : 10 * i + 40] = (0, 0, 200)
        writer.write(frame)
    writer.release()
    return path


async def ask(page: Page, path: Path, question: str) -> None:
    await page.get_by_role("tab", name="Look").click()
    await page.locator("#media input[type=file]").set_input_files(path)
    await expect(page.locator("#sight img")).to_be_visible()
    await page.locator("#question textarea").fill(question)
    await page.locator("#ask-look").click()


@LOOPS
async def test_a_picture_is_pointed_at_and_taken_apart(page: Page, picture: Path):
    await ask(page, picture, "Click the blue box")
    await expect(page.locator("#said h3")).to_have_text("Answer")
    await expect(page.locator("#said .action")).not_to_be_empty()
    await expect(page.locator("#experts img")).to_be_visible()
    labels = page.locator("#layer label")
    await expect(labels).to_have_count(4)
    pointed = await page.locator("#sight img").get_attribute("src")
    await labels.nth(1).click()
    await expect(page.locator("#sight img")).not_to_have_attribute("src", pointed or "")
    tokens = await page.locator("#sight img").get_attribute("src")
    await labels.nth(2).click()
    await expect(page.locator("#sight img")).not_to_have_attribute("src", tokens or "")


@LOOPS
async def test_a_film_is_asked_about(page: Page, film: Path):
    await ask(page, film, "Where does the box go?")
    await expect(page.locator("#said h3")).to_have_text("Answer")
    await expect(page.locator("#layer label")).to_have_count(4)
    await expect(page.locator("#said")).to_contain_text("it was shown the middle frame")
    await expect(page.locator("#experts")).to_be_hidden()


@LOOPS
async def test_what_is_no_picture_is_one_line(page: Page, tmp_path: Path):
    path = tmp_path / "broken.png"
    path.write_bytes(b"nothing")
    await page.get_by_role("tab", name="Look").click()
    await page.locator("#media input[type=file]").set_input_files(path)
    await expect(page.locator("#said [role=alert]")).to_contain_text("picture")


async def choose(radio: Locator) -> None:
    """Gradio may draw the choices anew under the click, which then did nothing."""
    for _ in range(5):
        await radio.click()
        with suppress(AssertionError):
            return await expect(radio).to_be_checked(timeout=2000)
    await expect(radio).to_be_checked()


@LOOPS
async def test_a_chat_streams_and_begins_anew(page: Page, picture: Path):
    await page.get_by_role("tab", name="Chat").click()
    await choose(page.locator("#chat-thinking").get_by_label("Fast"))
    await page.locator("#message input[type=file]").first.set_input_files(picture)
    await expect(page.locator("#message img")).to_be_visible()
    await page.locator("#message textarea").fill("What is this?")
    await page.keyboard.press("Enter")
    await expect(page.locator("#chat .bot").first).to_have_text(re.compile("[^ …]"))
    await page.locator("#chat-stop").click()
    await page.locator("#chat-clear").click()
    await expect(page.locator("#chat .bot")).to_have_count(0)
