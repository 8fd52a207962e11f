"""The record of a run: steps, outcome, costs. Values only; knows no model and no page.

`Step.index` counts from 0 like the screenshot's file name; `Step.number` counts from 1 for people.
"""

import json
import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any, Literal

from PIL import Image
from pydantic import BaseModel

from ..errors import InputError
from ..tools.element import Element
from ..tools.observation import Effect, Observation
from ..vision.still import name_of
from .calls import Call, read_recorded
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


def fingerprint(seen: Observation) -> str:
    """Equal for pixel-identical screens."""
    return name_of(seen.image).hex()[:16]


@dataclass(frozen=True)
class Step:
    """One turn: what was seen, thought, done, and what came of it.

    `action` is None when the reply held no valid action; `error` then says why. `call` is the call as the
    model wrote it. `effect` is None for what never reaches the page (tools, ask_user, answer, terminate).
    `targets` says what the action pointed at, by parameter. `user_reply` answers an ask_user, `result` is
    what a tool returned, `told` what a person said before the step, `note` the agent's own remark to the
    model. `continues`: the call came with the same reply as the step before. `thinking`: the mode asked for.
    `instead`: what the model would have done first, and why it did not.
    """

    index: int
    url: str
    title: str
    screenshot_path: Path
    screen: str
    thought: str = ""
    text: str = ""
    call: ToolCall | None = None
    action: Call | None = None
    effect: Effect | None = None
    error: str | None = None
    user_reply: str | None = None
    result: str | None = None
    told: tuple[str, ...] = ()
    note: str | None = None
    targets: Mapping[str, Element] = field(default_factory=dict)
    continues: bool = False
    instead: str = ""
    thinking: str = "auto"
    confidence: float | None = None
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

    def said(self) -> str:
        """The thought in one line, in which its own lines stay apart: a wish and the deed for it."""
        return " / ".join(" ".join(line.split()) for line in self.thought.splitlines() if line.strip())

    def outcome(self) -> str:
        """What came of it, in one short human line."""
        if self.error:
            return f"failed: {self.error}"
        return self.effect.describe() if self.effect else self.result or ""

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
            "result": self.result,
            "told": list(self.told),
            "note": self.note,
            "targets": {name: target.to_dict() for name, target in self.targets.items()},
            "continues": self.continues,
            "instead": self.instead,
            "thinking": self.thinking,
            "confidence": self.confidence,
            "usage": asdict(self.usage),
            "timings": asdict(self.timings),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], folder: Path) -> "Step":
        """A line of the journal that lies in `folder`. Fields of later versions are left out."""
        known = _known(cls, values)
        return cls(
            **{
                **known,
                "screenshot_path": folder / values["screenshot"],
                "call": ToolCall(**values["call"]) if values["call"] else None,
                "action": read_recorded(values["action"]),
                "effect": _effect(values["effect"]),
                "told": tuple(values.get("told", ())),
                "targets": {k: Element.from_dict(v) for k, v in values.get("targets", {}).items()},
                "usage": Usage(**_known(Usage, values["usage"])),
                "timings": Timings(**_known(Timings, values["timings"])),
            }
        )


@dataclass(frozen=True)
class Outcome:
    """How a run ended: the status, one line of reason, and what the model answered.

    `output` is the answer in the user's own type. `evidence` is the number of the step whose screenshot shows
    the result. `verified`: True or False as an independent look judged it, None when nobody looked.
    """

    status: Status
    reason: str
    answer: str | None = None
    output: Any = None
    evidence: int | None = None
    verified: bool | None = None


