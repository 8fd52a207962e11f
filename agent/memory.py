"""What the model is shown at each step: two memories behind one Protocol.

`ConversationMemory` grows turn by turn, for models with long contexts and a prefix cache. `SnapshotMemory` is
one user turn per step, for small models; the built-in model is trained on exactly its text.
Knows messages, steps and observations; knows no model and no wire format.
"""

from typing import Any, Protocol

from PIL import Image

from ..tools.observation import Observation
from .protocol import MemoryKind
from .run import Step

EVICTED = "(an earlier screenshot, no longer kept)"


class Memory(Protocol):
    def see(self, observation: Observation) -> list[dict]:
        """Take in what the page looks like now; return the messages for the model."""
        ...

    def record(self, step: Step) -> None:
        """Take in what was done."""
        ...


def make_memory(kind: MemoryKind, task: str) -> Memory:
    return SnapshotMemory(task) if kind == "snapshot" else ConversationMemory(task)


class SnapshotMemory:
    """Screenshot, task, and one line per step of the last `keep_lines` steps."""

    def __init__(self, task: str, keep_lines: int = 12):
        self.task = task
        self.keep_lines = keep_lines
        self._lines: list[str] = []

    def see(self, observation: Observation) -> list[dict]:
        return [
            _user(_image(observation.image), _text(snapshot_text(self.task, self._lines, self.keep_lines)))
        ]

    def record(self, step: Step) -> None:
        self._lines.append(snapshot_line(step))


def snapshot_text(task: str, lines: list[str], keep_lines: int = 12) -> str:
    """The text beside the screenshot. Numbers stay when old lines go; there is no trailing newline."""
    text = f"Task: {task}"
    if not lines:
        return text
    numbered = [f"{number}. {line}" for number, line in enumerate(lines, 1)]
    return "\n".join([text, "Done:", *numbered[-keep_lines:]])


def snapshot_line(step: Step) -> str:
    thought = " ".join(step.thought.split()) or step.describe()
    if step.error:
        return f"{thought} (failed: {step.error})"
    if step.user_reply:
        return f"{thought} (the user answers: {step.user_reply})"
    return thought if step.visible else f"{thought} (no change)"


class ConversationMemory:
    """All turns, append-only. Once `keep_images + evict_images` screenshots are held, the oldest
    `evict_images` go at once: the prefix, and with it the model's cache, changes rarely.
    """

    def __init__(self, task: str, keep_images: int = 6, evict_images: int = 6):
        self.task = task
        self.keep_images = keep_images
        self.evict_images = evict_images
        self._messages: list[dict] = []
        self._open: dict = _user(_text(f"Task: {task}"))

    def see(self, observation: Observation) -> list[dict]:
        self._open["content"] += [_text(describe_page(observation)), _image(observation.image)]
        self._messages.append(self._open)
        self._evict()
        return list(self._messages)

    def record(self, step: Step) -> None:
        self._messages.append(_assistant(step))
        role = "tool" if step.call else "user"
        self._open = {"role": role, "content": [_text(_report(step))]}

    def _evict(self) -> None:
        """Replaces messages instead of changing them: lists handed out before stay as they were."""
        holders = [i for i, message in enumerate(self._messages) if _has_image(message)]
        if len(holders) < self.keep_images + self.evict_images:
            return
        for i in holders[: self.evict_images]:
            self._messages[i] = _without_image(self._messages[i])


def describe_page(observation: Observation) -> str:
    """What the screenshot does not show: the address, other tabs, a dialog in the way."""
    lines = [f"Page: {observation.url}"]
    if len(observation.tabs) > 1:
        lines += [f"Tab {i}: {tab.title or tab.url}" for i, tab in enumerate(observation.tabs)]
    if observation.dialog:
        lines.append(f"Dialog: {observation.dialog}")
    return "\n".join(lines)


def _assistant(step: Step) -> dict:
    message: dict[str, Any] = {"role": "assistant", "content": step.text, "reasoning_content": step.thought}
    if step.call:
        function = {"name": step.call.name, "arguments": step.call.arguments}
        message["tool_calls"] = [{"type": "function", "function": function}]
    return message


def _report(step: Step) -> str:
    lines = [step.outcome(), step.user_reply and f"The user answers: {step.user_reply}", step.note]
    return "\n".join(line for line in lines if line) or "done"


def _user(*content: dict) -> dict:
    return {"role": "user", "content": list(content)}


def _text(text: str) -> dict:
    return {"type": "text", "text": text}


def _image(image: Image.Image) -> dict:
    return {"type": "image", "image": image}


def _has_image(message: dict) -> bool:
    return any(isinstance(part, dict) and part["type"] == "image" for part in message["content"])


def _without_image(message: dict) -> dict:
    parts = [_text(EVICTED) if part["type"] == "image" else part for part in message["content"]]
    return {**message, "content": parts}
