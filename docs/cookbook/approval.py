"""A person approves what cannot be undone: with ask_before="risky", money, deletion, publishing, passwords,
uploads and other sites are asked for. A refusal reaches the model, with the reason that was given for it.

Prints:
    MAY I? deletes (button 'Delete account') [y, or why not]
    1. failed: this action was not approved: keep the account
    2. ...
    the newsletter is off
"""

import asyncio

from saccade import Agent, Browser
from saccade.agent.events import Event, NeedsApproval
from stage import model, site


def tell(event: Event) -> None:
    if isinstance(event, NeedsApproval):
        print("MAY I?", event.reason, end=" ")


def approve(action: object, observation: object) -> bool | str:
    word = input("[y, or why not]\n")
    return word == "y" or word


async def main() -> None:
    with site("account.html") as url:
        async with Browser(url) as browser:
            plan = model(
                browser,
                {"action": "left_click", "at": "text=Delete account"},
                {"action": "left_click", "at": "text=Stop the newsletter"},
            )
            task = "I want no more mail: stop the newsletter"
            agent = Agent(task, plan, browser, approve=approve, ask_before="risky", on_event=tell)
            run = await agent.run()
            for step in run.steps[:2]:
                print(f"{step.number}. {step.outcome()}")
            print("the newsletter is", await browser.page.inner_text("#newsletter"))


if __name__ == "__main__":
    asyncio.run(main())
