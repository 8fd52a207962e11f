"""What an action points at, asked of the page before the action.

For approval (what would be pressed?), for replay (where is it now?) and for secrets (whose field is it?).
"""

from typing import TYPE_CHECKING, Any

from ..tools.actions import Key, Type
from ..tools.element import Element
from ..tools.geometry import Geometry

if TYPE_CHECKING:
    from ..tools import Browser

POINTS = ("coordinate", "start_coordinate")
FOCUS = "focus"


async def targets_of(action: Any, browser: "Browser", geometry: Geometry) -> dict[str, Element]:
    """By the action's parameter: what each of its points is on; under "focus" what the keyboard goes to."""
    found: dict[str, Element | None] = {}
    for name in POINTS:
        point = getattr(action, name, None)
        if point is not None:
            found[name] = await browser.element_at(geometry.relative_to_css(point))
    if isinstance(action, Type | Key) and not found:
        found[FOCUS] = await browser.focused()
    return {name: element for name, element in found.items() if element is not None}
