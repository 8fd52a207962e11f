"""The demo: the built-in model does three tasks of growing length in the example shop.

Whether a task succeeded is read from the shop's own state after the run, never taken from the model's word.
Every run leaves a folder (journal, screenshots, GIF) under `runs/demo`. Exits with 0 only when all succeed.
`--longer` adds two tasks that need a plan: an order from the search to the receipt is 14 steps.

    python examples/demo.py
"""

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from saccade import Agent, Browser, Run, Step
from saccade.agent import ChatModel
from saccade.agent.export import export_gif
from shop.server import Shop

PHASES = ("observe", "vision", "prefill", "decode", "act")
State = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """A task, the most steps it may take, and the shop's state that counts as success."""

    name: str
    text: str
    max_steps: int
    judge: Callable[[State], bool]


@dataclass(frozen=True)
class Result:
    task: Task
    run: Run
    success: bool
    gif: Path


def on_help_page(state: State) -> bool:
    return state["pages"][-1:] == ["/help"]


def has_searched_lamp(state: State) -> bool:
    return state["searches"] == ["lamp"]


def sees_mug_in_cart(state: State) -> bool:
    return state["cart"] == {"stoneware-mug": 1} and state["pages"][-1:] == ["/cart"]


def has_first_lamp_in_cart(state: State) -> bool:
    return "lamp" in state["searches"] and state["cart"] == {"mushroom-lamp": 1}


CUSTOMER = {"name": "Ada Green", "email": "ada@example.com", "address": "12 Hill Road", "city": "Leeds"}


def has_ordered_kettle(state: State) -> bool:
    orders = state["orders"]
    return (
        len(orders) == 1
        and orders[0]["items"] == {"enamel-kettle": 1}
        and all(orders[0][key] == value for key, value in CUSTOMER.items())
    )


TASKS = (
    Task("help", "Open the Help page", 6, on_help_page),
    Task("search", "Search for 'lamp'", 8, has_searched_lamp),
    Task("cart", "Add the Stoneware Mug to the cart and open the cart", 10, sees_mug_in_cart),
)
LONGER = (
    Task("first", "Search for 'lamp' and add the first result to the cart", 10, has_first_lamp_in_cart),
    Task(
        "order",
        "Search for 'kettle', add the first result to the cart, open the cart, go to checkout, fill in full "
        "name '{name}', email '{email}', address '{address}' and city '{city}', click Continue, and place "
        "the order".format(**CUSTOMER),
        24,
        has_ordered_kettle,
    ),
)


async def play(
    task: Task, model: ChatModel, out: Path, console: Console, shop: Shop, browser: Browser
) -> Result:
    """One task, shown step by step while it runs; the shop judges at the end."""
    console.print(f"\n[bold]{task.text}[/]")
    agent = Agent(
        task.text,
        model,
        browser,
        out=out,
        max_steps=task.max_steps,
        on_step=lambda step: console.print(step_line(step)),
    )
    run = await agent.run()
    success = task.judge(shop.state())
    console.print(verdict(success), f"in {len(run.steps)} steps; the model's side: {run.reason}")
    return Result(task, run, success, export_gif(run, out / "run.gif"))


async def play_all(tasks: Sequence[Task], model: ChatModel, out: Path, console: Console) -> list[Result]:
    """Every task in a fresh shop and a fresh browser."""
    results = []
    for i, task in enumerate(tasks, 1):
        with Shop() as shop:
            results.append(
                await play(task, model, out / f"{i}-{task.name}", console, shop, Browser(shop.url))
            )
    return results


def step_line(step: Step) -> Table:
    line = Table.grid(padding=(0, 2), expand=True)
    line.add_column(width=2, justify="right", style="cyan")
    line.add_column(ratio=5, no_wrap=True, overflow="ellipsis")
    line.add_column(ratio=4, no_wrap=True, overflow="ellipsis", style="dim")
    line.add_column(width=6, justify="right", style="dim")
    said = step.thought.split("\n")[-1].strip() or step.describe()  # above the deed stands the wish
    line.add_row(str(step.number), said, step.outcome(), f"{step.timings.total:.1f} s")
    return line


def summary(results: list[Result]) -> Table:
    title = "Judged by the shop's own state; times in seconds"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False)
    for heading in ("task", "judged"):
        table.add_column(heading)
    for heading in ("steps", "total", *PHASES):
        table.add_column(heading, justify="right")
    for result in results:
        timings = result.run.timings
        phases = (f"{getattr(timings, phase):.1f}" for phase in PHASES)
        steps, seconds = str(len(result.run.steps)), f"{result.run.seconds:.1f}"
        table.add_row(result.task.name, verdict(result.success), steps, seconds, *phases)
    return table


def verdict(success: bool) -> str:
    return "[green]success[/]" if success else "[red]failure[/]"


def report(results: list[Result], console: Console) -> int:
    """Print the table and where the runs are; the exit code."""
    console.print()
    console.print(summary(results))
    for result in results:
        console.print(f"{result.task.name:>6}  {result.gif}", soft_wrap=True)
    succeeded = sum(result.success for result in results)
    console.print(f"{succeeded} of {len(results)} tasks succeeded")
    return 0 if succeeded == len(results) else 1


def load(name: str, console: Console) -> ChatModel:
    from saccade.ui.wiring import load_model

    with console.status(f"loading the model {name}"):
        return load_model(name)


def main() -> None:
    parser = argparse.ArgumentParser(description="Three tasks in the example shop, judged by the shop.")
    parser.add_argument("--model", default="builtin", help="builtin, or a checkpoint folder")
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), help="where the run folders go")
    parser.add_argument("--longer", action="store_true", help="two more tasks, which need a plan")
    options = parser.parse_args()
    console = Console()
    out = options.out / datetime.now().strftime("%Y%m%d-%H%M%S")
    tasks = TASKS + (LONGER if options.longer else ())
    results = asyncio.run(play_all(tasks, load(options.model, console), out, console))
    sys.exit(report(results, console))


if __name__ == "__main__":
    main()
