"""The history of a run that does not think (`fast`): every step by what was done, as `saccade.tools` describes it."""

import re

from .clause import relative_centre
from .sight import Sight

DONE_TO = {"Click": "Click at", "Open": "Click at", "Set": "Click at", "Double-click": "Double-click at",
           "Right-click": "Right-click at", "Hover over": "Move the mouse to"}  # fmt: skip
TYPED = re.compile(r"Type '(.*)' into (.*)", re.DOTALL)
LONGEST = 60  # of a text that is told


def wordless(lines: list[str], see: Sight) -> list[str]:
    """The same steps without their thoughts. What is not on this page was somewhere."""
    places = {see.line(e): relative_centre(see.box(e)) for e in see.visible}
    return [_deed(line.removesuffix(" (no change)"), places, see) + _effect(line) for line in lines]


def _effect(line: str) -> str:
    return " (no change)" if line.endswith(" (no change)") else ""


def _deed(line: str, places: dict[str, list[int]], see: Sight) -> str:
    def at(thing: str) -> str:
        x, y = places.get(thing) or (see.rng.randint(20, 980), see.rng.randint(20, 980))
        return f"({x}, {y})"

    if typed := TYPED.fullmatch(line):
        return f"Type {shortened(typed[1])!r} at {at(typed[2])}"
    if line.startswith("Clear "):
        return f"Type '' at {at(line.removeprefix('Clear '))}"
    if line.startswith("Drag "):
        return f"Drag from {at('')} to {at('')}"
    if line.startswith("Scroll "):
        return f"{line} 240 px"
    if line == "Reload":
        return "Reload the page"
    if line.startswith("Open http"):
        return line.replace("Open", "Go to", 1)
    for verb, deed in DONE_TO.items():
        if line.startswith(f"{verb} "):
            return f"{deed} {at(line.removeprefix(f'{verb} '))}"
    return line if line.startswith(("Press ", "Go back", "Go forward")) else f"Click at {at('')}"


def shortened(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
