"""Several tabs: open a page beside the other, compare, go on in the cheaper one.

Prints:
    1. Open a new tab at product/paper-lamp
    2. Switch to tab 0
    3. Close the tab
    left open: Paper Pendant Lamp
    in the cart: {'paper-lamp': 1}
"""

import asyncio

from saccade import Agent, Browser
from stage import Shop, model


async def main() -> None:
    with Shop() as shop:
        async with Browser(f"{shop.url}product/mushroom-lamp") as browser:
            other = f"{shop.url}product/paper-lamp"
            plan = model(
                browser,
                {"action": "new_tab", "url": other},
                {"action": "switch_tab", "tab": 0},
                {"action": "close_tab"},
                {"action": "left_click", "at": ".product .button"},
            )
            task = f"Compare this lamp with the one at {other} and put the cheaper one into the cart"
            run = await Agent(task, plan, browser).run()
            for step in run.steps[:3]:
                print(f"{step.number}. {step.describe().replace(shop.url, '')}")
            print("left open:", (await browser.page.inner_text("h1")))
        print("in the cart:", shop.state()["cart"])


if __name__ == "__main__":
    asyncio.run(main())
