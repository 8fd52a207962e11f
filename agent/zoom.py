"""A second look: the part of the screen where an action would land, enlarged, and the model asked again.

Small targets gain from it, at the price of one more reply. Knows pictures and coordinates; knows no browser.
"""

from dataclasses import replace
from typing import Any, Literal

from PIL import Image

from ..errors import ActionError
from ..tools.actions import parse_action
from ..tools.element import Element
from ..tools.geometry import Geometry
from ..tools.observation import Observation
from .memory import image_part, text_part, user
from .protocol import ToolCall

Zoom = Literal["never", "auto", "always"]
SHARE = 0.35
SMALL_PX = 22
UNSURE = 0.5

Box = tuple[int, int, int, int]


def worth_it(zoom: Zoom, action: Any, target: Element | None, confidence: float | None) -> bool:
    """`auto`: the target is small, or the model is not sure."""
    if zoom == "never" or getattr(action, "coordinate", None) is None:
        return False
    small = target is not None and min(target.box[2:]) < SMALL_PX
    return zoom == "always" or small or (confidence is not None and confidence < UNSURE)


def crop_box(observation: Observation, point: tuple[int, int]) -> Box:
    """Left, top, right, bottom in image px: `SHARE` of the screen each way, inside it, around the point."""
    width, height = observation.image.size
    x, y = observation.geometry.relative_to_image(point)
    w, h = round(width * SHARE), round(height * SHARE)
    left = round(min(max(x - w / 2, 0), width - w))
    top = round(min(max(y - h / 2, 0), height - h))
    return left, top, left + w, top + h


def closer(task: str, planned: str, observation: Observation, box: Box) -> list[dict]:
    """The question about the enlarged part."""
    part = observation.image.crop(box).resize(observation.image.size, Image.Resampling.LANCZOS)
    asked = (
        f"Task: {task}\nThis is an enlarged part of the page. Planned: {planned}. "
        "Give the same action again, with the coordinate in this picture."
    )
    return [user(image_part(part), text_part(asked))]


def mapped(action: Any, closer_call: ToolCall, observation: Observation, box: Box) -> Any:
    """The action with its coordinate refined; unchanged when the second look gives no usable one."""
    try:
        seen = parse_action(closer_call.name, closer_call.arguments)
    except ActionError:
        return action
    point = getattr(seen, "coordinate", None)
    if point is None or seen.action != action.action:
        return action
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    x, y = Geometry(width, height, width, height).relative_to_image(point)
    return action.model_copy(
        update={"coordinate": observation.geometry.image_to_relative((left + x, top + y))}
    )


def refined(call: ToolCall, action: Any) -> ToolCall:
    """The call as it is remembered: with the coordinate that was used."""
    return replace(call, arguments={**call.arguments, "coordinate": list(action.coordinate)})
