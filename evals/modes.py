"""What does thinking buy? `saccade eval modes SET --model builtin` does the same tasks in every mode.

The plot sets the share of tasks done, judged as in `saccade eval tasks`, against the tokens that the model
wrote and against seconds.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.table import Table
from saccade.agent.protocol import ChatModel

from . import tasks as whole_tasks
from .results import Result, Tell, share

MODES = ("fast", "auto", "deep")
TURN = 4  # tasks of a mode before it is the next one's turn; times as many as are played at once
PANELS = {"tokens": "tokens written per task", "seconds": "seconds per task"}
WIDTH, HEIGHT, LEFT, BOTTOM = 320, 240, 46, 40  # of a panel, and of its margins, in px
BESIDE = {"fast": -6, "auto": 16, "deep": -6}  # px from a point down to its name: two may lie upon each other
COLORS = {"fast": "#2a9d5c", "auto": "#2b6fd6", "deep": "#c2410c"}


async def play(
    place: Path,
    tasks: list[dict[str, Any]],
    model: ChatModel,
    out: Path,
    parallel: int,
    tell: Tell,
    max_steps: int = 20,
) -> list[Result]:
    """One result per mode and task; the mode is its kind, and the folder of its runs and results.

    The modes take turns every few tasks, so that a machine whose pace changes is fair to all. A model of ours
    forgets between turns, or the later ones would find the pages read already; a server does as it does.
    """
    found: dict[str, list[Result]] = {mode: [] for mode in MODES}
    for start in range(0, len(tasks), TURN * parallel):
        turn = tasks[start : start + TURN * parallel]
        for mode in MODES:
            getattr(model, "forget", lambda: None)()
            found[mode] += await whole_tasks.play(
                place, turn, model, out / mode, parallel, tell, max_steps, mode
            )
    return [_as_kind(mode, each) for mode in MODES for each in found[mode]]


def _as_kind(mode: str, result: Result) -> Result:
    picture = result["picture"] and f"{mode}/{result['picture']}"
    return {**result, "id": f"{mode} {result['id']}", "kind": mode, "picture": picture}


def measures(results: Sequence[Result]) -> dict[str, dict[str, float]]:
    """Per mode: the share of tasks done with its interval of 95%, and means per task."""
    found = {}
    for mode in MODES:
        rows = [row for row in results if row["kind"] == mode]
        if rows:
            low, high = interval(sum(row["right"] for row in rows), len(rows))
            found[mode] = {
                "right": share(row["right"] for row in rows),
                "low": round(low, 4),
                "high": round(high, 4),
                "tokens": round(fmean(row.get("written", 0) for row in rows), 1),
                "seconds": round(fmean(row["seconds"] for row in rows), 2),
                "steps": round(fmean(row["steps"] for row in rows), 2),
            }
    return found


def interval(right: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval of a share (Wilson 1927)."""
    p, spread = right / total, z * z / total
    middle, half = p + spread / 2, z * math.sqrt(p * (1 - p) / total + spread / (4 * total))
    return max(0.0, (middle - half) / (1 + spread)), min(1.0, (middle + half) / (1 + spread))


def modes_table(found: Mapping[str, Mapping[str, float]]) -> Table:
    title = "Thinking: the same tasks in every mode, means per task"
    table = Table("mode", "right", "95%", "tokens", "seconds", "steps", title=title, title_justify="left")
    for mode, row in found.items():
        spread = f"{row['low']:.0%} to {row['high']:.0%}"
        table.add_row(
            mode,
            f"{row['right']:.1%}",
            spread,
            f"{row['tokens']:g}",
            f"{row['seconds']:g}",
            f"{row['steps']:g}",
        )
    return table


def draw(found: Mapping[str, Mapping[str, float]]) -> str:
    """Success against tokens and against seconds, as SVG; the bars are the intervals."""
    panels = "".join(
        f'<g transform="translate({i * (WIDTH + LEFT + 24)} 0)">{_panel(found, name, words)}</g>'
        for i, (name, words) in enumerate(PANELS.items())
    )
    width, height = 2 * (WIDTH + LEFT + 24), HEIGHT + BOTTOM + 16
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'font-family="system-ui,sans-serif" font-size="12" fill="#777">{panels}</svg>\n'
    )


def end_of_axis(value: float) -> float:
    """Four round steps that leave room for the name of the last point."""
    step = 1.15 * value / 4 or 0.25
    unit = 10 ** math.floor(math.log10(step))
    return 4 * unit * next(round_one for round_one in (1, 2, 2.5, 5, 10) if round_one * unit >= step)


def _panel(found: Mapping[str, Mapping[str, float]], name: str, words: str) -> str:
    most = end_of_axis(max((row[name] for row in found.values()), default=0))

    def x(value: float) -> float:
        return round(LEFT + WIDTH * value / most, 1)

    def y(value: float) -> float:
        return round(10 + HEIGHT * (1 - value), 1)

    made = "".join(
        f'<path d="M{LEFT} {y(k / 4)}H{LEFT + WIDTH}" stroke="#8884"/>'
        f'<text x="{LEFT - 6}" y="{y(k / 4) + 4}" text-anchor="end">{k * 25}%</text>'
        for k in range(5)
    )
    made += "".join(
        f'<text x="{x(most * k / 4)}" y="{HEIGHT + 26}" text-anchor="middle">{most * k / 4:g}</text>'
        for k in range(5)
    )
    made += f'<text x="{LEFT + WIDTH / 2}" y="{HEIGHT + 46}" text-anchor="middle">{words}</text>'
    for mode, row in found.items():
        at, color = x(row[name]), COLORS[mode]
        is_left = mode == "fast" and at > LEFT + 50  # the others lie right of it, if only by a little
        side = f'x="{at - 8}" text-anchor="end"' if is_left else f'x="{at + 8}"'
        made += (
            f'<path d="M{at} {y(row["low"])}V{y(row["high"])}" stroke="{color}" stroke-width="1.5"/>'
            f'<circle cx="{at}" cy="{y(row["right"])}" r="5" fill="{color}"/>'
            f'<text {side} y="{y(row["right"]) + BESIDE[mode]}" fill="{color}">{mode}</text>'
        )
    return made
