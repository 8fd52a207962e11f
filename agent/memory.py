"""What the model is shown at each step: two memories behind one Protocol.

`ConversationMemory` (conversation.py) grows turn by turn, for models with long contexts and a prefix cache.
`SnapshotMemory` is one user turn per step, for small models; the built-in model is trained on exactly its
text.
Knows messages, steps and observations; knows no model and no wire format.
"""

from typing import Any, Protocol

from PIL import Image

from ..tools.observation import Observation
from .protocol import MemoryKind
from .run import Step
from .usertools import Tool


class Memory(Protocol):
    tools: tuple[Tool, ...]
    """Tools by which the model works on its memory."""

    def see(self, observation: Observation) -> list[dict]:
        """Take in what the page looks like now; return the messages for the model."""
        ...

    def record(self, step: Step) -> None:
        """Take in what was done."""
        ...

    def tell(self, text: str) -> None:
        """Take in a word from a person or from the agent, for the model to read at its next step."""
        ...

    def shrink(self) -> list[dict] | None:
        """The messages of this step, shorter: they did not fit. None when there is nothing to leave out."""
        ...


def make_memory(kind: MemoryKind, task: str, about: str = "", max_tokens: int | None = None) -> Memory:
    """`about`: what else the model must know, beside the task. `max_tokens` bounds a conversation."""
    from .conversation import ConversationMemory

    if kind == "snapshot":
        return SnapshotMemory(task)
    return ConversationMemory(task, about, **({"max_tokens": max_tokens} if max_tokens else {}))


class SnapshotMemory:
    """Screenshot, task, and one line per step of the last `keep_lines` steps."""

    tools: tuple[Tool, ...] = ()

    def __init__(self, task: str, keep_lines: int = 12):
        self.task = task
        self.keep_lines = keep_lines
        self._lines: list[str] = []

    def see(self, observation: Observation) -> list[dict]:
        text = snapshot_text(self.task, self._lines, self.keep_lines)
        return [user(image_part(observation.image), text_part(text))]

    def record(self, step: Step) -> None:
        self._lines.append(snapshot_line(step))

    def tell(self, text: str) -> None:
        self._lines.append(text)

    def shrink(self) -> list[dict] | None:
        return None


def snapshot_text(task: str, lines: list[str], keep_lines: int = 12) -> str:
    """The text beside the screenshot. Numbers stay when old lines go; there is no trailing newline."""
    text = f"Task: {task}"
    if not lines:
        return text
    numbered = [f"{number}. {line}" for number, line in enumerate(lines, 1)]
    return "\n".join([text, "Done:", *numbered[-keep_lines:]])


def snapshot_line(step: Step) -> str:
    """What is remembered of a step: the last line of its thought, else what was done, and what came of it."""
    thought = " ".join(step.thought.strip().rpartition("\n")[2].split()) or step.describe()
    if step.error:
        return f"{thought} (failed: {step.error})"
    if step.user_reply:
        return f"{thought} (the user answers: {step.user_reply})"
    if step.result is not None:
        return f"{thought} (result: {step.result})"
    return thought if step.visible else f"{thought} (no change)"


def user(*content: dict) -> dict[str, Any]:
    return {"role": "user", "content": list(content)}


def text_part(text: str) -> dict:
    return {"type": "text", "text": text}


def image_part(image: Image.Image) -> dict:
    return {"type": "image", "image": image}
