"""Plays pages of this folder and films them: `python -m tests.pages.film` writes docs/pages/*.gif.

The ten that peers find hardest are filmed; name others as arguments.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from saccade.agent import Agent
from saccade.agent.export import export_gif
from saccade.tools import Browser

from tests.tools.conftest import Site
from tests.tools.test_pages import VIEWPORT, Player, load, serve

HARDEST = (
    *("canvas-animation", "confirm", "drag-and-drop", "drag-list", "hover-menu"),
    *("iframe-nested", "select", "shadow-closed", "suggestions", "transition-drawer"),
)
OUT = Path(__file__).parents[2] / "docs" / "pages"


async def film(names: tuple[str, ...]) -> None:
    OUT.mkdir(exist_ok=True)
    site = Site()
    for page in (page for page in load() if page.name in names):
        serve(site, site, page)
        with tempfile.TemporaryDirectory() as folder:
            browser = Browser(f"{site.url}/pages/{page.name}", VIEWPORT, **page.browser)
            agent = Agent(
                page.task, Player(page, browser), browser, out=folder, until=page.until, thinking="deep"
            )
            run = await agent.run(len(page.steps))
            path = export_gif(run, OUT / f"{page.name}.gif", step_s=1.2, last_s=2.0, width_px=480)
            print(f"{path.name}: {run.status}, {len(run.steps)} steps, {path.stat().st_size // 1024} kB")
    site.close()


if __name__ == "__main__":
    asyncio.run(film(tuple(sys.argv[1:]) or HARDEST))
