"""Download a file and give it the name that the page gives it. Downloads land in the run's folder.

Prints:
    downloaded download.csv
    kept as 2026-0917.csv: article,price
"""

import asyncio

from saccade import Agent, Browser
from stage import model, site


async def main() -> None:
    with site("invoices.html") as url:
        browser = Browser(url)
        plan = model(browser, {"action": "left_click", "at": "text=Download"}, {"read": "#number"})
        run = await Agent("Download the invoice of September. What is its number?", plan, browser).run()
    file = next((run.folder / "downloads").iterdir())
    print("downloaded", file.name)
    kept = file.rename(file.with_name(f"{run.answer}.csv"))
    print(f"kept as {kept.name}:", kept.read_text().splitlines()[0])


if __name__ == "__main__":
    asyncio.run(main())
