"""How a run ends: the page's word counts first, then a second look, the model's own word, the limits.

Knows the steps so far, the page's condition and the model that looks again; changes nothing on the page.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..tools.actions import Answer, AskUser, Terminate
from ..tools.observation import Observation
from .conditions import holds
from .loops import Limits, check_limits
from .protocol import NO_USAGE, ChatModel
from .results import LOOKED_AT, Finish, verify
from .run import Outcome, Step

if TYPE_CHECKING:
    from ..tools import Browser
    from .agent import Agent

MOST_REJECTIONS = 2
MODELS_WORD = "the model reported success"


class Judge:
    """`look` takes and keeps a last picture of the page; `tell` lets the model know why it goes on."""

    def __init__(
        self,
        agent: "Agent",
        model: ChatModel,
        browser: "Browser",
        look: Callable[[], Awaitable[Observation]],
        tell: Callable[[str], None],
    ):
        self.agent = agent
        self.model = model
        self.browser = browser
        self.look = look
        self.tell = tell
        self.checks = NO_USAGE
        self._rejections = 0

    async def outcome(self, steps: Sequence[Step], seconds: float, limits: Limits) -> Outcome | None:
        """How the run ends with its last step, or None."""
        claim = claimed(steps[-1])
        done = claim is not None and claim.status == "success"
        if self.agent.until is not None:
            if await holds(self.agent.until, self.browser):
                await self.look()
                met = Outcome("success", "the page meets the condition")
                return replace(claim, status=met.status, reason=met.reason) if claim else met
            if claim and done:
                return replace(claim, status="failure", reason=f"{MODELS_WORD}, the page does not")
        if claim and done and self.agent.verify:
            claim = await self._verified(claim, steps)
        return claim or check_limits(steps, seconds, limits)

    async def _verified(self, claim: Outcome, steps: Sequence[Step]) -> Outcome | None:
        """An independent look; a claim that it rejects goes back to the model, a bounded number of times."""
        judge = self.agent.verify
        model = self.model if isinstance(judge, bool) else judge
        final = await self.look()
        screens = [(step.number, step.screenshot) for step in steps[-LOOKED_AT:]]
        said = claim.answer or claim.reason
        verdict = await verify(model, self.agent.task, said, [*screens, (len(steps) + 1, final.image)])
        self.checks += verdict.usage
        if verdict.success is not False:
            evidence = verdict.evidence if verdict.evidence is not None else claim.evidence
            return replace(claim, verified=verdict.success, evidence=evidence)
        self._rejections += 1
        if self._rejections < MOST_REJECTIONS:
            self.tell(f"A check of the screenshots says that the task is not done: {verdict.reason}")
            return None
        return replace(claim, status="failure", reason=f"a check says no: {verdict.reason}", verified=False)


def claimed(step: Step) -> Outcome | None:
    """The end that the step itself asks for, or None."""
    match step.action:
        case _ if step.error:
            return None
        case Answer(text=text):
            return Outcome("success", "the model answered", text, evidence=step.number)
        case Finish(output=output, evidence=evidence):
            said = output.model_dump_json()
            return Outcome("success", "the model answered", said, output, evidence or step.number)
        case Terminate(status="success"):
            return Outcome("success", MODELS_WORD)
        case Terminate():
            return Outcome("failure", "the model gave up")
        case AskUser(text=question) if step.user_reply is None:
            return Outcome("needs_user", question)
    return None
