"""What a run leaves behind: its steps, its outcome, its costs. Values only; knows no model and no page.

`Step.index` counts from 0 like the screenshot's file name; `Step.number` counts from 1 for people.
"""

from dataclasses import asdict, dataclass, fields
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from ..tools.actions import Action
from ..tools.observation import Effect
from .protocol import NO_USAGE, ToolCall, Usage

Status = Literal["success", "failure", "limit", "needs_user", "interrupted", "error"]


@dataclass(frozen=True)
class Timings:
    """Seconds by phase of a step, or of a whole run."""

    observe: float = 0.0
    vision: float = 0.0
    prefill: float = 0.0
    decode: float = 0.0
    act: float = 0.0

    @property
    def total(self) -> float:
        return sum(asdict(self).values())

    def __add__(self, other: "Timings") -> "Timings":
        return Timings(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


NO_TIME = Timings()


@dataclass(frozen=True)
class Step:
    """One turn: what was seen, thought, done, and what came of it.

    `action` is None when the reply held no valid action; `error` then says why. `call` is the reply's first
    call as the model wrote it. `effect` is None for actions that never reach the page (ask_user, answer,
    terminate). `user_reply` answers an ask_user; `note` is the agent's own remark to the model.
    """

    index: int
    url: str
    title: str
    screenshot_path: Path
    screen: str
    thought: str = ""
    text: str = ""
    call: ToolCall | None = None
    action: Action | None = None
    effect: Effect | None = None
    error: str | None = None
    user_reply: str | None = None
    note: str | None = None
    usage: Usage = NO_USAGE
    timings: Timings = NO_TIME

    @property
    def number(self) -> int:
        return self.index + 1

    @property
    def screenshot(self) -> Image.Image:
        """What the model saw before it acted, read from disk on each use."""
        with Image.open(self.screenshot_path) as image:
            return image.convert("RGB")

    @property
    def visible(self) -> bool:
        """Whether the action changed the page in a way that one can see."""
        return self.effect is not None and self.effect.visible

    def describe(self) -> str:
        """The action in one short human line."""
        return self.action.describe() if self.action else "no valid action"

    def outcome(self) -> str:
        """What came of it, in one short human line."""
        if self.error:
            return f"failed: {self.error}"
        return self.effect.describe() if self.effect else ""

    def to_dict(self) -> dict[str, Any]:
        """The line of the journal, ready for JSON."""
        return {
            "index": self.index,
            "url": self.url,
            "title": self.title,
            "screenshot": self.screenshot_path.name,
            "screen": self.screen,
            "thought": self.thought,
            "text": self.text,
            "call": asdict(self.call) if self.call else None,
            "action": self.action.arguments() if self.action else None,
            "description": self.describe(),
            "effect": asdict(self.effect) if self.effect else None,
            "outcome": self.outcome(),
            "error": self.error,
            "user_reply": self.user_reply,
            "note": self.note,
            "usage": asdict(self.usage),
            "timings": asdict(self.timings),
        }


@dataclass(frozen=True)
class Outcome:
    """How a run ended: the status, one line of reason, and the model's answer if it gave one."""

    status: Status
    reason: str
    answer: str | None = None


@dataclass(frozen=True)
class Run:
    """A finished run. `seconds` is wall-clock time from the first observation to the end. `final_path` shows
    the page as it was left, when the last step's screenshot does not.
    """

    task: str
    model: str
    outcome: Outcome
    steps: tuple[Step, ...]
    seconds: float
    folder: Path
    final_path: Path | None = None

    @property
    def success(self) -> bool:
        return self.outcome.status == "success"

    @property
    def status(self) -> Status:
        return self.outcome.status

    @property
    def reason(self) -> str:
        return self.outcome.reason

    @property
    def answer(self) -> str | None:
        return self.outcome.answer

    @property
    def usage(self) -> Usage:
        return reduce(add, (step.usage for step in self.steps), NO_USAGE)

    @property
    def timings(self) -> Timings:
        return reduce(add, (step.timings for step in self.steps), NO_TIME)

    def to_dict(self) -> dict[str, Any]:
        """The result without its steps, ready for JSON; the steps are in the journal."""
        return {
            "task": self.task,
            "model": self.model,
            "success": self.success,
            "status": self.status,
            "reason": self.reason,
            "answer": self.answer,
            "steps": len(self.steps),
            "usage": asdict(self.usage),
            "timings": asdict(self.timings),
            "seconds": self.seconds,
            "folder": str(self.folder),
        }
