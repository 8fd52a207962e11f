"""Watch a page and say when it changes: one look and one question per visit, until the answer is another.

Prints:
    visit 1: Sold out
    visit 2: Sold out
    visit 3: In stock
    tell somebody: Arc Lamp is back
"""

import asyncio

from saccade import Browser
from saccade.tools.actions import Reload
from stage import model, site

EVERY_S = 0.1  # yours: 600
LOOK = {"read": "#stock"}


def notify(message: str) -> None:
    print("tell somebody:", message)  # yours: a mail, a webhook


async def main() -> None:
    with site("stock.html") as url:
        async with Browser(url) as browser:
            browser.model = model(browser, LOOK, LOOK, LOOK)
            visit = 1
            while (answer := await browser.ask("Is the lamp sold out or in stock?")) == "Sold out":
                print(f"visit {visit}: {answer}")
                await asyncio.sleep(EVERY_S)
                await browser.execute(Reload())
                visit += 1
            print(f"visit {visit}: {answer}")
    notify("Arc Lamp is back")


if __name__ == "__main__":
    asyncio.run(main())
