"""Test a web app in CI: a model records the way once, and from then on a pytest file without any model or
Saccade goes it on every push, by roles and names, so that another design does not break it.

Prints:
    recorded: the cart holds {'mushroom-lamp': 1}
    in another design: passes
    with the server down: fails
"""

import os
import subprocess
import sys
from pathlib import Path

from saccade import Agent, Browser
from saccade.agent.script import export_pytest
from saccade.tools.chromium import find_chromium
from stage import VIEWPORT, Shop, model


def record() -> Path:
    """With a model, once; the recording goes into the app's repository."""
    with Shop() as shop:
        browser = Browser(shop.url, VIEWPORT)
        plan = model(
            browser,
            {"action": "type", "at": "input[name=q]", "text": "lamp"},
            {"action": "key", "keys": ["Enter"]},
            {"action": "left_click", "at": ".card .button >> nth=0"},
        )
        run = Agent("Search for 'lamp' and add the first result to the cart", plan, browser).run_sync()
        print("recorded: the cart holds", shop.state()["cart"])
    return export_pytest(run, run.folder / "test_cart.py")


def test(file: Path, url: str) -> str:
    """On every push: pytest and Playwright alone."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", file.name]
    environment = {**os.environ, "BASE_URL": url, "CHROMIUM": find_chromium(None, None)}
    done = subprocess.run(command, cwd=file.parent, env=environment, capture_output=True, text=True)
    return "passes" if done.returncode == 0 else "fails"


def main() -> None:
    recording = record()
    with Shop(theme="night") as shop:
        print("in another design:", test(recording, shop.url))
    print("with the server down:", test(recording, shop.url))


if __name__ == "__main__":
    main()