@dataclass(frozen=True)
class ModeCost:
    """What one thinking mode cost in a run."""

    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Run:
    """A finished run. `seconds` is wall-clock time from the first observation to the end. `final_path` shows
    the page as it was left, when the last step's screenshot does not. `checks` is what verification cost.
    """

    task: str
    model: str
    outcome: Outcome
    steps: tuple[Step, ...]
    seconds: float
    folder: Path
    final_path: Path | None = None
    checks: Usage = NO_USAGE

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
    def output(self) -> Any:
        """The answer in the type that was asked for."""
        return self.outcome.output

    @property
    def verified(self) -> bool | None:
        return self.outcome.verified

    @property
    def evidence(self) -> Step | None:
        """The step whose screenshot shows the result."""
        return next((step for step in self.steps if step.number == self.outcome.evidence), None)

    @property
    def usage(self) -> Usage:
        return reduce(add, (step.usage for step in self.steps), self.checks)

    @property
    def timings(self) -> Timings:
        return reduce(add, (step.timings for step in self.steps), NO_TIME)

    @property
    def errors(self) -> list[str]:
        return [f"step {step.number}: {step.error}" for step in self.steps if step.error]

    @property
    def urls(self) -> list[str]:
        """The addresses in the order of the visit, each stay once."""
        return [s.url for i, s in enumerate(self.steps) if i == 0 or s.url != self.steps[i - 1].url]

    @property
    def history(self) -> list[str]:
        """One line per step."""
        return [f"{step.number}. {step.describe()} -> {step.outcome() or 'done'}" for step in self.steps]

    @property
    def by_thinking(self) -> dict[str, ModeCost]:
        """Steps, output tokens and the model's seconds by thinking mode."""
        groups: dict[str, list[Step]] = defaultdict(list)
        for step in self.steps:
            if not step.continues:
                groups[step.thinking].append(step)
        return {mode: _mode_cost(steps) for mode, steps in groups.items()}

    def cost(self, input: float, output: float, cached: float | None = None) -> float:
        """In the currency of the prices, which are per million tokens; `cached` defaults to `input`."""
        usage, cached = self.usage, input if cached is None else cached
        fresh = usage.prompt_tokens - usage.cached_tokens
        return (fresh * input + usage.cached_tokens * cached + usage.output_tokens * output) / 1e6

    def to_dict(self, steps: bool = False) -> dict[str, Any]:
        """The result, ready for JSON; its steps are in the journal and come along on demand."""
        outcome, output = self.outcome, self.outcome.output
        return {
            "task": self.task,
            "model": self.model,
            "success": self.success,
            "status": outcome.status,
            "reason": outcome.reason,
            "answer": outcome.answer,
            "output": output.model_dump(mode="json") if isinstance(output, BaseModel) else output,
            "evidence": outcome.evidence,
            "verified": outcome.verified,
            "steps": [step.to_dict() for step in self.steps] if steps else len(self.steps),
            "usage": asdict(self.usage),
            "checks": asdict(self.checks),
            "by_thinking": {mode: asdict(cost) for mode, cost in self.by_thinking.items()},
            "timings": asdict(self.timings),
            "seconds": self.seconds,
            "folder": str(self.folder),
            "final": self.final_path.name if self.final_path else None,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], output: type[BaseModel] | None = None) -> "Run":
        """The inverse of `to_dict(steps=True)`; `output` gives the answer its type back."""
        folder = Path(values["folder"])
        answer = values.get("output")
        if output is not None and answer is not None:
            answer = output.model_validate(answer)
        outcome = Outcome(**{**_known(Outcome, values), "output": answer})
        final = values.get("final")
        return cls(
            task=values["task"],
            model=values["model"],
            outcome=outcome,
            steps=tuple(Step.from_dict(step, folder) for step in values["steps"]),
            seconds=values["seconds"],
            folder=folder,
            final_path=folder / final if final else None,
            checks=Usage(**_known(Usage, values.get("checks", {}))),
        )

    @classmethod
    def load(cls, folder: str | os.PathLike, output: type[BaseModel] | None = None) -> "Run":
        """A run from its folder, also one that was cut off. Raises InputError when there is none."""
        folder = Path(folder)
        header, steps = read_folder(folder)
        cut_off = header.get("status", "running") == "running"
        cut = {"status": "interrupted", "reason": "the run was cut off"} if cut_off else {}
        defaults = {"seconds": 0.0, "reason": "", "model": ""}
        return cls.from_dict({**defaults, **header, **cut, "steps": steps, "folder": folder}, output)

    def plot(self, path: str | os.PathLike) -> Path:
        """Seconds by phase and tokens, step by step, as a PNG or SVG. Needs matplotlib."""
        from .plot import plot_run

        return plot_run(self, Path(path))


def read_folder(folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """`run.json` and the journal's whole lines; a line that was cut off in the middle is left out."""
    try:
        header = json.loads((folder / "run.json").read_text("utf-8"))
        journal = folder / "journal.jsonl"
        lines = journal.read_text("utf-8").split("\n")[:-1] if journal.exists() else []
        return header, [json.loads(line) for line in lines]
    except (OSError, ValueError) as error:
        raise InputError(f"there is no run in {folder} ({error}); give the folder of a run") from None


def _known(kind: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in values.items() if name in names}


def _effect(values: Mapping[str, Any] | None) -> Effect | None:
    if values is None:
        return None
    hit = values.get("hit")
    regions = tuple(tuple(region) for region in values.get("regions", ()))
    known = {**_known(Effect, values), "regions": regions}
    return Effect(**{**known, "hit": Element.from_dict(hit) if hit else None})


def _mode_cost(steps: list[Step]) -> ModeCost:
    seconds = sum(s.timings.vision + s.timings.prefill + s.timings.decode for s in steps)
    return ModeCost(len(steps), sum(s.usage.output_tokens for s in steps), seconds)
