"""Where an element is and what lies at a point: the page is asked, and its frames of other origins in turn.

Frames of the page's own origin are the business of `element.js`; each foreign one is a world of its own here.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from .element import Element
from .geometry import Point
from .tab import LiveTab
from .world import World

_ASK_S, _WHOLE_S = 0.5, 1.5  # twins are looked for in the whole document
_DEEPEST = 5  # frames of other origins within each other


async def element_at(tab: LiveTab, point: Point, whole: bool = False) -> Element | None:
    """The control at a CSS point; None without an answer. `whole` also tells its twins and its form."""

    def question(x: float, y: float, left: float, top: float) -> str:
        return f"at({x}, {y}, {_js(whole)}, {left}, {top})"

    seconds = _WHOLE_S if whole else _ASK_S
    return await _describe(tab, await tab.world(), question, (*point, 0, 0), seconds)


async def focused_element(tab: LiveTab) -> Element | None:
    """What the keyboard goes to."""

    def question(x: float, y: float, left: float, top: float) -> str:
        return f"focused(true, {left}, {top})"

    return await _describe(tab, await tab.world(), question, (0, 0, 0, 0), _WHOLE_S)


async def find_element(tab: LiveTab, element: Element) -> Point | None:
    """Where to press now, in CSS px, scrolled into view; None when nothing has that role and name."""
    return await _find(tab, await tab.world(), element, element.frames)


async def _describe(
    tab: LiveTab,
    world: World,
    question: Callable[..., str],
    place: Sequence[float],
    seconds: float,
    depth: int = 0,
) -> Element | None:
    """`place`: where to look in this world's frame, then where the frame begins in the viewport."""
    found = await world.ask(f"saccadeElements.{question(*place)}", seconds)
    if not found:
        return None
    hop = found.pop("hop", None)
    if hop is None:
        return Element.from_dict({**found, "frame": await world.ask("location.href") if depth else None})
    inner = await _world_inside(tab, world, hop["path"]) if depth < _DEEPEST else None
    deeper = inner and await _describe(tab, inner, question, hop["point"], seconds, depth + 1)
    if not deeper:
        return Element.from_dict({**found, "frame": found["src"]})
    return replace(deeper, frames=(*hop["path"], *deeper.frames))


async def _find(tab: LiveTab, world: World, element: Element, path: tuple[str, ...]) -> Point | None:
    wanted = {"role": element.role, "name": element.name, "nth": element.nth, "path": path}
    found = await world.ask(f"saccadeElements.find({_js(wanted)})")
    if not found:
        return None
    if "point" in found:
        x, y = found["point"]
        return x, y
    here, rest = path[: found["hop"]["depth"]], path[found["hop"]["depth"] :]
    inner = await _world_inside(tab, world, here)
    point = inner and await _find(tab, inner, element, rest)
    corner = point and await world.ask(f"saccadeElements.corner({_js(here)})")  # after it has scrolled
    return (point[0] + corner[0], point[1] + corner[1]) if point and corner else None


async def _world_inside(tab: LiveTab, world: World, path: Sequence[str]) -> World | None:
    frame = await world.frame_of(f"saccadeElements.frameAt({_js(path)})")
    return await tab.world_of(frame) if frame else None


def _js(value: Any) -> str:
    return json.dumps(value)
