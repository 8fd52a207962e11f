"""Upload a file. The agent may upload what you name, by its name, and nothing else of this machine.

Prints:
    Received ada.png, 70 bytes
    another file: failed: there is no file '/etc/passwd' to upload; the allowed files are: ada.png
"""

import asyncio
import base64
import tempfile
from pathlib import Path

from saccade import Agent, Browser
from stage import model, site

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


async def main() -> None:
    photo = Path(tempfile.mkdtemp()) / "ada.png"
    photo.write_bytes(base64.b64decode(PIXEL))
    with site("photo.html") as url:
        async with Browser(url, uploads=[photo]) as browser:
            field = {"action": "upload_file", "at": "[name=photo]"}
            plan = model(browser, {**field, "text": "ada.png"}, {**field, "text": "/etc/passwd"})
            run = await Agent("Upload ada.png as the photo", plan, browser).run()
            print(await browser.page.inner_text("#told"))
    print("another file:", run.steps[1].outcome())


if __name__ == "__main__":
    asyncio.run(main())
