"""Does a second, enlarged look pay? Clicks on held-out pages with and without it, from the same first reply.

    python -m train.held_out --count 200 --typing 0 --out SET
    python -m bench zoom SET [--model builtin] [--limit N] [--json FILE]

Each page is opened in the product's browser and the model asked once; then the part around its point is
enlarged and the model asked again. A look that helps turns a miss into a hit. "auto" looks again only at
small targets and unsure replies, as `Agent(zoom="auto")` does.
"""

import argparse
import asyncio
import json
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table
from saccade.agent.calls import Vocabulary
from saccade.agent.decide import Decider, Turn
from saccade.agent.memory import make_memory
from saccade.agent.protocol import ChatModel
from saccade.agent.zoom import worth_it
from saccade.evals.grounding import HIT, read_tasks, serve
from saccade.tools import Browser
from saccade.tools.observation import Observation
from saccade.ui.wiring import load_model

from bench.agent import machine

console = Console(stderr=True)


@dataclass(frozen=True)
class Pair:
    """One task: whether the first look hit, and the second; whether `auto` would take it; what each cost."""

    first: bool
    second: bool
    auto: bool
    side_px: float
    seconds: tuple[float, float]
    tokens: tuple[int, int]


def main() -> None:
    options = _options()
    tasks = [task for task in read_tasks(options.set) if task["text"] is None][: options.limit]
    model = load_model(options.model)
    pairs = asyncio.run(play(options.set, tasks, model))
    show(pairs, options)
    if options.json:
        rows = [asdict(pair) for pair in pairs]
        facts = {"machine": machine(), "model": options.model, "pairs": rows}
        options.json.write_text(json.dumps(facts, indent=2) + "\n", "utf-8")


async def play(folder: Path, tasks: list[dict[str, Any]], model: ChatModel) -> list[Pair]:
    """Replies without a point are no pair: there is nothing to look closer at."""
    pairs = []
    with serve(folder) as url:
        async with Browser(f"{url}/{tasks[0]['page']}", viewport=model.preferences.viewport) as browser:
            for task in track(tasks, "zoom", console=console):
                await browser.page.goto(f"{url}/{task['page']}")
                pair = await look_twice(task, model, browser)
                pairs += [pair] if pair else []
    return pairs


async def look_twice(task: dict[str, Any], model: ChatModel, browser: Browser) -> Pair | None:
    seen = await browser.observe()
    decider = Decider(task["task"], model, browser, Vocabulary())
    messages = make_memory(model.preferences.memory, task["task"]).see(seen)
    first = await decider.ask(messages, seen, "auto")
    if getattr(first.action, "coordinate", None) is None:
        return None
    second = await decider.look_closer(first, seen)
    target = first.targets.get("coordinate")
    box = await browser.evaluate(
        'id => { const it = document.querySelector(`[data-e="${id}"]`).getBoundingClientRect();'
        " return Math.min(it.width, it.height) }",
        str(task["target"]),
    )
    return Pair(
        await hits(first, seen, task, browser),
        await hits(second, seen, task, browser),
        worth_it("auto", first.action, target, first.confidence),
        box,
        (first.seconds, second.seconds),
        (_tokens(first), _tokens(second)),
    )


async def hits(turn: Turn, seen: Observation, task: dict[str, Any], browser: Browser) -> bool:
    action: Any = turn.action
    point = seen.geometry.relative_to_css(action.coordinate)
    return bool(await browser.evaluate(HIT, [*point, task["target"]]))


def show(pairs: list[Pair], options: argparse.Namespace) -> None:
    table = Table(title=f"zoom, {options.model}, {len(pairs)} clicks; {machine()}")
    for column in ("targets", "clicks", "never", "auto", "always", "helped", "harmed"):
        table.add_column(column, justify="left" if column == "targets" else "right")
    for name, rows in {
        "all": pairs,
        "under 16 px": [it for it in pairs if it.side_px < 16],
        "16 to 32 px": [it for it in pairs if 16 <= it.side_px < 32],
        "larger": [it for it in pairs if it.side_px >= 32],
    }.items():
        never, always = share(rows, lambda it: it.first), share(rows, lambda it: it.second)
        auto = share(rows, lambda it: it.second if it.auto else it.first)
        helped = sum(it.second and not it.first for it in rows)
        harmed = sum(it.first and not it.second for it in rows)
        table.add_row(name, str(len(rows)), never, auto, always, str(helped), str(harmed))
    Console().print(table)
    if pairs:
        looks = [statistics.median(it.seconds[i] for it in pairs) for i in (0, 1)]
        tokens = [statistics.median(it.tokens[i] for it in pairs) for i in (0, 1)]
        again = sum(it.auto for it in pairs) / len(pairs)
        Console().print(
            f"median with one look {looks[0]:.2f} s, {tokens[0]:.0f} tokens; with two {looks[1]:.2f} s, "
            f"{tokens[1]:.0f} tokens; auto takes the second in {again:.0%}"
        )


def share(rows: list[Pair], hit: Callable[[Pair], bool]) -> str:
    return f"{sum(map(hit, rows)) / len(rows):.1%}" if rows else "-"


def _tokens(turn: Turn) -> int:
    return turn.usage.prompt_tokens + turn.usage.output_tokens


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench zoom", description=str(__doc__).splitlines()[0])
    parser.add_argument("set", type=Path, help="a folder that `python -m train.held_out` wrote")
    parser.add_argument("--model", default="builtin")
    parser.add_argument("--limit", type=int, help="only the first tasks")
    parser.add_argument("--json", type=Path, help="write the pairs there")
    return parser.parse_args()


if __name__ == "__main__":
    main()
