"""`/v1/runs`: start an agent, watch it as server-sent events, approve, answer, pause, cancel, fetch files.

A client names a task and an address; which private hosts may be reached, where runs are kept and which model
drives them is for the one who serves to say. Runs live in the shared registry: they go on unwatched.
"""

import asyncio
import mimetypes
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header
from fastapi.responses import FileResponse, Response
from pydantic import Field

from ...agent import Agent
from ...agent.journal import STATE, default_folder
from ...tools.policy import NetworkPolicy
from ..desk import free
from ..liverun import LiveRun
from ..registry import Registry
from ..runs import FILES, export_run
from ..wiring import make_browser
from .closing import Closing
from .errors import ApiError
from .metrics import Metrics
from .settings import Settings
from .sse import event, response
from .wire import Count, Strict

OWNER = "api"
NEVER_SENT = (STATE,)  # the cookies of a run that may go on


class RunRequest(Strict):
    """The options of `saccade run`, as far as they are the client's to choose."""

    task: Annotated[str, Field(min_length=1, max_length=20_000)]
    url: str | None = None
    thinking: Literal["fast", "auto", "deep"] = "auto"
    max_steps: Annotated[int, Field(ge=1, le=1000)] = 20
    max_seconds: Annotated[float, Field(gt=0)] | None = None
    max_tokens: Count | None = None
    until: str | None = None
    verify: bool = False
    ask_before: Literal["never", "risky", "always"] = "never"
    viewport: str | None = None
    allow_hosts: Annotated[list[str], Field(default_factory=list)]


class Word(Strict):
    """What a person says, to the model."""

    text: str = ""


class Verdict(Strict):
    approve: bool = True
    text: str = ""


class Runs:
    def __init__(self, model: Any, settings: Settings, metrics: Metrics, closing: Closing):
        self.model, self.settings, self.metrics = model, settings, metrics
        self.registry = Registry()
        self._counting: set[asyncio.Task[None]] = set()
        closing.tell(self.stop)
        metrics.running.set_function(lambda: len(self.going))
        self.router = APIRouter(prefix="/v1/runs")
        add = self.router.add_api_route
        add("", self.start, methods=["POST"], status_code=201)
        add("", self.list, methods=["GET"])
        add("/{id}", self.show, methods=["GET"])
        add("/{id}/events", self.events, methods=["GET"])
        add("/{id}/screenshot", self.screenshot, methods=["GET"])
        add("/{id}/approve", self.approve, methods=["POST"])
        add("/{id}/answer", self.answer, methods=["POST"])
        add("/{id}/tell", self.tell, methods=["POST"])
        add("/{id}/pause", self.pause, methods=["POST"])
        add("/{id}/resume", self.resume, methods=["POST"])
        add("/{id}/cancel", self.cancel, methods=["POST"])
        add("/{id}/files", self.files, methods=["GET"])
        add("/{id}/files/{name:path}", self.file, methods=["GET"])
        add("/{id}/export/{kind}", self.export, methods=["GET"])

    @property
    def going(self) -> list[LiveRun]:
        return [live for live in self.registry.of(OWNER) if not live.ended]

    def stop(self) -> None:
        """All of them; each is journaled as interrupted, and `saccade resume` goes on with it."""
        for live in self.registry.runs:
            live.stop()

    async def start(self, body: RunRequest) -> dict[str, Any]:
        if len(self.going) >= self.settings.max_runs:
            raise ApiError(
                429, f"{self.settings.max_runs} runs go on already", None, "runs_full", {"Retry-After": "10"}
            )
        live = self.registry.start(await self.agent(body), OWNER)
        counting = asyncio.create_task(self._count(live))
        self._counting.add(counting)  # a task that nobody holds may be collected before its end
        counting.add_done_callback(self._counting.discard)
        return described(live)

    async def agent(self, body: RunRequest) -> Agent:
        """Raises ApiError, PolicyError and InputError."""
        foreign = sorted(set(body.allow_hosts) - set(self.settings.allow_hosts))
        if foreign:
            raise ApiError(
                403, f"{', '.join(foreign)}: not among the hosts that this server allows", "allow_hosts"
            )
        if body.url:
            await NetworkPolicy(self.settings.allow_hosts).check(body.url)
        hosts = body.allow_hosts or self.settings.allow_hosts
        executable = self.settings.browser
        return Agent(
            body.task,
            self.model,
            make_browser(body.url, body.viewport, allow_hosts=hosts, executable=executable),
            thinking=body.thinking,
            out=free(self.settings.runs / default_folder(body.task).name),
            max_steps=body.max_steps,
            max_seconds=body.max_seconds,
            max_tokens=body.max_tokens,
            until=body.until,
            verify=body.verify,
            ask_before=body.ask_before,
        )

    async def list(self) -> dict[str, Any]:
        return {"object": "list", "data": [described(live) for live in self.registry.of(OWNER)]}

    async def show(self, id: str) -> dict[str, Any]:
        return described(self.find(id))

    async def events(
        self,
        id: str,
        after: Annotated[int, Field(ge=0)] = 0,
        last_event_id: Annotated[int | None, Header()] = None,
    ) -> Response:
        """From the beginning, or after the number of an event, which `Last-Event-ID` tells as well."""
        live, first = self.find(id), max(after, last_event_id or 0)
        return await response(self._lines(live, first), self.settings.keep_alive_s)

    async def _lines(self, live: LiveRun, after: int) -> AsyncGenerator[str]:
        happened = live.events(after)
        try:
            async for line in happened:
                yield event(public(line), line["event"], line["number"])
        finally:
            await happened.aclose()  # type: ignore[attr-defined]

    async def screenshot(self, id: str) -> Response:
        """The page as the model last saw it, with what it is about to do."""
        live = self.find(id)
        if live.frame is None:
            raise ApiError(404, "nothing has been seen yet", code="no_screenshot")
        return Response(
            await asyncio.to_thread(lambda frame: frame.jpeg, live.frame), media_type="image/jpeg"
        )

    async def approve(self, id: str, body: Verdict) -> dict[str, Any]:
        live = self.in_phase(id, "approving")
        live.approve(body.approve, body.text)
        return described(live)

    async def answer(self, id: str, body: Word) -> dict[str, Any]:
        live = self.in_phase(id, "asking")
        live.answer(body.text)
        return described(live)

    async def tell(self, id: str, body: Word) -> dict[str, Any]:
        live = self.in_phase(id)
        live.tell(body.text)
        return described(live)

    async def pause(self, id: str) -> dict[str, Any]:
        live = self.in_phase(id)
        live.pause()
        return described(live)

    async def resume(self, id: str, body: Word | None = None) -> dict[str, Any]:
        live = self.in_phase(id)
        live.resume(body.text if body else "")
        return described(live)

    async def cancel(self, id: str) -> dict[str, Any]:
        live = self.find(id)
        live.stop()
        return described(live)

    async def files(self, id: str) -> dict[str, Any]:
        live = self.find(id)
        found = await asyncio.to_thread(files_in, folder_of(live))
        return {"object": "list", "data": found}

    async def file(self, id: str, name: str) -> Response:
        folder = folder_of(self.find(id))
        if name not in [each["name"] for each in await asyncio.to_thread(files_in, folder)]:
            raise ApiError(404, f"the run has no file {name!r}", code="no_such_file")
        return sent(folder / name)

    async def export(self, id: str, kind: str) -> Response:
        """Made on demand, once the run has ended."""
        live = self.find(id)
        if kind not in FILES:
            raise ApiError(404, f"there is no export {kind!r}: use {', '.join(FILES)}", code="no_such_export")
        if not live.ended:
            raise ApiError(409, "the run goes on: export it once it has ended", code="wrong_phase")
        return sent(await asyncio.to_thread(export_run, folder_of(live), kind, None))

    def find(self, id: str) -> LiveRun:
        found = [live for live in self.registry.of(OWNER) if live.id == id]
        if not found:
            raise ApiError(404, f"there is no run {id!r}", code="run_not_found")
        return found[0]

    def in_phase(self, id: str, phase: str | None = None) -> LiveRun:
        live = self.find(id)
        if live.ended or (phase is not None and live.phase != phase):
            raise ApiError(409, f"the run is {live.phase}, so this cannot be done", code="wrong_phase")
        return live

    async def _count(self, live: LiveRun) -> None:
        async for _ in live.watch():
            pass
        self.metrics.runs.labels(status_of(live)).inc()


