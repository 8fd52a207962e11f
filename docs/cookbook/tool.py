"""A function of yours as an action: here the code that a site sends by mail, fetched without a mailbox tab.

Prints:
    1. latest_code(sender='example') -> 4711
    2. Type '4711' at (...)
    You are in
"""

import asyncio

from saccade import Agent, Browser, tool
from stage import model, site


@tool
async def latest_code(sender: str) -> str:
    """The newest one-time code in the mailbox, from this sender."""
    return {"example": "4711"}[sender]  # yours: IMAP, a database, an API


async def main() -> None:
    with site("code.html") as url:
        async with Browser(url) as browser:
            plan = model(
                browser,
                {"tool": "latest_code", "sender": "example"},
                {"action": "type", "at": "[name=code]", "text": "4711"},
                {"action": "left_click", "at": "button"},
            )
            agent = Agent("Enter the code that was mailed by 'example'", plan, browser, tools=[latest_code])
            run = await agent.run(3)
            asked, typed = run.steps[:2]
            print(f"1. {asked.describe()} -> {asked.result}")
            print(f"2. {typed.describe()}")
            print(await browser.page.inner_text("h1"))


if __name__ == "__main__":
    asyncio.run(main())
