"""`saccade batch`: many tasks from a file."""

import asyncio
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from .options import AllowHost, Browser, Headed, Json, Model, SecretAt, Thinking

Parallel = Annotated[int, typer.Option(min=1, help="How many at once.")]


def batch(
    file: Annotated[Path, typer.Argument(metavar="TASKS", help="A file of JSON lines; '-' reads stdin.")],
    model: Model = "builtin",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of results, which is gone on with (default: runs/batch-<time>)."),
    ] = None,
    parallel: Parallel = 2,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Do those again that did not succeed.")
    ] = False,
    thinking: Annotated[Thinking, typer.Option(help="Where a task does not say.")] = Thinking.auto,
    max_steps: Annotated[int, typer.Option(help="Where a task does not say.")] = 20,
    viewport: Annotated[str | None, typer.Option(metavar="WxH", help="Where a task does not say.")] = None,
    secret: SecretAt = None,
    headed: Headed = False,
    allow_host: AllowHost = None,
    browser: Browser = None,
    as_json: Json = False,
) -> int:
    """Do many tasks, side by side; go on where an earlier batch was cut off."""
    from ..batch import Common, play, read_results, read_tasks
    from ..wiring import load_model, parse_secrets

    secrets = parse_secrets(secret or ())
    lines = sys.stdin if str(file) == "-" else read_lines(file)
    tasks = read_tasks(lines, "stdin" if str(file) == "-" else str(file))
    out = out or Path("runs") / f"batch-{datetime.now():%Y%m%d-%H%M%S}"
    known = read_results(out)
    if retry_failed:
        known = forget_failed(out, known)
    waiting = [task for task in tasks if task.id not in known]
    options: dict[str, Any] = {"thinking": thinking.value, "max_steps": max_steps, "secrets": secrets}
    options |= {"allow_hosts": allow_host} if allow_host else {}
    options |= {"viewport": viewport} if viewport else {}
    model_ = load_model(model)
    out.mkdir(parents=True, exist_ok=True)
    results = [known[task.id] for task in tasks if task.id in known]
    with Bar(len(tasks), results) as bar:

        def tell(result: dict[str, Any]) -> None:
            results.append(result)
            bar.tell(result)
            if as_json:
                print(json.dumps(result, ensure_ascii=False), flush=True)

        common = Common(options, headed, browser)
        asyncio.run(play(waiting, model_, common, out, parallel, tell))
    right = sum(bool(result["success"]) for result in results)
    print(f"{right} of {len(tasks)} tasks succeeded; results in {out / 'results.jsonl'}", file=sys.stderr)
    return 0 if right == len(tasks) else 1


def read_lines(file: Path) -> list[str]:
    from ...errors import InputError

    try:
        return file.read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read the tasks in {file}: {error}") from None


def forget_failed(out: Path, known: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Their folders and results are gone afterwards."""
    import shutil

    kept = {id: result for id, result in known.items() if result["success"]}
    for id in known.keys() - kept.keys():
        shutil.rmtree(out / id, ignore_errors=True)
    if known:
        lines = (json.dumps(result, ensure_ascii=False) + "\n" for result in kept.values())
        (out / "results.jsonl").write_text("".join(lines), "utf-8")
    return kept


class Bar:
    """Progress on stderr: a bar on a terminal, a line per result elsewhere."""

    def __init__(self, total: int, done: list[dict[str, Any]]):
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self.console = Console(stderr=True)
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        self._progress = Progress(*columns, console=self.console, disable=not self.console.is_terminal)
        self._right = sum(bool(result["success"]) for result in done)
        self._bar = self._progress.add_task(f"{self._right} right", total=total, completed=len(done))

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def tell(self, result: dict[str, Any]) -> None:
        self._right += bool(result["success"])
        self._progress.update(self._bar, advance=1, description=f"{self._right} right")
        if not self.console.is_terminal:
            words = (result["id"], result["status"], result.get("reason"))
            print(*filter(None, words), sep=": ", file=sys.stderr, flush=True)
