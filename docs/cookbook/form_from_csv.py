"""Fill a form once per row of a CSV file: one browser, one short run per row, each with a check of its own.

Prints:
    Ada Green from Leeds: success in 3 steps
    Ben Stone from York: success in 3 steps
    the page lists: Ada Green, Leeds; Ben Stone, York
"""

import asyncio
import csv
import io

from saccade import Agent, Browser
from stage import model, site

ROWS = "name,city\nAda Green,Leeds\nBen Stone,York\n"


async def main() -> None:
    with site("guests.html") as url:
        async with Browser(url) as browser:
            for row in csv.DictReader(io.StringIO(ROWS)):  # yours: open("guests.csv")
                name, city = row["name"], row["city"]
                plan = model(
                    browser,
                    {"action": "type", "at": "[name=name]", "text": name},
                    {"action": "type", "at": "[name=city]", "text": city},
                    {"action": "left_click", "at": "button"},
                )
                task = f"Add the guest {name} from {city}"
                run = await Agent(task, plan, browser, until=f"text={name}, {city}").run()
                print(f"{name} from {city}: {run.status} in {len(run.steps)} steps")
            print("the page lists:", "; ".join(await browser.page.locator("li").all_inner_texts()))


if __name__ == "__main__":
    asyncio.run(main())
