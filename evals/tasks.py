"""Does the agent do whole tasks? `saccade eval tasks SET --model builtin`.

SET is a file of JSON lines, or a folder with tasks.jsonl and pages beside it:

    {"id": "cart", "task": "Put the lamp into the cart", "page": "shop.html", "until": "cart.length == 1"}

`url` instead of `page` names any other site. `until` judges by the page's own state, as in `saccade run`; the
model's word counts only where there is no `until`. `kind` groups tasks in the table.
"""

import json
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

from saccade.agent import Agent, Run
from saccade.agent.protocol import ChatModel, Thinking
from saccade.errors import InputError, SaccadeError
from saccade.tools import Browser

from .grounding import serve
from .results import Result, Tell, play_all

KNOWN = {"id", "task", "page", "url", "until", "kind", "max_steps", "viewport"}


def read_tasks(place: Path) -> list[dict[str, Any]]:
    """Raises InputError, with the line, for what is no task."""
    path = place / "tasks.jsonl" if place.is_dir() else place
    try:
        lines = path.read_text("utf-8").splitlines()
        tasks = [{"id": f"{i:04d}", **json.loads(line)} for i, line in enumerate(lines) if line.strip()]
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"cannot read the tasks in {path}: {error}") from None
    for task in tasks:
        unknown = sorted(task.keys() - KNOWN)
        if unknown or not task.get("task") or ("page" in task) == ("url" in task):
            wrong = f"the unknown key {unknown[0]!r}" if unknown else "not a task and either a page or a url"
            raise InputError(f"{path}: {task['id']} has {wrong}")
    return tasks


async def play(
    place: Path,
    tasks: list[dict[str, Any]],
    model: ChatModel,
    out: Path,
    parallel: int,
    tell: Tell,
    max_steps: int = 20,
    thinking: Thinking = "auto",
) -> list[Result]:
    """One result per task, each in a browser of its own; the runs are kept in `out`."""
    with served(place) as site:

        async def work(task: dict[str, Any], _: None) -> Result:
            url = f"{site}/{task['page']}" if "page" in task else task["url"]
            viewport = task.get("viewport") or model.preferences.viewport
            browser = Browser(url, tuple(viewport) if viewport else None)
            limit = task.get("max_steps", max_steps)
            folder = fresh(out / str(task["id"]))
            shared = {"until": task.get("until"), "max_steps": limit, "out": folder, "thinking": thinking}
            agent = Agent(task["task"], model, browser, **shared)
            return await result_of(agent, task["task"], task.get("kind", "task"), out)

        items = [(str(task["id"]), task) for task in tasks]
        return await play_all(items, nothing, work, out, parallel, tell)


def served(place: Path) -> AbstractContextManager[str]:
    """A folder is served; the tasks of a single file name their own sites."""
    return serve(place) if place.is_dir() else nullcontext("")


@asynccontextmanager
async def nothing() -> AsyncIterator[None]:
    yield None


def fresh(folder: Path) -> Path:
    """A run that was cut off has no result: it is done again, beside what is left of it."""
    names = [folder, *(folder.with_name(f"{folder.name}-{count}") for count in range(2, 1000))]
    return next(name for name in names if not name.exists())


async def result_of(agent: Agent, task: str, kind: str, out: Path) -> Result:
    """A task that cannot be begun is a failure."""
    shared = {"kind": kind, "task": task}
    try:
        run = await agent.run()
    except SaccadeError as error:
        reason = " ".join(str(error).split())
        return {**shared, "right": False, "steps": 0, "seconds": 0.0, "reason": reason, "picture": None}
    return {**shared, **facts_of(run, out)}


def facts_of(run: Run, out: Path) -> Result:
    last = run.final_path or (run.steps[-1].screenshot_path if run.steps else None)
    return {
        "right": run.success,
        "status": run.status,
        "reason": run.reason,
        "steps": len(run.steps),
        "seconds": round(run.seconds, 3),
        "tokens": run.usage.prompt_tokens + run.usage.output_tokens,
        "written": run.usage.output_tokens,
        "action": run.steps[-1].describe() if run.steps else None,
        "thought": run.steps[-1].thought if run.steps else None,
        "run": run.folder.name,
        "picture": str(last.relative_to(out)) if last else None,
    }
