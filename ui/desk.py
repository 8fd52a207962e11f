"""What stands between the web UI and the runs: orders become agents, runs become what is to be shown.

A visitor is one browser, known by a token that it keeps. Knows agents, runs and HTML; knows no Gradio.
"""

import asyncio
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from ..agent import Agent, Run, Secret
from ..agent.approval import Ask
from ..agent.journal import default_folder
from ..agent.run import read_folder
from ..agent.thinking import Budget
from ..errors import InputError, SaccadeError
from .board import live_page, notice_card, step_list, step_row, thought_card, trouble, verdict_card
from .hands import read_deed
from .liverun import LiveRun
from .registry import Registry
from .wiring import make_browser

BUILTIN = "builtin"
KINDS = {"Built-in": BUILTIN, "Folder": "folder", "Hub id": "hub", "Server": "server"}
OWNER = "owner"
TWICE_S = 3.0  # an equal order within this time is the same press: hands and browsers send some twice
View = dict[str, Any]
"""What is to be shown of a run: HTML by pane, and `phase`, `hands`, `pausing` for the switches."""
NOTHING: View = {
    "live": live_page(),
    "thought": thought_card(),
    "steps": step_list([]),
    "verdict": "",
    "notice": "",
    "phase": "none",
    "hands": False,
    "pausing": False,
    "folder": "",
}


@dataclass(frozen=True)
class Defaults:
    """What stands in the fields at first, and what only the one who starts the server decides."""

    url: str = ""
    model: str = BUILTIN
    max_steps: int = 20
    allow_hosts: tuple[str, ...] = ()
    runs: Path = Path("runs")
    executable: Path | None = None
    secrets: Mapping[str, Secret] = field(default_factory=dict)


@dataclass(frozen=True)
class Order:
    """What the fields say when Run is pressed."""

    task: str
    url: str
    kind: str | None
    which: str
    thinking: str
    budget: float
    ask_before: str
    max_steps: float
    hosts: str

    @property
    def model(self) -> str:
        return model_name(self.kind, self.which)


