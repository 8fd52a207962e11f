"""Results of an evaluation: one JSON line each, written as they come, so that it may be cut off and go on.

A result has an `id`, a `kind`, a `task` and whether it is `right`; `picture` names the screenshot that
explains a failure, beside the results.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from rich.table import Table

Result = dict[str, Any]
Tell = Callable[[Result], None]
FILE = "results.jsonl"


def read_results(out: Path) -> dict[str, Result]:
    """By id; a line that was cut off in the middle is left out."""
    path = out / FILE
    lines = path.read_text("utf-8").split("\n")[:-1] if path.exists() else []
    return {result["id"]: result for result in map(json.loads, lines)}


def opened(out: Path) -> dict[str, Result]:
    """The results in a folder, which is made where there is none."""
    out.mkdir(parents=True, exist_ok=True)
    return read_results(out)


async def play_all(
    items: Sequence[tuple[str, Any]],
    hand: Callable[[], AbstractAsyncContextManager[Any]],
    work: Callable[[Any, Any], Awaitable[Result]],
    out: Path,
    parallel: int,
    tell: Tell,
) -> list[Result]:
    """One result per (id, item), in order; those that are there already are not done again.

    `parallel` hands work side by side, each with what `hand` opens for it; `tell` hears of each new result.
    """
    known = opened(out)
    waiting = iter([(id, item) for id, item in items if id not in known])

    async def one() -> None:
        async with hand() as tools:
            for id, item in waiting:
                known[id] = {"id": id, **await work(item, tools)}
                with (out / FILE).open("a", encoding="utf-8") as file:
                    file.write(json.dumps(known[id], ensure_ascii=False) + "\n")
                tell(known[id])

    missing = sum(id not in known for id, _ in items)
    async with asyncio.TaskGroup() as group:
        for _ in range(min(parallel, missing)):
            group.create_task(one())
    return [known[id] for id, _ in items]


def share(values: Iterable[Any]) -> float:
    values = list(values)
    return round(sum(map(bool, values)) / len(values), 4) if values else 0.0


def by_kind(results: Sequence[Result]) -> dict[str, list[Result]]:
    kinds: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        kinds[str(result["kind"])].append(result)
    return dict(sorted(kinds.items()))


def kinds_table(results: Sequence[Result], title: str, columns: Sequence[str] = ("right",)) -> Table:
    """Shares per kind and over all."""
    table = Table("kind", "tasks", *columns, title=title, title_justify="left")
    for kind, rows in [*by_kind(results).items(), ("all", results)]:
        table.add_row(kind, str(len(rows)), *(f"{share(row[name] for row in rows):.1%}" for name in columns))
    return table
