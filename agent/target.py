"""What an action points at: the element's role, accessible name and box, asked of the page before the action.

For approval (what would be pressed?), for replay (where is it now?) and for secrets (whose field is it?). The
questions run in an isolated world, which the page's scripts cannot alter. The answers are still the page's
words: data, never instructions.
"""

import json
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..tools.actions import Key, Type
from ..tools.geometry import Geometry, Point

if TYPE_CHECKING:
    from ..tools import Browser

POINTS = ("coordinate", "start_coordinate")
FOCUS = "focus"


@dataclass(frozen=True)
class Target:
    """An element; `box` is x, y, width, height in CSS px. `nth` of `twins` share role and name.

    `foreign`: it lies in a frame of another origin, where nothing more is known. `submits`: the method of the
    form that it would send, or "". `pays`: the form asks for a card or a password.
    """

    tag: str
    role: str
    name: str
    box: tuple[int, int, int, int]
    nth: int = 0
    twins: int = 0
    framed: bool = False
    foreign: bool = False
    kind: str = ""
    submits: str = ""
    pays: bool = False

    @property
    def named(self) -> bool:
        """Whether role and name are enough to find it again."""
        return bool(self.role and self.name) and not self.framed

    def describe(self) -> str:
        return f"{self.role or self.tag} {self.name!r}" if self.name else self.role or self.tag

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Target":
        known = {field.name for field in fields(cls)}
        return cls(**{**{k: v for k, v in values.items() if k in known}, "box": tuple(values["box"])})


async def targets_of(action: Any, browser: "Browser", geometry: Geometry) -> dict[str, Target]:
    """By the action's parameter: what each of its points is on; under "focus" what the keyboard goes to."""
    found: dict[str, Target | None] = {}
    for name in POINTS:
        point = getattr(action, name, None)
        if point is not None:
            found[name] = await target_at(browser, geometry.relative_to_css(point))
    if isinstance(action, Type | Key) and not found:
        found[FOCUS] = _read(await browser.inspect(f"{script()}.focused()"))
    return {name: target for name, target in found.items() if target is not None}


async def target_at(browser: "Browser", point: Point) -> Target | None:
    """`point` in CSS px."""
    return _read(await browser.inspect(f"{script()}.at({point[0]}, {point[1]})"))


async def find_target(browser: "Browser", target: Target) -> Point | None:
    """Where to press now, in CSS px, scrolled into view; None when nothing has that role and name."""
    wanted = json.dumps({"role": target.role, "name": target.name, "nth": target.nth})
    found = await browser.inspect(f"{script()}.find({wanted})")
    return tuple(found["point"]) if found else None


def _read(values: Any) -> Target | None:
    return Target.from_dict(values) if values else None


@cache
def script() -> str:
    text = Path(__file__).with_name("target.js").read_text("utf-8")
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("//")).strip()
