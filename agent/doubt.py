"""Whether a step had better be another: it led nowhere before, or its thought has lost its place in the task.

Pure functions of a turn and the steps before it. What else could be done the model says: `Decider.otherwise`.
"""

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Protocol

from ..tools.actions import Answer, Terminate, Type
from .calls import Call
from .loops import Aimed, goes_in_circles, same_action
from .place import cuts, deed_of, miscopies, misnames, runs_ahead, same_wish, strays, unnamed
from .results import Finish
from .run import Step


class Doubt(IntEnum):
    """The worst last."""

    NONE = 0
    ODD = 1  # other names, letters or order than its wish has, half a text, the same again, an early end
    LOST_PLACE = 2  # in the task
    LED_NOWHERE = 3


LEAST = {Doubt.ODD: 0.05, Doubt.LOST_PLACE: 0.001, Doubt.LED_NOWHERE: 0.001}
"""How probable another reply must be to be taken instead."""


WHY = {
    Doubt.ODD: "is hardly what is asked for",
    Doubt.LOST_PLACE: "is not what the task says next",
    Doubt.LED_NOWHERE: "led nowhere before",
}


class Turn(Aimed, Protocol):
    @property
    def thought(self) -> str: ...


def doubt_of(
    turn: Turn,
    task: str,
    steps: Sequence[Step],
    screen: Callable[[], str],
    quotes_task: bool,
    is_second: bool = False,
) -> Doubt:
    """`screen`: the fingerprint of what is seen now. `quotes_task`: see `Preferences`. `is_second`: the model
    would have done something else; to take up an earlier wish again it must have wanted from the start."""
    if turn.action is None:
        return Doubt.NONE
    if goes_in_circles(turn, steps, screen):
        return Doubt.LED_NOWHERE
    if not quotes_task:
        return Doubt.NONE
    before = [step.thought for step in steps]
    heard = [text for step in steps for text in (*step.told, step.user_reply or "")]
    if strays(turn.thought, task, before, heard, ends(turn.action), not is_second):
        return Doubt.LOST_PLACE
    if ends_early(turn.action, task, steps):
        return Doubt.ODD
    if isinstance(turn.action, Type) and _is_miswritten(turn.action.text, turn.thought, task):
        return Doubt.ODD
    if turn.targets and runs_ahead(turn.thought, before):
        return Doubt.ODD
    odd = _is_repeated(turn, steps) or (turn.targets and misnames(turn.thought))
    return Doubt.ODD if odd else Doubt.NONE


def _is_repeated(turn: Turn, steps: Sequence[Step]) -> bool:
    """Whether the same was done for the same wish, at whatever time, in the same words or at the same place:
    opened and chosen, opened again."""
    if turn.action is None or turn.action.action not in ("left_click", "type"):
        return False
    for_it = (step for step in steps if same_wish(turn.thought, step.thought))
    return any(turn.thought == step.thought or same_action(turn, step) for step in for_it)


def _is_miswritten(text: str, thought: str, task: str) -> bool:
    return cuts(text, thought) or miscopies(text, task)


def ends_early(action: Call, task: str, steps: Sequence[Step]) -> bool:
    """Whether all is said to be done while something that the task names was never touched."""
    return isinstance(action, Terminate) and ends(action) and bool(left_undone(task, steps))


def left_undone(task: str, steps: Sequence[Step]) -> list[str]:
    """What the task names in quotes, and no step so far."""
    return unnamed(task, [f"{deed_of(step.thought)}\n{step.describe()}" for step in steps])


def ends(action: Call) -> bool:
    """Whether the model says with it that all is done."""
    claims = isinstance(action, Terminate) and action.status == "success"
    return claims or isinstance(action, Answer | Finish)
