"""What the command line does with recorded runs: list them, do one again, turn one into a file."""

import asyncio
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..agent import Run, Secret
from ..agent.run import read_folder
from ..errors import InputError

if TYPE_CHECKING:
    from ..agent.replay import Replay
    from ..tools import Browser

FILES = {
    "playwright": "run.py",
    "pytest": "test_run.py",
    "gif": "run.gif",
    "mp4": "run.mp4",
    "html": "run.html",
}
COLORS = {"success": "green", "failure": "red", "error": "red"}


def list_runs(folder: Path) -> list[dict[str, Any]]:
    """The newest first; one line of facts each."""
    found = [path.parent for path in folder.rglob("run.json")] if folder.is_dir() else []
    runs = [
        {**read_folder(path)[0], "folder": str(path), "done": len(read_folder(path)[1])} for path in found
    ]
    return sorted(runs, key=lambda run: str(run.get("started", "")), reverse=True)


def runs_table(runs: list[dict[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for heading in ("status", "steps", "started", "task", "folder"):
        table.add_column(heading, justify="right" if heading == "steps" else "left")
    for run in runs:
        status = str(run.get("status", ""))
        cells = [str(run["done"]), str(run.get("started", ""))[:16], str(run.get("task", "")), run["folder"]]
        table.add_row(Text(status, style=COLORS.get(status, "yellow")), *(Text(cell) for cell in cells))
    return table


def check_removable(folder: Path) -> None:
    """Raises InputError for a folder that holds no run, or that holds more than one run's files."""
    read_folder(folder)
    if any(path.parent != folder for path in folder.rglob("run.json")):
        raise InputError(f"{folder} holds other runs as well: name them one by one")


def remove_run(folder: Path) -> None:
    shutil.rmtree(folder)


def export_run(folder: Path, kind: str, out: Path | None) -> Path:
    """Raises InputError for a run without steps."""
    run, path = Run.load(folder), out or folder / FILES[kind]
    if not run.steps:
        raise InputError(f"the run in {folder} has no step to export")
    match kind:
        case "playwright":
            from ..agent.script import export_playwright as export
        case "pytest":
            from ..agent.script import export_pytest as export
        case "html":
            from ..agent.html import export_html as export
        case "gif":
            from ..agent.export import export_gif as export
        case _:
            from ..agent.export import export_mp4 as export
    return export(run, path)


def replay_run(folder: Path, browser: "Browser", model: str | None, until: str | None) -> "Replay":
    """In a browser that begins where the run began, or at the address that it was given."""
    header, _ = read_folder(folder)
    return asyncio.run(_replay(Run.load(folder), header, browser, model, until))


async def _replay(
    run: Run, header: dict[str, Any], browser: "Browser", model: str | None, until: str | None
) -> "Replay":
    from ..agent.replay import Replayer
    from .wiring import load_model

    browser.url = browser.url or header.get("url")
    if browser.viewport is None and header.get("viewport"):
        browser.viewport = tuple(header["viewport"])
    async with browser:
        replayer = Replayer(
            run,
            browser,
            start=header.get("url"),
            model=load_model(model) if model else None,
            until=until or header.get("until"),
            secrets=secrets_from(os.environ, browser.url),
        )
        return await replayer.play()


def secrets_from(environment: Mapping[str, str], url: str | None) -> dict[str, Secret]:
    """SECRET_CODE is `{{code}}`, for the site where the replay begins."""
    site = urlsplit(url or "").netloc
    found = {key: value for key, value in environment.items() if key.startswith("SECRET_") and site}
    return {key.removeprefix("SECRET_").lower(): Secret(value, (site,)) for key, value in found.items()}


def replay_table(report: "Replay") -> Table:
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for heading in ("#", "action", "found by", "moved px", "drift"):
        table.add_column(heading, justify="right" if heading in ("#", "moved px") else "left")
    for step in report.steps:
        moved = f"{step.moved_px:.0f}" if step.moved_px >= 1 else ""
        color = "red" if step.how == "lost" or step.error else "cyan" if step.how != "skipped" else "dim"
        drift = Text(step.error or step.drift or "")
        table.add_row(str(step.number), Text(step.description), Text(step.how, style=color), moved, drift)
    return table


def print_report(report: "Replay") -> None:
    Console().print(replay_table(report))
    Console().print(Text(report.reason, style="green" if report.success else "red"))
