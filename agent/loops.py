"""When a run must not go on: it repeats itself, or its limits are spent. Pure functions of the steps so far.

Repetition has two faces: an action at the same place without visible change, and an action that was already
taken on pixel-identical screens (back and forth between two pages).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

from ..errors import InputError
from ..tools.actions import Scroll
from ..tools.element import Element
from .calls import Call
from .run import Outcome, Step

NEAR = 12  # of 1000: two clicks this close are the same click
QUIET = ("wait", "mouse_move", "key")  # need not change anything to be right
TOGGLES = ("checkbox", "option", "radio", "switch", "tab")
CONTROLS = ("button", "checkbox", "link", "menuitem", "option", "radio", "switch", "tab", "textbox")


class Aimed(Protocol):
    """What a step and a decision have in common."""

    @property
    def action(self) -> Call | None: ...

    @property
    def targets(self) -> Mapping[str, Element]: ...


@dataclass(frozen=True)
class Limits:
    """None means no limit; each is checked between steps. Malformed replies count in a row."""

    max_steps: int | None = 20
    max_seconds: float | None = None
    max_tokens: int | None = None
    max_malformed: int | None = 3
    repeats_before_note: int = 3
    repeats_before_stop: int = 5

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and value <= 0:
                raise InputError(f"{field.name} is {value}; give a number above 0")


def check_limits(steps: Sequence[Step], seconds: float, limits: Limits) -> Outcome | None:
    """How the run must end now, or None: it may go on."""
    if _reached(count_malformed(steps), limits.max_malformed):
        return Outcome("failure", f"{count_malformed(steps)} replies in a row held no valid action")
    if count_repeats(steps) >= limits.repeats_before_stop:
        return Outcome(
            "failure", f"stuck: '{steps[-1].describe()}' {count_repeats(steps)} times to no effect"
        )
    if _reached(len(steps), limits.max_steps):
        return Outcome("limit", f"the limit of {limits.max_steps} steps is reached")
    if _reached(seconds, limits.max_seconds):
        return Outcome("limit", f"the limit of {limits.max_seconds:g} seconds is reached")
    if _reached(_tokens(steps), limits.max_tokens):
        return Outcome("limit", f"the limit of {limits.max_tokens} tokens is reached")
    return None


def repetition_note(steps: Sequence[Step], limits: Limits) -> str | None:
    """The remark for the model, from the moment a repetition shows."""
    count = count_repeats(steps)
    if count < limits.repeats_before_note:
        return None
    return f"This was tried {count} times without getting further. Try something else."


def count_repeats(steps: Sequence[Step]) -> int:
    """How often the last action was taken to no effect, itself included; 0 when it is no repetition."""
    if not steps or steps[-1].action is None:
        return 0
    return max(_unseen_repeats(steps), _same_screen_repeats(steps))


def count_malformed(steps: Sequence[Step]) -> int:
    return _trailing(steps, lambda step: step.action is None)


def same_action(a: Aimed, b: Aimed) -> bool:
    """Equal up to a few thousandths of the screen in where they point."""
    if a.action is None or b.action is None:
        return False
    left, right = a.action.arguments(), b.action.arguments()
    return left.keys() == right.keys() and all(_close(left[key], right[key]) for key in left)


def goes_in_circles(turn: Aimed, steps: Sequence[Step], screen: Callable[[], str]) -> bool:
    """Whether this was done before to no effect: since the page last changed, or on a pixel-identical screen.
    So is what was done just now and can only be undone by doing it again, or nothing: typing, ticking. And
    so is to scroll where the whole page was searched.
    """
    if turn.action is None or turn.action.action in QUIET:
        return False
    if turn.action.action == "scroll" and searched_whole(steps):
        return True
    again = [i for i, step in enumerate(steps) if same_action(step, turn) or same_control(step, turn)]
    if not again:
        return False
    unseen = len(steps) - _trailing(steps, lambda step: not step.visible)
    target = turn.targets.get("coordinate")
    once = turn.action.action == "type" or (target is not None and target.role in TOGGLES)
    just_now = once and again[-1] == len(steps) - 1
    return just_now or again[-1] >= unseen or screen() in {steps[i].screen for i in again}


def searched_whole(steps: Sequence[Step]) -> bool:
    """Whether nothing was done of late but to scroll, up and down, until it went no further either way."""
    late = steps[len(steps) - _trailing(steps, lambda step: isinstance(step.action, Scroll)) :]
    ends = {it.action.pixels > 0 for it in late if isinstance(it.action, Scroll) and not it.visible}
    return len(ends) == 2


def same_control(a: Aimed, b: Aimed) -> bool:
    """The same action on one and the same control, wherever in it."""
    left, right = a.targets.get("coordinate"), b.targets.get("coordinate")
    if left is None or left != right or left.role not in CONTROLS or a.action is None or b.action is None:
        return False
    return _but_place(a.action) == _but_place(b.action)


def _but_place(action: Call) -> dict[str, Any]:
    return {key: value for key, value in action.arguments().items() if key != "coordinate"}


def _unseen_repeats(steps: Sequence[Step]) -> int:
    unseen = _trailing(steps, lambda step: not step.visible)
    return sum(same_action(step, steps[-1]) for step in steps[len(steps) - unseen :])


def _same_screen_repeats(steps: Sequence[Step]) -> int:
    last = steps[-1]
    count = sum(step.screen == last.screen and same_action(step, last) for step in steps)
    return count if count > 1 else 0


def _trailing(steps: Sequence[Step], holds) -> int:
    return next((i for i, step in enumerate(reversed(steps)) if not holds(step)), len(steps))


def _close(a: object, b: object) -> bool:
    if isinstance(a, list | tuple) and isinstance(b, list | tuple) and len(a) == len(b):
        return all(x == y or _near(x, y) for x, y in zip(a, b, strict=True))
    return a == b


def _near(a: object, b: object) -> bool:
    return isinstance(a, int) and isinstance(b, int) and abs(a - b) <= NEAR


def _tokens(steps: Sequence[Step]) -> int:
    return sum(step.usage.prompt_tokens + step.usage.output_tokens for step in steps)


def _reached(value: float, limit: float | None) -> bool:
    return limit is not None and value >= limit
