"""What a run comes to: a structured output, and a second look that says whether the task is really done.

Knows messages and screenshots; knows no browser.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image
from pydantic import BaseModel, ValidationError

from ..errors import ActionError
from .protocol import NO_USAGE, ChatModel, Usage
from .usertools import first_fault, untyped

FINISH, VERDICT = "finish", "verdict"
EVIDENCE = "evidence_step"
LOOKED_AT = 3


@dataclass(frozen=True)
class Finish:
    """The end of a run with an output of the user's own type; `evidence` is the step that shows it."""

    output: BaseModel
    evidence: int | None = None
    action: str = FINISH

    def arguments(self) -> dict[str, Any]:
        shown = {EVIDENCE: self.evidence} if self.evidence is not None else {}
        return {"action": FINISH, **self.output.model_dump(mode="json"), **shown}

    def describe(self) -> str:
        return f"Finish with {self.output!r}"


def finish_schema(output: type[BaseModel]) -> dict[str, Any]:
    """The output's own schema as a function, and where the evidence is."""
    schema = output.model_json_schema()
    step = {"type": "integer", "minimum": 1, "description": "Number of the screenshot that shows the result."}
    parameters = {**schema, "properties": {**schema.get("properties", {}), EVIDENCE: step}}
    parameters.pop("title", None)
    said = f"Finish the task with its result. {(output.__doc__ or '').strip()}".strip()
    return {"type": "function", "function": {"name": FINISH, "description": said, "parameters": parameters}}


def read_finish(output: type[BaseModel], given: dict[str, Any] | str) -> Finish:
    """From a call's arguments, or from an answer that holds them as JSON. Raises ActionError."""
    try:
        if isinstance(given, str):
            return Finish(output.model_validate_json(given))
        values = untyped({name: value for name, value in given.items() if name != EVIDENCE})
        evidence = given.get(EVIDENCE)
        return Finish(output.model_validate(values), int(evidence) if evidence is not None else None)
    except (ValidationError, TypeError, ValueError) as error:
        why = first_fault(error) if isinstance(error, ValidationError) else str(error)
        raise ActionError(
            f"the result is no {output.__name__} ({why}): call {FINISH} with its fields"
        ) from None


@dataclass(frozen=True)
class Verdict:
    """What a second look says. `success` is None when the model gave no verdict."""

    success: bool | None
    reason: str = ""
    evidence: int | None = None
    usage: Usage = NO_USAGE


VERDICT_SCHEMA = {
    "type": "function",
    "function": {
        "name": VERDICT,
        "description": "Say whether the task is done, as the screenshots show it.",
        "parameters": {
            "type": "object",
            "properties": {
                "success": {"type": "boolean", "description": "True only when a screenshot shows it."},
                "reason": {"type": "string", "description": "What shows it, or what is missing."},
                EVIDENCE: {"type": "integer", "description": "Number of the screenshot that shows it."},
            },
            "required": ["success", "reason"],
        },
    },
}


async def verify(
    model: ChatModel, task: str, claim: str, screens: Sequence[tuple[int, Image.Image]]
) -> Verdict:
    """A fresh look at numbered screenshots, without the history that led there."""
    parts: list[dict[str, Any]] = [{"type": "text", "text": f"The task was: {task}"}]
    for number, image in screens:
        parts += [{"type": "text", "text": f"Screenshot {number}:"}, {"type": "image", "image": image}]
    asked = f"It is claimed that the task is done: {claim}. Judge by the screenshots alone: is it?"
    parts.append({"type": "text", "text": asked})
    reply = await model.reply([{"role": "user", "content": parts}], [VERDICT_SCHEMA], "deep")
    usage = Usage.of(reply.usage)
    for call in reply.calls:
        if call.name == VERDICT:
            return _read_verdict(call.arguments, usage)
    return Verdict(None, "the check gave no verdict", usage=usage)


def _read_verdict(arguments: dict[str, Any], usage: Usage) -> Verdict:
    success = arguments.get("success")
    success = (
        success if isinstance(success, bool) else {"true": True, "false": False}.get(str(success).lower())
    )
    try:
        evidence = int(arguments[EVIDENCE])
    except (KeyError, TypeError, ValueError):
        evidence = None
    return Verdict(success, str(arguments.get("reason", "")), evidence, usage)
