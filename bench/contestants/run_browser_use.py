"""browser-use with a scripted model that clicks the button each time; runs in a venv of its own.

Its model reads the page as text, so the text tells which click it sees.
"""

import asyncio
import json
import os
import re
import sys
import tempfile
from typing import Any

os.environ.setdefault("ANONYMIZED_TELEMETRY", "false")
os.environ.setdefault("BROWSER_USE_LOGGING_LEVEL", "result")
os.environ.setdefault("BROWSER_USE_CLOUD_SYNC", "false")

from browser_use import Agent, BrowserProfile, BrowserSession  # pyright: ignore[reportMissingImports]
from browser_use.llm.views import ChatInvokeCompletion  # pyright: ignore[reportMissingImports]
from meter import Meter


class Clicker:
    """The chat model that browser-use expects."""

    model = name = model_name = provider = "scripted"
    _verified_api_keys = True

    def __init__(self, meter: Meter, steps: int) -> None:
        self.meter, self.steps = meter, steps

    async def ainvoke(self, messages: list[Any], output_format: Any = None, **_: Any) -> Any:
        # The page's state: reminders may follow it, and the system prompt holds examples of the same form.
        text = next(it.text for it in reversed(messages) if "Interactive elements" in it.text)
        shown = re.findall(r"done (\d+)", text)
        button = re.findall(r"\[(\d+)\]<button", text)
        self.meter.look(int(shown[-1]) if shown else None)
        action: dict[str, Any] = {"click": {"index": int(button[0])}}
        if len(self.meter.steps) >= self.steps:
            action = {"done": {"text": "done", "success": True}}
        said = {"evaluation_previous_goal": "", "memory": "", "next_goal": "", "action": [action]}
        return ChatInvokeCompletion(completion=output_format.model_validate(said), usage=None)


async def run(order: dict) -> None:
    meter, steps = Meter(), order["steps"]
    width, height = order["size"]
    with tempfile.TemporaryDirectory() as folder:
        profile = BrowserProfile(
            headless=True,
            executable_path=order["chromium"],
            user_data_dir=folder,
            viewport={"width": width, "height": height},
            chromium_sandbox=os.geteuid() != 0,
            enable_default_extensions=False,
        )
        session = BrowserSession(browser_profile=profile)
        agent = Agent(
            task="click",
            llm=Clicker(meter, steps),
            browser_session=session,
            initial_actions=[{"navigate": {"url": order["url"], "new_tab": False}}],
            use_judge=False,
            directly_open_url=False,
        )
        await agent.run(max_steps=steps + 3)
        meter.report()
        await session.kill()


if __name__ == "__main__":
    asyncio.run(run(json.loads(sys.argv[1])))
