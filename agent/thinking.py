"""How much a step is worth thinking about: decided from evidence, step by step.

The first step, and every step after something went wrong, thinks, the more the longer it goes wrong; routine
does not. Pure functions of the steps so far.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from .loops import QUIET, count_repeats
from .protocol import Thinking
from .run import Step

FIRST_TOKENS, MOST_TOKENS = 1024, 8192
UNSURE = 0.5
SECOND_THOUGHT = "a risky action"


class Budget(str):
    """A thinking mode that carries its budget. Equal to the plain name, so every ChatModel takes it."""

    max_tokens: int

    def __new__(cls, mode: Thinking, max_tokens: int) -> "Budget":
        self = super().__new__(cls, mode)
        self.max_tokens = max_tokens
        return self


@dataclass(frozen=True)
class Effort:
    """What is asked of the model for one step, and why."""

    thinking: str
    reason: str


def effort_for(asked: Thinking | Budget, steps: Sequence[Step]) -> Effort:
    """`fast` and `deep` are taken at their word; `auto` looks at the evidence. A `Budget` bounds both."""
    most = asked.max_tokens if isinstance(asked, Budget) else MOST_TOKENS
    first = min(FIRST_TOKENS, most)
    if asked != "auto":
        return Effort(Budget("deep", most) if asked == "deep" else asked, "as asked")
    if not steps:
        return Effort(Budget("deep", first), "the first step")
    troubles = count_troubles(steps)
    if troubles:
        tokens = min(FIRST_TOKENS * 2 ** (troubles - 1), most)
        return Effort(Budget("deep", tokens), reason_of(steps))
    if steps[-1].confidence is not None and steps[-1].confidence < UNSURE:
        return Effort(Budget("deep", first), "low confidence")
    return Effort("fast", "routine")


def count_troubles(steps: Sequence[Step]) -> int:
    """How many steps in a row went wrong, up to now."""
    clean = (i for i, step in enumerate(reversed(steps)) if not _trouble(step, steps[: len(steps) - i]))
    return next(clean, len(steps))


def reason_of(steps: Sequence[Step]) -> str:
    return _trouble(steps[-1], steps) or "routine"


def _trouble(step: Step, until: Sequence[Step]) -> str:
    if step.error:
        return "an error"
    if step.told:
        return "a word from the user"
    if step.effect is not None and not step.effect.visible and not _quiet(step):
        return "no visible change"
    return "a repeated action" if count_repeats(until) > 1 else ""


def _quiet(step: Step) -> bool:
    """Actions that need not change anything to be right."""
    return step.action is not None and step.action.action in QUIET
