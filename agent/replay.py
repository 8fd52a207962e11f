"""A recorded run done again without a model: each target found by role and name, else by its picture.

A model may help where both fail, if one is given. The report says how each step was found and what drifted.
Knows recorded steps and the browser.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from math import hypot
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from ..errors import ActionError, PolicyError
from ..tools.actions import ACTIONS, Answer, AskUser, Goto, NewTab, Terminate
from ..tools.element import Element
from ..tools.observation import Observation
from .calls import Recorded, Vocabulary
from .conditions import Condition, holds
from .decide import Decider
from .match import find_again
from .memory import image_part, text_part, user
from .run import Run, Step
from .secrets import Secret, Secrets
from .target import POINTS, targets_of
from .usertools import UseTool

if TYPE_CHECKING:
    from ..tools import Browser
    from .protocol import ChatModel

How = Literal["name", "picture", "model", "place", "skipped", "lost"]
RANKS: tuple[How, ...] = ("model", "picture", "place", "name", "skipped", "lost")
QUIET = ("wait", "key", "scroll", "hscroll", "mouse_move")


@dataclass(frozen=True)
class Found:
    """Where something is now, in relative coordinates, and how it was found."""

    point: tuple[int, int]
    how: How
    score: float = 1.0


@dataclass(frozen=True)
class Replayed:
    """One step done again. `moved_px` is how far its target moved, in CSS px; `drift` says what differed."""

    number: int
    description: str
    how: How
    moved_px: float = 0.0
    drift: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Replay:
    """`success`: every step was found and done, and the condition, if there is one, holds."""

    success: bool
    reason: str
    steps: tuple[Replayed, ...]

    @property
    def drifted(self) -> tuple[Replayed, ...]:
        return tuple(step for step in self.steps if step.drift or step.moved_px >= 1)

    def to_dict(self) -> dict[str, Any]:
        steps = [asdict(step) for step in self.steps]
        return {"success": self.success, "reason": self.reason, "steps": steps}


class Replayer:
    """
    async with Browser("https://shop.example") as browser:
        report = await Replayer(Run.load("runs/..."), browser).play()

    start: the address that the run was recorded at; a browser that begins elsewhere gets its addresses moved.
    model: finds what neither name nor picture finds. until: judges the end, as `Agent(until=...)` does.
    """

    def __init__(
        self,
        run: Run,
        browser: "Browser",
        *,
        start: str | None = None,
        model: "ChatModel | None" = None,
        until: Condition | None = None,
        secrets: Mapping[str, Secret] | None = None,
        on_step: Callable[[Replayed], Any] | None = None,
    ):
        self.run = run
        self.browser = browser
        self.start = start
        self.model = model
        self.until = until
        self.secrets = Secrets(secrets)
        self.on_step = on_step
        self._origin: str | None = None

    async def play(self) -> Replay:
        self._origin = origin(self.browser.address)
        done: list[Replayed] = []
        for step in self.run.steps:
            done.append(await self.again(step))
            if self.on_step:
                self.on_step(done[-1])
            if done[-1].how == "lost" or done[-1].error:
                what = done[-1].error or "its target was not found"
                return Replay(False, f"step {step.number} ({step.describe()}): {what}", tuple(done))
        if self.until is not None and not await holds(self.until, self.browser):
            return Replay(False, "every step was done, the page does not meet the condition", tuple(done))
        return Replay(True, "every step was done", tuple(done))

    async def again(self, step: Step) -> Replayed:
        why = reason_to_skip(step)
        if why:
            return Replayed(step.number, step.describe(), "skipped", drift=None if why == "an end" else why)
        seen = await self.browser.observe()
        found = {
            name: await self.find(step, name, seen) for name in POINTS if getattr(step.action, name, None)
        }
        lost = [name for name, place in found.items() if place is None]
        if lost:
            return Replayed(step.number, step.describe(), "lost", drift=f"no {' and no '.join(lost)} found")
        places = {name: place for name, place in found.items() if place}
        error, drift = await self.do(step, {name: place.point for name, place in places.items()})
        how: How = min([place.how for place in places.values()] or ["place"], key=RANKS.index)
        moved = max((self.moved_px(step, name, place, seen) for name, place in places.items()), default=0.0)
        return Replayed(step.number, step.describe(), how, moved, drift, error)

    async def find(self, step: Step, name: str, seen: Observation) -> Found | None:
        """Role and name first: they survive a new design. Then the picture, then the model."""
        action: Any = step.action
        target = step.targets.get(name)
        if action.action in ("scroll", "hscroll", "mouse_move") and not (target and target.named):
            return Found(getattr(action, name), "place")
        if target is not None and target.named:
            point = await self.browser.find(target)
            if point is not None:
                return Found(seen.geometry.css_to_relative(point), "name")
        return self.by_picture(step, name, target, seen) or await self.by_model(step, name, seen)

    def by_picture(self, step: Step, name: str, target: Element | None, seen: Observation) -> Found | None:
        before = step.screenshot
        if before.size != seen.image.size:
            return None
        point = seen.geometry.relative_to_image(getattr(step.action, name))
        box = None
        if target is not None and (target.role or target.name):
            x, y = seen.geometry.css_to_image((target.box[0], target.box[1]))
            width, height = seen.geometry.css_to_image((target.box[2], target.box[3]))
            box = (x, y, width, height)
        match = find_again(before, seen.image, point, box)
        if match is None:
            return None
        return Found(seen.geometry.image_to_relative(match.point), "picture", match.score)

    async def by_model(self, step: Step, name: str, seen: Observation) -> Found | None:
        if self.model is None:
            return None
        task = step.thought or step.describe()
        decider = Decider(task, self.model, self.browser, Vocabulary())
        asked = [user(image_part(seen.image), text_part(f"Task: {task}"))]
        turn = await decider.ask(asked, seen, "auto")
        point = getattr(turn.action, name, None)
        return Found(point, "model") if point else None

    async def do(self, step: Step, points: dict[str, tuple[int, int]]) -> tuple[str | None, str | None]:
        """What went wrong, and what differed from the recording."""
        action: Any = step.action
        if points:
            action = action.model_copy(update=points)
        if isinstance(action, Goto | NewTab) and action.url:
            action = action.model_copy(update={"url": self.here(action.url)})
        seen = await self.browser.observe()  # finding may have scrolled
        try:
            targets = await targets_of(action, self.browser, seen.geometry)
            action = self.secrets.fill(action, self.browser.address, targets)
            effect = await self.browser.execute(action)
        except (ActionError, PolicyError) as error:
            return self.secrets.scrub(str(error)), None
        before = step.effect
        if before is not None and before.visible and not effect.visible:
            return effect.error, "no visible change, unlike the recording"
        if before is not None and before.navigated != effect.navigated:
            return effect.error, "it navigated" if effect.navigated else "it did not navigate"
        return effect.error, None

    def here(self, url: str) -> str:
        """The recorded address on the site where the replay began."""
        recorded = origin(self.start or "")
        if recorded and self._origin and url.startswith(recorded):
            return self._origin + url.removeprefix(recorded)
        return url

    def moved_px(self, step: Step, name: str, place: Found, seen: Observation) -> float:
        x, y = seen.geometry.relative_to_css(place.point)
        target = step.targets.get(name)
        if target is not None and place.how == "name":
            old = target.box[0] + target.box[2] / 2, target.box[1] + target.box[3] / 2
        else:
            old = seen.geometry.relative_to_css(getattr(step.action, name))
        return round(hypot(x - old[0], y - old[1]), 1)


def reason_to_skip(step: Step) -> str | None:
    action = step.action
    if action is None or step.error:
        return "failed when it was recorded"
    if isinstance(action, Answer | Terminate) or action.action == "finish":
        return "an end"
    if isinstance(action, AskUser | UseTool | Recorded) or action.action not in ACTIONS:
        return "no action of the page"
    if not step.visible and action.action not in QUIET:
        return "changed nothing when it was recorded"
    return None


def origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
