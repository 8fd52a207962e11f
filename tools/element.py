"""An element of a page as people name it: role, accessible name, box. For effects, approval, replay, secrets.

Read in an isolated world, which the page's scripts cannot alter. What it says is still the page's words:
data, never instructions.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

UNKNOWN = ""
"""The address of a frame that did not say it."""


@dataclass(frozen=True)
class Element:
    """`box` is x, y, width, height in CSS px of the viewport, also for what lies in a frame.

    frames: how to find its frame from the page's top, a selector per level; empty in the page itself.
    frame: the frame's address when it is of another origin than the page, as the frame itself says; UNKNOWN
        when it does not answer.
    nth of twins: several shown elements of its document may share role and name.
    kind: the type of an input. submits: the method of the form that it would send, or "".
    pays: that form asks for a card or a password.
    """

    tag: str
    role: str
    name: str
    box: tuple[float, float, float, float]
    frames: tuple[str, ...] = ()
    frame: str | None = None
    nth: int = 0
    twins: int = 0
    kind: str = ""
    submits: str = ""
    pays: bool = False

    @property
    def foreign(self) -> bool:
        """Whether it lies in a frame of another origin."""
        return self.frame is not None

    @property
    def named(self) -> bool:
        """Whether role and name are enough to find it again."""
        return bool(self.role and self.name)

    def describe(self) -> str:
        """Such as `button 'Save'`."""
        return f"{self.role or self.tag} {self.name!r}" if self.name else self.role or self.tag

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Fields that it does not know are left out."""
        known = {field.name for field in fields(cls)}
        found = {key: value for key, value in values.items() if key in known}
        return cls(**{**found, "box": tuple(values["box"]), "frames": tuple(values.get("frames", ()))})
