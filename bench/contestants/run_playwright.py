"""Plain Playwright: a click and a screenshot, no waiting, no loop. The floor, not an agent."""

import io
import json
import sys

from meter import Meter, click_shown
from PIL import Image
from playwright.sync_api import sync_playwright
from saccade.tools.chromium import launch_flags


def main(order: dict) -> None:
    meter, steps = Meter(), order["steps"]
    width, height = order["size"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=order["chromium"], args=launch_flags())
        page = browser.new_page(viewport={"width": width, "height": height})
        page.goto(order["url"])
        for step in range(steps + 1):
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            meter.look(click_shown(picture.getpixel(tuple(order["box"]))))  # type: ignore[arg-type]
            if step < steps:
                page.mouse.click(*order["button"])
        meter.report()
        browser.close()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
