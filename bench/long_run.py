"""A run of hundreds of steps: does a step cost the same at the end as at the start, in time and in memory?

A scripted model drives a real page through the whole agent and reports what an exact prefix cache would hold
of each prompt. Prints a table of quarters, and one JSON line.

    python -m bench long_run [--steps 200]
"""

import argparse
import asyncio
import json
import resource
import statistics
import tempfile
import time
from dataclasses import replace
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from saccade import Agent, Browser, Run
from saccade.agent import Preferences, Reply, ScriptedModel, Usage

VIEWPORT = (1280, 800)
PAGE = """<title>Long</title><body style="margin:0;font:20px sans-serif">
<button style="width:100vw;height:50vh;font-size:80px" onclick="it.textContent += ` ${++n}`">Press</button>
<button style="width:100vw;height:20vh" onclick="it.textContent = `Cleared at ${n}:`">Clear</button>
<p id=it></p><script>n = 0</script>"""
THOUGHT = "The list has grown by one number, as it should; the button has to be pressed once more. "


class CountingModel(ScriptedModel):
    """Counts tokens (32 x 32 px, four letters) and the part that the prompt shares with the one before."""

    def __init__(self, steps: int):
        press = {"action": "left_click", "coordinate": [500, 250], "thought": THOUGHT}
        clear = {"action": "left_click", "coordinate": [500, 600], "thought": THOUGHT}
        lines = cycle([press] * 9 + [clear])
        script = [next(lines) for _ in range(steps - 1)] + [{"action": "answer", "text": "enough"}]
        super().__init__(script, Preferences(VIEWPORT, "conversation"))
        self.rss_mib: list[float] = []
        self._before: list[tuple[Any, int]] = []

    async def reply(self, messages: list[dict], tools: list[dict], thinking: str = "auto") -> Reply:
        self.seen.clear()
        reply = await super().reply(messages, tools, thinking)
        now = [atom for message in messages for atom in atoms(message)]
        pairs = enumerate(zip(now, self._before, strict=False))
        same = next((i for i, (a, b) in pairs if a != b), len(self._before))
        self._before = now
        self.rss_mib.append(rss_mib())
        usage = Usage(sum(size for _, size in now), sum(size for _, size in now[:same]), 0, 60)
        return replace(reply, usage=usage)


def atoms(message: dict) -> list[tuple[Any, int]]:
    found: list[tuple[Any, int]] = [(message["role"], 4)]
    parts = message["content"] if isinstance(message["content"], list) else [{"text": message["content"]}]
    for part in parts:
        image = part.get("image")
        text = part.get("text", "")
        found.append((id(image), image.width * image.height // 1024) if image else (text, len(text) // 4))
    turn = f"{message.get('reasoning_content', '')}{message.get('tool_calls', '')}"
    return [*found, (turn, len(turn) // 4)]


def rss_mib() -> float:
    """Of this process, now (Linux); elsewhere its peak."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


async def play(steps: int, folder: Path) -> tuple[Run, CountingModel, list[float]]:
    page = folder / "page.html"
    page.write_text(PAGE)
    model, ends = CountingModel(steps), []
    browser = Browser(page.as_uri(), viewport=VIEWPORT)
    agent = Agent("Press on", model, browser, out=folder / "run", max_steps=steps)
    agent.on_step = lambda _: ends.append(time.perf_counter())
    run = await agent.run()
    return run, model, [b - a for a, b in pairwise(ends)]


def report(run: Run, model: CountingModel, seconds: list[float]) -> dict[str, Any]:
    usages = [step.usage for step in run.steps]
    size = len(run.steps) // 4
    quarters = []
    for i in range(4):
        own, times = usages[i * size : (i + 1) * size], seconds[i * size : (i + 1) * size]
        prompt, cached = sum(it.prompt_tokens for it in own), sum(it.cached_tokens for it in own)
        quarters.append(
            {
                "p50_s": round(statistics.median(times), 3),
                "rss_mib": round(statistics.median(model.rss_mib[i * size : (i + 1) * size])),
                "prompt_tokens": prompt // size,
                "computed_tokens": (prompt - cached) // size,
            }
        )
    later = usages[2:]
    hit = sum(it.cached_tokens for it in later) / sum(it.prompt_tokens for it in later)
    facts = {"bench": "long_run", "steps": len(run.steps), "status": run.status}
    return {**facts, "hit": round(hit, 4), "quarters": quarters}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = report(*asyncio.run(play(options.steps, Path(folder))))
    table = Table(
        title=f"{result['steps']} steps, {result['hit']:.1%} of prompt tokens cached from step 3 on"
    )
    for heading in ("quarter", *result["quarters"][0]):
        table.add_column(heading, justify="right")
    for i, quarter in enumerate(result["quarters"], 1):
        table.add_row(str(i), *map(str, quarter.values()))
    Console().print(table)
    print(json.dumps(result))