class Desk:
    """Takes orders, finds runs again, keeps people apart."""

    def __init__(self, defaults: Defaults, registry: Registry | None = None):
        self.defaults = defaults
        self.registry = registry or Registry()
        self._last: dict[str, tuple[float, Order, LiveRun]] = {}
        self._starting = threading.Lock()

    def start(self, order: Order, visitor: str) -> LiveRun:
        """The run, which is the one going on when its button was pressed twice.

        Raises InputError for an order that cannot be carried out.
        """
        with self._starting:
            began, before, live = self._last.get(visitor, (0.0, None, None))
            if live and before == order and not live.ended and time.monotonic() - began < TWICE_S:
                return live
            live = self.registry.start(self.agent(order, visitor), visitor)
            self._last[visitor] = time.monotonic(), order, live
            return live

    def agent(self, order: Order, visitor: str) -> Agent:
        folder = free(self.defaults.runs / default_folder(order.task).name)
        hosts = [*self.defaults.allow_hosts, *order.hosts.replace(",", " ").split()]
        return Agent(
            order.task,
            order.model,
            browser=make_browser(
                order.url.strip() or None, allow_hosts=hosts, executable=self.defaults.executable
            ),
            thinking=cast(Any, Budget(cast(Any, order.thinking), int(order.budget))),
            out=folder,
            on_event=lambda _: mark_owner(folder, visitor),
            max_steps=int(order.max_steps),
            ask_before=cast(Ask, order.ask_before),
            secrets=self.defaults.secrets,
        )

    def latest(self, visitor: str) -> LiveRun | None:
        """What the visitor comes back to."""
        mine = self.registry.of(visitor) if visitor else []
        return next((live for live in mine if not live.ended), next(iter(mine), None))

    def owned(self, id: str | None, visitor: str) -> LiveRun | None:
        """The visitor's own run, and nobody else's."""
        found = next((live for live in self.registry.of(visitor) if live.id == id), None)
        return found if visitor else None

    async def watch(self, live: LiveRun) -> AsyncIterator[View]:
        """From now until the end; leaving early lets the run go on."""
        rows: list[str] = []
        async for _ in live.watch():
            for step in live.steps[len(rows) :]:
                rows.append(await asyncio.to_thread(step_row, step))
            yield await asyncio.to_thread(view, live, rows)

    async def act(self, deed: dict[str, Any]) -> str:
        """A person's deed in the page, whose run is named by its secret id; what went wrong, or nothing."""
        try:
            return await self.registry.get(str(deed.get("run"))).act(read_deed(deed)) or ""
        except SaccadeError as error:
            return str(error)

    def folders(self, visitor: str) -> list[dict[str, Any]]:
        """The headers of the runs that this visitor may see, newest first: nobody's, and the own.

        A run without an end is "running" only while it goes on here; else it was cut off, or another
        program is at it.
        """
        found = []
        for path in self.defaults.runs.glob("*/run.json"):
            if may_see(path.parent, visitor):
                header, _ = read_folder(path.parent)
                header |= {"folder": str(path.parent)}
                if header.get("status") == "running" and not self.goes_on(path.parent):
                    header["status"] = "unfinished"
                found.append(header)
        return sorted(found, key=lambda header: str(header.get("started", "")), reverse=True)

    def goes_on(self, folder: str | Path) -> bool:
        """Whether the run in this folder is one of this server's, and has not ended."""
        at = Path(folder).resolve()
        return any(not it.ended and Path(it.agent.out or "").resolve() == at for it in self.registry.runs)

    def open(self, folder: str, visitor: str) -> Run:
        """Raises InputError for a folder outside the runs, or of somebody else."""
        path = Path(folder)
        if path.parent.resolve() != self.defaults.runs.resolve() or not may_see(path, visitor):
            raise InputError("there is no such run among yours")
        return Run.load(path)


def view(live: LiveRun, rows: list[str]) -> View:
    verdict = verdict_card(live.result) if live.result else trouble(live.error) if live.error else ""
    plan = live.plan.describe() if live.plan else ""
    return {
        "live": live_page(live),
        "thought": thought_card(len(rows) + (not live.ended), live.thought, plan),
        "steps": step_list(rows),
        "verdict": verdict,
        "notice": notice_card(live),
        "phase": live.phase,
        "hands": live.hands,
        "pausing": live.pausing,
        "folder": str(live.result.folder) if live.result and live.steps else "",
    }


def model_name(kind: str | None, which: str) -> str:
    """Raises InputError when a kind that needs a name has none."""
    if kind in (None, BUILTIN):
        return BUILTIN
    if not which.strip():
        raise InputError("say which model: a folder, a hub id, or a server's address")
    return which.strip()


def kind_of(model: str) -> str:
    """Of the choices that the fields offer."""
    if model == BUILTIN:
        return BUILTIN
    if model.startswith(("http://", "https://")):
        return "server"
    return "folder" if Path(model).exists() or model.endswith(".jsonl") else "hub"


def new_visitor() -> str:
    return secrets.token_urlsafe(18)


def mark_owner(folder: Path, visitor: str) -> None:
    """Only the token's digest is kept."""
    if visitor and not (folder / OWNER).exists():
        (folder / OWNER).write_text(_digest(visitor), "utf-8")


def may_see(folder: Path, visitor: str) -> bool:
    try:
        return hmac.compare_digest((folder / OWNER).read_text("utf-8"), _digest(visitor))
    except FileNotFoundError:
        return True


def _digest(visitor: str) -> str:
    return hashlib.sha256(visitor.encode()).hexdigest()


def free(folder: Path) -> Path:
    """Several people may press Run within a second."""
    names = [folder, *(folder.with_name(f"{folder.name}-{count}") for count in range(2, 100))]
    return next((name for name in names if not name.exists()), folder)
