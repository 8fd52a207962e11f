"""Sign in with a secret. The model writes {{password}}; the page gets the value, on that host alone, and no
prompt, picture or journal ever holds it.

Prints:
    Welcome, Ada
    the journal says: Type '{{password}}' at (...)
"""

import asyncio
import os

from saccade import Agent, Browser, Secret
from stage import model, site

os.environ.setdefault("PASSWORD", "correct horse")  # yours comes from outside


async def main() -> None:
    with site("login.html") as url:
        host = url.split("/")[2]
        async with Browser(url) as browser:
            plan = model(
                browser,
                {"action": "type", "at": "[name=user]", "text": "ada"},
                {"action": "type", "at": "[name=password]", "text": "{{password}}"},
                {"action": "left_click", "at": "button"},
            )
            agent = Agent(
                "Sign in as ada with the password {{password}}",
                plan,
                browser,
                secrets={"password": Secret(os.environ["PASSWORD"], hosts=(host,))},
                until="css=#welcome",
            )
            run = await agent.run()
            print(await browser.page.inner_text("h1"))
        journal = (run.folder / "journal.jsonl").read_text("utf-8")
        assert os.environ["PASSWORD"] not in journal
        print("the journal says:", run.steps[1].describe())


if __name__ == "__main__":
    asyncio.run(main())
