"""Many tasks from a file of JSON lines: side by side, resumable, one line of result each.

    {"task": "Find the opening hours", "url": "https://museum.example", "id": "museum", "max_steps": 12}

Each task has a browser and a folder of its own; all share one model. A task whose result is there is not done
again; one that was cut off goes on where it was.
"""

import asyncio
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..agent import Agent, Run
from ..agent.protocol import ChatModel
from ..errors import InputError, SaccadeError
from .wiring import make_browser

RESULTS = "results.jsonl"
TEXTS = ("task", "url", "until", "thinking", "viewport", "ask_before")
NUMBERS = ("max_steps", "max_seconds", "max_tokens")
OTHERS = ("id", "verify", "allow_hosts")


@dataclass(frozen=True)
class Task:
    """One line. `options` are those of `saccade run` that it names."""

    id: str
    task: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Common:
    """What counts where a task says nothing."""

    options: dict[str, Any]
    headed: bool = False
    executable: Path | None = None


def read_tasks(lines: Iterable[str], name: str) -> list[Task]:
    """Raises InputError, with the line, for what is no task, and for ids that come twice."""
    tasks = [_task(line, f"line {n} of {name}", n) for n, line in enumerate(lines, 1) if line.strip()]
    ids = [task.id for task in tasks]
    twice = sorted({id for id in ids if ids.count(id) > 1})
    if twice:
        raise InputError(f"{name} has the id {twice[0]!r} twice: give each task its own")
    if not tasks:
        raise InputError(f"{name} has no tasks: give one JSON object per line")
    return tasks


def _task(line: str, place: str, number: int) -> Task:
    try:
        values = json.loads(line)
    except ValueError as error:
        raise InputError(f"{place} is no JSON ({error})") from None
    if not isinstance(values, dict) or not str(values.get("task") or "").strip():
        raise InputError(f'{place} has no task: write {{"task": "...", "url": "..."}}')
    unknown = sorted(values.keys() - {*TEXTS, *NUMBERS, *OTHERS})
    if unknown:
        raise InputError(
            f"{place} has the unknown key {unknown[0]!r}: use {', '.join((*TEXTS, *NUMBERS, *OTHERS))}"
        )
    wrong = [
        *(name for name in TEXTS if not isinstance(values.get(name, ""), str)),
        *(name for name in NUMBERS if not isinstance(values.get(name, 1), int | float)),
    ]
    if wrong:
        raise InputError(f"{place}: {wrong[0]} is {values[wrong[0]]!r}")
    id = str(values.pop("id", f"{number:04d}"))
    if not re.fullmatch(r"[\w.-]{1,80}", id) or id.startswith("."):
        raise InputError(f"{place}: the id {id!r} names a folder: use letters, digits, - and _")
    return Task(id, values.pop("task"), values)


def read_results(out: Path) -> dict[str, dict[str, Any]]:
    """By id; a line that was cut off in the middle is left out."""
    path = out / RESULTS
    lines = path.read_text("utf-8").split("\n")[:-1] if path.exists() else []
    return {result["id"]: result for result in map(json.loads, lines)}


async def play(
    tasks: list[Task],
    model: ChatModel,
    common: Common,
    out: Path,
    parallel: int,
    tell: Callable[[dict[str, Any]], None],
) -> None:
    """All of them; `tell` hears each result once it is on the disk."""
    gate = asyncio.Semaphore(parallel)

    async def one(task: Task) -> None:
        async with gate:
            result = await result_of(task, model, common, out / task.id)
            with (out / RESULTS).open("a", encoding="utf-8") as file:
                file.write(json.dumps(result, ensure_ascii=False) + "\n")
            tell(result)

    async with asyncio.TaskGroup() as group:
        for task in tasks:
            group.create_task(one(task))


async def result_of(task: Task, model: ChatModel, common: Common, folder: Path) -> dict[str, Any]:
    """A task that cannot be begun is a result as well: the others go on."""
    try:
        run = await _agent(task, model, common, folder).run()
    except SaccadeError as error:
        reason = " ".join(str(error).split())
        return {"id": task.id, "task": task.task, "success": False, "status": "error", "reason": reason}
    return {"id": task.id, **run.to_dict()}


def _agent(task: Task, model: ChatModel, common: Common, folder: Path) -> Agent:
    options = {**common.options, **task.options}
    url, viewport, hosts = (options.pop(name, None) for name in ("url", "viewport", "allow_hosts"))
    browser = make_browser(url, viewport, common.headed, hosts, common.executable)
    if (folder / "run.json").exists():
        if Run.load(folder).status == "interrupted":
            return Agent.from_run(folder, model, browser=browser, **options)
        raise InputError(
            f"{folder} holds a run that ended, yet has no result: remove it to do the task again"
        )
    return Agent(task.task, model, browser, out=folder, **options)
