"""A person's mouse and keyboard on the live picture, as actions of the browser. Knows no run and no page.

The page of the UI sends where on the picture it happened, in the picture's own displayed size; the one
geometry makes relative coordinates of it.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from ..errors import ActionError, InputError
from ..tools.actions import FUNCTION_NAME, Action, parse_action
from ..tools.geometry import Geometry

CLICKS = {0: "left_click", 1: "middle_click", 2: "right_click"}
REPEATED = {2: "double_click", 3: "triple_click"}


def read_deed(deed: Mapping[str, Any]) -> Action:
    """{"do": "click", "at": [x, y], "size": [width, height]} -> LeftClick. Raises InputError."""
    try:
        return parse_action(FUNCTION_NAME, _arguments(deed))
    except (ActionError, ValidationError, KeyError, TypeError, ValueError, AssertionError) as error:
        raise InputError(f"this cannot be done in the page: {error}") from None


def _arguments(deed: Mapping[str, Any]) -> dict[str, Any]:
    match deed["do"]:
        case "click":
            verb = REPEATED.get(deed.get("count", 1)) or CLICKS[deed.get("button", 0)]
            return {"action": verb, "coordinate": _place(deed, "at")}
        case "drag":
            places = {"start_coordinate": _place(deed, "from"), "coordinate": _place(deed, "at")}
            return {"action": "left_click_drag", **places}
        case "scroll":
            return {"action": "scroll", "pixels": deed["pixels"], "coordinate": _place(deed, "at")}
        case "type":
            return {"action": "type", "text": str(deed["text"])}
        case "key":
            return {"action": "key", "keys": list(deed["keys"])}
        case "back":
            return {"action": "back"}
        case other:
            raise ValueError(f"{other!r} is unknown")


def _place(deed: Mapping[str, Any], name: str) -> list[int]:
    width, height = deed["size"]
    shown = Geometry(width, height, max(round(width), 1), max(round(height), 1))
    x, y = deed[name]
    return list(shown.css_to_relative((x, y)))
