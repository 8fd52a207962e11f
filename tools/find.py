"""Where an element is and what lies at a point: the page is asked, and its frames of other origins in turn.

Frames of the page's own origin are the business of `element.js`; each foreign one is a world of its own here.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from .element import UNKNOWN, Element
from .geometry import Point
from .tab import LiveTab
from .world import SCRIPT_S, World

_ASK_S, _WHOLE_S = 0.5, 1.5  # twins are looked for in the whole document
_DEEPEST = 5  # frames of other origins within each other


@dataclass(frozen=True)
class Told:
    """What one frame said: None when it did not answer, or could not be asked."""

    value: Any
    corner: tuple[float, float] = (0, 0)
    """Where its inside begins in the viewport, in CSS px."""
    box: tuple[float, float, float, float] | None = None
    """x, y, width, height of the frame; None for the page itself."""


async def ask_everywhere(tab: LiveTab, question: str) -> list[Told]:
    """The value of an expression in the page, and in each frame of another origin that can be seen."""
    return await _told(tab, await tab.world(), question, Told(None))


async def element_at(tab: LiveTab, point: Point, whole: bool = False) -> Element | None:
    """The control at a CSS point; None without an answer. `whole` also tells its twins and its form."""

    def question(x: float, y: float, left: float, top: float) -> str:
        return f"at({x}, {y}, {_js(whole)}, {left}, {top})"

    seconds = _WHOLE_S if whole else _ASK_S
    return await _describe(tab, await tab.world(), question, (*point, 0, 0), seconds)


async def focused_element(tab: LiveTab, whole: bool = True) -> Element | None:
    """What the keyboard goes to; `whole` as for `element_at`."""

    def question(x: float, y: float, left: float, top: float) -> str:
        return f"focused({_js(whole)}, {left}, {top})"

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
        frame = (await world.ask("location.href") or UNKNOWN) if depth else None
        return Element.from_dict({**found, "frame": frame})
    inner = await _world_inside(tab, world, hop["path"]) if depth < _DEEPEST else None
    deeper = inner and await _describe(tab, inner, question, hop["point"], seconds, depth + 1)
    if not deeper:  # what the page says of it, such as its `src`, proves nothing
        return Element.from_dict({**found, "frame": UNKNOWN})
    return replace(deeper, frames=(*hop["path"], *deeper.frames))


async def _told(tab: LiveTab, world: World, question: str, place: Told, depth: int = 0) -> list[Told]:
    """`place`: the frame of this world, without a value yet."""
    value, inside = await world.ask(question), await world.ask("saccadeElements.foreign()")
    if value is None or inside is None:
        return [place]
    told, (left, top) = [replace(place, value=value)], place.corner
    for it in inside:
        (x, y, width, height), (dx, dy) = it["box"], it["corner"]
        frame = Told(None, (left + dx, top + dy), (left + x, top + y, width, height))
        inner = await _world_inside(tab, world, it["path"]) if depth < _DEEPEST else None
        told += await _told(tab, inner, question, frame, depth + 1) if inner else [frame]
    return told


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
    """None when there is no such frame, or when it is busy."""

    async def enter() -> World | None:
        frame = await world.frame_of(f"saccadeElements.frameAt({_js(path)})")
        return await tab.world_of(frame) if frame else None

    with suppress(TimeoutError):
        return await asyncio.wait_for(enter(), SCRIPT_S)
    return None


def _js(value: Any) -> str:
    return json.dumps(value)
