"""The memory of long runs: a conversation that only grows, and forgets in chunks.

Three bounds, each breaking the prefix (and with it the model's cache) once per chunk: old screenshots go
twenty at a time; when the budget of tokens is spent, all but the last few screenshots go; when that is not
enough, the older turns become one line each. Notes that the model took stay.
"""

from typing import Any

from ..tools.observation import Observation
from ..vision.still import Still
from .memory import image_part, text_part, user
from .run import Step
from .usertools import Tool, make_tool

EVICTED = "(an earlier screenshot, no longer kept)"
MAX_TOKENS = 32_000
PIXELS_PER_TOKEN, CHARACTERS_PER_TOKEN = 1024, 4
KEPT_LINES = 80


def note(text: str) -> str:
    """Write down a fact for later steps, such as a price: old screenshots are forgotten, notes are not."""
    return "noted"


NOTE = make_tool(note)


class ConversationMemory:
    """All turns, append-only. Once `keep_images + evict_images` screenshots are held, all but the last
    `keep_images` go at once. `max_tokens` bounds the prompt, in the model's own tokens once it reports any.
    """

    tools: tuple[Tool, ...] = (NOTE,)

    def __init__(
        self,
        task: str,
        about: str = "",
        keep_images: int = 4,
        evict_images: int = 20,
        max_tokens: int = MAX_TOKENS,
    ):
        self.keep_images = keep_images
        self.evict_images = evict_images
        self.max_tokens = max_tokens
        self._intro = [text_part(f"Task: {task}"), *([text_part(about)] if about else [])]
        self._messages: list[dict] = []
        self._open: dict = user(*self._intro)
        self._lines: list[tuple[int, str]] = []  # where a step's turn begins, and the step in one line
        self._notes: list[str] = []
        self._past: list[str] = []  # the lines of turns that are compacted
        self._seen = 0
        self._scale = 1.0  # the model's tokens per estimated one

    def see(self, observation: Observation) -> list[dict]:
        self._seen += 1
        shown = image_part(Still.of(observation.image))
        self._open["content"] += [text_part(self._describe(observation)), shown]
        self._messages.append(self._open)
        self._open = user()
        self._forget()
        return list(self._messages)

    def shrink(self) -> list[dict] | None:
        """Half of the budget from now on: the model's context is smaller than it was told."""
        before = estimate(self._messages)
        self.max_tokens = int(before * self._scale / 2)
        self._forget()
        return list(self._messages) if estimate(self._messages) < before else None

    def tell(self, text: str) -> None:
        self._open["content"].append(text_part(text))

    def record(self, step: Step) -> None:
        self._calibrate(step)
        if step.action is not None and step.action.action == NOTE.name and not step.error:
            self._notes.append(step.action.arguments()["text"])
        if step.continues:
            self._messages.append(self._open)
            _add_call(self._messages, self._lines[-1][0], step)
        else:
            self._messages.append(_assistant(step))
        place = self._lines[-1][0] if step.continues else len(self._messages) - 1
        self._lines.append((place, f"{step.number}. {step.describe()}: {_report(step)}"))
        role = "tool" if step.call else "user"
        self._open = {"role": role, "content": [text_part(_report(step))]}

    def _describe(self, observation: Observation) -> str:
        return f"Screenshot {self._seen}\n{describe_page(observation)}"

    def _calibrate(self, step: Step) -> None:
        if step.usage.prompt_tokens and not step.continues:
            self._scale = step.usage.prompt_tokens / max(estimate(self._messages), 1)

    def _forget(self) -> None:
        """Replaces messages instead of changing them: lists handed out before stay as they were."""
        holders = [i for i, message in enumerate(self._messages) if _has_image(message)]
        if len(holders) >= self.keep_images + self.evict_images or self._spent():
            for i in holders[: -self.keep_images]:
                self._messages[i] = _without_image(self._messages[i])
        if self._spent():
            self._compact()

    def _spent(self) -> bool:
        return estimate(self._messages) * self._scale > self.max_tokens

    def _compact(self) -> None:
        """The older turns as lines of the first message, so that half of the budget is free again."""
        starts = sorted({place for place, _ in self._lines if place > 0})
        for start in starts:
            kept = self._messages[start:]
            if start == starts[-1] or estimate(kept) * self._scale <= self.max_tokens / 2:
                break
        else:
            return  # a single turn that is too large by itself
        gone = [line for place, line in self._lines if 0 < place < start]
        self._past += gone
        first = user(*self._intro, text_part(self._summary()))
        self._messages = [first, *kept]
        moved = start - 1
        self._lines = [(place - moved, line) for place, line in self._lines if place >= start]

    def _summary(self) -> str:
        notes = ["Your notes:", *(f"- {text}" for text in self._notes)] if self._notes else []
        skipped = max(len(self._past) - KEPT_LINES, 0)
        earlier = [f"({skipped} earlier steps)"] if skipped else []
        return "\n".join([*notes, "Done so far:", *earlier, *self._past[-KEPT_LINES:]])


def describe_page(observation: Observation) -> str:
    """What the screenshot does not show: the address, other tabs, a dialog in the way."""
    lines = [f"Page: {observation.url}"]
    if len(observation.tabs) > 1:
        lines += [f"Tab {i}: {tab.title or tab.url}" for i, tab in enumerate(observation.tabs)]
    if observation.dialog:
        lines.append(f"Dialog: {observation.dialog}")
    return "\n".join(lines)


def estimate(messages: list[dict]) -> int:
    """Tokens by rule of thumb: a token is 32 x 32 pixels, or four characters."""
    return sum(_size(message) for message in messages)


def _size(message: dict) -> int:
    content = message["content"]
    parts = [text_part(content)] if isinstance(content, str) else content
    pixels = sum(part["image"].width * part["image"].height for part in parts if part["type"] == "image")
    letters = sum(len(part["text"]) for part in parts if part["type"] == "text")
    letters += len(message.get("reasoning_content", "")) + len(str(message.get("tool_calls", "")))
    return pixels // PIXELS_PER_TOKEN + letters // CHARACTERS_PER_TOKEN


def _assistant(step: Step) -> dict:
    message: dict[str, Any] = {"role": "assistant", "content": step.text, "reasoning_content": step.thought}
    return {**message, "tool_calls": [_call(step)]} if step.call else message


def _add_call(messages: list[dict], place: int, step: Step) -> None:
    """Another call of the same reply, which no list handed out holds yet."""
    turn = messages[place]
    messages[place] = {**turn, "tool_calls": [*turn["tool_calls"], _call(step)]}


def _call(step: Step) -> dict:
    assert step.call is not None
    function = {"name": step.call.name, "arguments": step.call.arguments}
    return {"type": "function", "function": function}


def _report(step: Step) -> str:
    lines = [step.outcome(), step.user_reply and f"The user answers: {step.user_reply}", step.note]
    return "\n".join(line for line in lines if line) or "done"


def _has_image(message: dict) -> bool:
    return any(isinstance(part, dict) and part["type"] == "image" for part in message["content"])


def _without_image(message: dict) -> dict:
    parts = [text_part(EVICTED) if part["type"] == "image" else part for part in message["content"]]
    return {**message, "content": parts}
