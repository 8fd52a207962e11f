"""The whole agent of Saccade, with a scripted model that clicks the button each time."""

# ruff: noqa: E402 (the driver starts while the rest is imported)

import asyncio
import json
import sys
import tempfile

import saccade

saccade.prelaunch()

from meter import Meter, click_shown
from saccade import Agent, Browser
from saccade.agent.scripted import ScriptedModel


def main(order: dict) -> None:
    meter, steps, size = Meter(), order["steps"], tuple(order["size"])
    coordinate = [round(value / side * 1000) for value, side in zip(order["button"], size, strict=True)]

    def play(messages: list[dict]) -> dict:
        image = next(part["image"] for part in reversed(messages[-1]["content"]) if part["type"] == "image")
        meter.look(click_shown(image.getpixel(tuple(order["box"]))))
        done = len(meter.steps) >= steps
        return (
            {"action": "terminate", "status": "success"}
            if done
            else {
                "action": "left_click",
                "coordinate": coordinate,
            }
        )

    async def run() -> None:
        async with Browser(order["url"], viewport=size) as browser:
            with tempfile.TemporaryDirectory() as out:
                await Agent("click", ScriptedModel(play), browser, out=out, max_steps=steps + 1).run()
            meter.report()

    asyncio.run(run())


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
