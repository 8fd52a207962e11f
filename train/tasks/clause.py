"""The values that tasks are made of: steps, clauses, turns; and the text in which a turn is put."""

import re
from dataclasses import dataclass, field

from ..pages import HEIGHT, WIDTH
from ..tokenizer import PHRASES

Box = tuple[float, float, float, float]
MAX_LINES = 12
MOST_SAID = 100  # letters of a wish that a thought says again
OPEN_END = "..."  # among what follows: nobody can say how many steps are left


@dataclass
class Step:
    """One action; `thought` is also its line in the history. `box` is where a click or typing must land."""

    thought: str
    action: dict
    box: Box | None = None


@dataclass
class Clause:
    """Part of a task. `past`: lines of what was done for it; `step`: what is due now on this page, or None where
    nothing is left to do; `more`: lines of what would follow; `due`: the part of the text that the step is for, where
    it asks for several things: of a list, its entry. A clause is `told` when only the history can say that it is
    done: nothing on the page would show it."""

    text: str
    past: list[str] = field(default_factory=list)
    step: Step | None = None
    more: list[str] = field(default_factory=list)
    told: bool = False
    kind: str = "imagined"
    due: str = ""

    def done_lines(self) -> list[str]:
        return self.past + ([self.step.thought] if self.step else []) + self.more

    def length(self) -> int:
        """Tokens of what a turn of nothing but this clause reads and writes, scaffolding apart."""
        said = [*self.past, self.step.thought, self.step.action.get("text", "")] if self.step else self.past
        text = "\n".join([self.text, *said])
        for phrase in PHRASES:
            text = text.replace(phrase, "~")
        return len(text)


@dataclass
class Turn:
    """`due`: the wish that the step is for, as the task has it: the thought says it first.
    `quiet`: the history tells no thoughts, so that this step has none either."""

    user: str
    thought: str
    action: dict
    box: Box | None
    kind: str
    quiet: bool = False
    due: str = ""

    def thinks(self, thought: str = "") -> str:
        """All of the thought; the history keeps its last line. `thought`: another last line."""
        return "\n".join(line for line in (self.due, thought or self.thought) if line)


def snapshot_text(task: str, lines: list[str]) -> str:
    """The user text of one step, as `saccade.agent.memory` writes it."""
    if not lines:
        return f"Task: {task}"
    numbered = [f"{i}. {line}" for i, line in enumerate(lines, 1)][-MAX_LINES:]
    return f"Task: {task}\nDone:\n" + "\n".join(numbered)


def said_again(clause: Clause | None, task: str) -> str:
    """What the thought of a step says first: its wish, letter by letter as `task` has it, the only one too, for whether a
    task has others is not always plain. Long ones are left out, and where nothing is due nothing is said. Its "please"
    could as well belong to the task."""
    if clause is None or clause.step is None:
        return ""
    text = re.sub(",? please$", "", clause.due or clause.text)
    if len(text) > MOST_SAID:
        return ""
    return text if text in task else text[:1].upper() + text[1:]


def relative_centre(box: Box) -> list[int]:
    x, y, w, h = box
    return [
        min(1000, max(0, round((x + w / 2) * 1000 / WIDTH))),
        min(1000, max(0, round((y + h / 2) * 1000 / HEIGHT))),
    ]


def done_step() -> Step:
    return Step("Done", {"action": "terminate", "status": "success"})


def scroll_step(down: bool) -> Step:
    return Step(f"Scroll {'down' if down else 'up'}", {"action": "scroll", "pixels": -240 if down else 240})


def key_step(key: str) -> Step:
    return Step(f"Press {key}", {"action": "key", "keys": [key]})


def aim(thought: str, box: Box, verb: str = "left_click", **more: str) -> Step:
    """A step that lands in the middle of a box."""
    return Step(thought, {"action": verb, "coordinate": relative_centre(box), **more}, box)


def drag(thought: str, start: Box, end: Box) -> Step:
    action = {
        "action": "left_click_drag",
        "start_coordinate": relative_centre(start),
        "coordinate": relative_centre(end),
    }
    return Step(thought, action, start)
