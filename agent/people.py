"""The people around a run: they pause it, act in the page, answer, approve, or say something.

Knows the switches (`Control`), the callbacks and the browser's look; decides nothing itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..tools.observation import Observation
from ..vision.screen import changed_fraction
from .approval import Ask
from .conditions import value_of
from .control import Control
from .events import Asked, Event, NeedsApproval, Paused, Resumed

if TYPE_CHECKING:
    from ..tools import Browser

UNSEEN = 1e-5
NOT_APPROVED = "this action was not approved"


@dataclass(frozen=True)
class People:
    control: Control
    emit: Callable[[Event], None]
    approve: Callable[[Any, Observation], Any] | None = None
    ask_before: Ask = "never"
    ask_user: Callable[[str], Any] | None = None

    async def wait(self, browser: "Browser") -> float | None:
        """While paused, wait. The share of the screen that changed meanwhile; None without a pause."""
        if not self.control.paused:
            return None
        before = await browser.observe()
        self.emit(Paused())
        await self.control.resumed()
        changed = changed_fraction(before.image, (await browser.observe()).image)
        self.emit(Resumed(changed))
        return changed

    async def permit(self, action: Any, risk: str | None, observation: Observation) -> str | None:
        """None, or why the action must not be done."""
        if self.ask_before == "never" or (self.ask_before == "risky" and risk is None):
            return None
        if self.approve is None:
            why = risk or "every action does"
            return f"this needs a person's approval ({why}), and nobody is there to give it"
        self.emit(NeedsApproval(action, risk))
        verdict = await value_of(self.approve(action, observation))
        if isinstance(verdict, str):
            return f"{NOT_APPROVED}: {verdict}"
        return None if verdict else NOT_APPROVED

    async def answer(self, question: str) -> str | None:
        """What the user says; None when nobody is there."""
        self.emit(Asked(question))
        return await value_of(self.ask_user(question)) if self.ask_user else None


def taken_over(changed: float) -> str:
    """For the model, after a pause."""
    if changed <= UNSEEN:
        return "The user paused the run; the page is as before."
    return (
        f"The user acted in the page meanwhile: {changed:.0%} of the screen changed. Go on from what you see."
    )