def described(live: LiveRun) -> dict[str, Any]:
    return {
        "id": live.id,
        "object": "run",
        "created": int(live.started),
        "status": status_of(live),
        "task": live.agent.task,
        "steps": len(live.steps),
        "url": live.frame.url if live.frame else None,
        "thought": live.thought or None,
        "plan": live.plan.describe() if live.plan else None,
        "question": live.question,
        "risk": live.risk,
        "error": live.error,
        "result": public(live.result.to_dict()) if live.result else None,
    }


def status_of(live: LiveRun) -> str:
    """The phase while it goes on, then how it ended."""
    if not live.ended:
        return "pausing" if live.pausing else live.phase
    return live.result.status if live.result else "error"


def public(values: dict[str, Any]) -> dict[str, Any]:
    """Where the run lies on the server's disk is not the client's business."""
    return {name: value for name, value in values.items() if name != "folder"}


def folder_of(live: LiveRun) -> Path:
    return Path(str(live.agent.out))


def files_in(folder: Path) -> list[dict[str, Any]]:
    """Regular files only: a link could lead out of the folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [
        {"name": path.relative_to(folder).as_posix(), "bytes": path.stat().st_size}
        for path in paths
        if path.name not in NEVER_SENT and path.suffix != ".partial"
    ]


def sent(path: Path) -> Response:
    """As a download: what a page wrote must not run as a page of this server."""
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    shown = kind.startswith(("image/", "video/")) and kind != "image/svg+xml"
    headers = {"Content-Security-Policy": "sandbox"}
    how = "inline" if shown else "attachment"
    return FileResponse(
        path, media_type=kind, filename=path.name, headers=headers, content_disposition_type=how
    )
