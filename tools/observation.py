"""What the browser hands to the agent: what is seen (Observation) and what an action did (Effect).

Plain frozen values. Every string in them that comes from the page (title, URL, dialog text) is
untrusted data.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from PIL import Image

from ..vision.still import Still
from .element import Element
from .geometry import Geometry

if TYPE_CHECKING:
    import numpy as np

Box = tuple[int, int, int, int]

VISIBLE_SHARE = 1e-5
"""Changes below this share of the screen (ten pixels of a million) are not visible: rendering noise."""


@dataclass(frozen=True)
class Tab:
    """One open tab; its place in `Observation.tabs` is the index that `switch_tab` takes."""

    title: str
    url: str
    active: bool


@dataclass(frozen=True)
class Observation:
    """One look at the active tab: a single screenshot and the facts around it."""

    image: Image.Image
    geometry: Geometry
    url: str
    title: str
    tabs: tuple[Tab, ...] = ()
    scroll: tuple[float, float, float, float] = (0, 0, 0, 0)
    """x, y, largest x, largest y, in CSS px."""
    dialog: str | None = None
    """What no screenshot says, as one text: dialogs, downloads, file choosers, permissions asked for."""
    focus: Element | None = None
    """The element that has the focus."""
    settled: bool = True
    seconds: float = 0.0
    captured: tuple[Image.Image, bytes] | None = field(default=None, repr=False, compare=False)
    """The screenshot as it came from the browser, and its PNG."""

    @property
    def png(self) -> bytes | None:
        """The PNG of exactly this picture; None once something was drawn or covered on it."""
        return self.captured[1] if self.captured and self.captured[0] is self.image else None

    @cached_property
    def pixels(self) -> "np.ndarray":
        """uint8 (H, W, 3), read once: it is compared with the look before and after."""
        import numpy as np

        return self.image.array if isinstance(self.image, Still) else np.asarray(self.image)


@dataclass(frozen=True)
class Effect:
    """What an action visibly did. An action that could not be done has `error` and is no exception."""

    changed: float = 0.0
    """Share of the screenshot's pixels that differ, 0..1."""
    navigated: bool = False
    new_tab: bool = False
    dialog: str | None = None
    error: str | None = None
    seconds: float = 0.0
    regions: tuple[Box, ...] = ()
    """Where it differs: (x, y, width, height) in px of the screenshot, largest first, the largest eight."""
    hit: Element | None = None
    """What the mouse landed on."""
    focused: bool = False
    """Whether the focus moved to another element."""

    @property
    def visible(self) -> bool:
        """Whether somebody who looks at the screen would notice it."""
        return self.changed > VISIBLE_SHARE or self.navigated or self.new_tab or self.dialog is not None

    def describe(self) -> str:
        """One short line, such as `navigated, 41% of the screen changed`."""
        if self.error is not None:
            return f"failed: {self.error}"
        facts = [
            "navigated" if self.navigated else "",
            "opened a new tab" if self.new_tab else "",
            f"dialog: {self.dialog}" if self.dialog else "",
            _share(self.changed),
            "the focus moved" if self.focused else "",
        ]
        return ", ".join(fact for fact in facts if fact) or "no change"


def _share(changed: float) -> str:
    if changed <= VISIBLE_SHARE:
        return ""
    percent = f"{changed:.0%}" if changed >= 0.01 else "less than 1%"
    return f"{percent} of the screen changed"
