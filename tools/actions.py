"""The actions of the agent, as values, and the one function schema that a model sees.

One frozen model per verb is the only definition: the JSON schema, the parser and the inverse
(`arguments`) are derived from it. Knows nothing of browsers; `execute.py` does what is said here.
"""

import difflib
import json
import re
from copy import deepcopy
from functools import cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)

from ..errors import ActionError
from .geometry import RELATIVE_MAX
from .keys import key_pattern, playwright_key, split_chord

FUNCTION_NAME = "computer_use"
LONGEST_WAIT_S = 30.0

_DESCRIPTION = """Use a mouse and keyboard to interact with a web browser, and take screenshots.
* You see the page only through screenshots; each call is followed by a new one.
* Coordinates are relative to the screenshot: [x, y], both 0..1000, from the top left corner.
* Click buttons, links and fields with the tip of the cursor in their centre, not on their edges.
* Pages may take time to load: wait and look again when the screen is not ready."""


def _read_point(value: Any) -> Any:
    """Accept `[x, y]`, `"[x, y]"`, `{"x": .., "y": ..}` and a box `[x1, y1, x2, y2]` (its centre)."""
    if isinstance(value, str):
        value = re.findall(r"-?\d+(?:\.\d+)?", value)
    if isinstance(value, dict):
        value = [value.get("x"), value.get("y")]
    if not isinstance(value, list | tuple) or len(value) not in (2, 4):
        raise ValueError("give two numbers [x, y]")
    try:
        numbers = [float(number) for number in value]
    except (TypeError, ValueError):
        raise ValueError("give two numbers [x, y]") from None
    if len(numbers) == 4:
        numbers = [(numbers[0] + numbers[2]) / 2, (numbers[1] + numbers[3]) / 2]
    if not all(0 <= number <= RELATIVE_MAX for number in numbers):
        raise ValueError(f"outside 0..{RELATIVE_MAX}: give numbers relative to the screenshot's size")
    return tuple(round(number) for number in numbers)


def _read_keys(value: Any) -> Any:
    """Accept `["ctrl", "a"]`, `["ctrl+a"]`, `"ctrl+a"` and either of the lists written as text."""
    if isinstance(value, str) and value.strip().startswith("["):
        value = _loads(value, "keys")
    if isinstance(value, str):
        value = [value if value == " " else value.strip()]
    if not isinstance(value, list | tuple) or not value:
        raise ValueError('give a list of key names, such as ["ctrl", "a"]')
    names = [name for part in value for name in split_chord(str(part))]
    for name in names:
        try:
            playwright_key(name)
        except KeyError as error:
            raise ValueError(error.args[0]) from None
    return tuple(names)


def _bound_wait(value: Any) -> Any:
    try:
        return min(max(float(value), 0.0), LONGEST_WAIT_S)
    except (TypeError, ValueError):
        raise ValueError("give a number of seconds") from None


def _array_schema(description: str, items: dict[str, Any], **limits: int) -> WithJsonSchema:
    return WithJsonSchema({"description": description, "type": "array", "items": items, **limits})


def _point_schema(description: str) -> WithJsonSchema:
    number = {"type": "integer", "minimum": 0, "maximum": RELATIVE_MAX}
    return _array_schema(description, number, minItems=2, maxItems=2)


Coordinate = Annotated[
    tuple[int, int],
    BeforeValidator(_read_point),
    _point_schema("Where on the screenshot: [x, y], both relative, 0..1000, from the top left."),
]
StartCoordinate = Annotated[
    tuple[int, int],
    BeforeValidator(_read_point),
    _point_schema("Where a drag starts: [x, y], relative, 0..1000; left out, it starts at the mouse."),
]
Text = Annotated[str, Field(description="The text to type, to ask or to answer.")]
Keys = Annotated[
    tuple[str, ...],
    BeforeValidator(_read_keys),
    _array_schema('Key names pressed together, such as ["ctrl", "a"] or ["Enter"].', {"type": "string"}),
]
Pixels = Annotated[
    float,
    Field(
        allow_inf_nan=False,
        description="How far to scroll. Positive values scroll up, negative values scroll down "
        "(hscroll: positive scrolls right, negative left).",
    ),
]
Seconds = Annotated[
    float,
    BeforeValidator(_bound_wait),
    Field(allow_inf_nan=False, description=f"Seconds to wait, at most {LONGEST_WAIT_S:.0f}."),
]
Url = Annotated[str, Field(min_length=1, description="The address to open.")]
TabIndex = Annotated[int, Field(ge=0, description="Index of a tab, from 0.")]
Status = Annotated[Literal["success", "failure"], Field(description="How the task ended.")]


class _Act(BaseModel):
    """What all actions share: a frozen value that can write itself as arguments and as a line."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True, defer_build=True)
    line: ClassVar[str] = ""
    action: str

    def arguments(self) -> dict[str, Any]:
        """The call's arguments as JSON values; `parse_action` reads them back to an equal action."""
        return self.model_dump(mode="json", exclude_none=True)

    def describe(self) -> str:
        """One short human line, such as `Click at (512, 300)`."""
        values = {name: value for name, value in self if value is not None}
        return self.line.format(**values)


class LeftClick(_Act):
    """Click the left mouse button at `coordinate`."""

    line = "Click at {coordinate}"
    action: Literal["left_click"] = "left_click"
    coordinate: Coordinate


class RightClick(_Act):
    """Click the right mouse button at `coordinate`."""

    line = "Right-click at {coordinate}"
    action: Literal["right_click"] = "right_click"
    coordinate: Coordinate


class MiddleClick(_Act):
    """Click the middle mouse button at `coordinate`."""

    line = "Middle-click at {coordinate}"
    action: Literal["middle_click"] = "middle_click"
    coordinate: Coordinate


class DoubleClick(_Act):
    """Double-click the left mouse button at `coordinate`."""

    line = "Double-click at {coordinate}"
    action: Literal["double_click"] = "double_click"
    coordinate: Coordinate


class TripleClick(_Act):
    """Triple-click the left mouse button at `coordinate`."""

    line = "Triple-click at {coordinate}"
    action: Literal["triple_click"] = "triple_click"
    coordinate: Coordinate


class MouseMove(_Act):
    """Move the mouse to `coordinate` without clicking."""

    line = "Move the mouse to {coordinate}"
    action: Literal["mouse_move"] = "mouse_move"
    coordinate: Coordinate


class LeftClickDrag(_Act):
    """Press the left button at `start_coordinate` (or at the mouse), drag to `coordinate`, release."""

    action: Literal["left_click_drag"] = "left_click_drag"
    coordinate: Coordinate
    start_coordinate: StartCoordinate | None = None

    def describe(self) -> str:
        start = f" from {self.start_coordinate}" if self.start_coordinate else ""
        return f"Drag{start} to {self.coordinate}"


class Type(_Act):
    """Type `text` where the focus is; with `coordinate`, click there first and replace what is there."""

    action: Literal["type"] = "type"
    text: Text
    coordinate: Coordinate | None = None

    def describe(self) -> str:
        place = f" at {self.coordinate}" if self.coordinate else ""
        return f"Type {_short(self.text)}{place}"


class Key(_Act):
    """Press `keys` together, then release them."""

    action: Literal["key"] = "key"
    keys: Keys

    def describe(self) -> str:
        return f"Press {'+'.join(self.keys)}"


class Scroll(_Act):
    """Scroll the mouse wheel by `pixels` at `coordinate` (left out: where the mouse is)."""

    action: Literal["scroll"] = "scroll"
    pixels: Pixels
    coordinate: Coordinate | None = None

    def describe(self) -> str:
        place = f" at {self.coordinate}" if self.coordinate else ""
        return f"Scroll {'up' if self.pixels > 0 else 'down'} {abs(self.pixels):.0f} px{place}"


class HScroll(_Act):
    """Scroll sideways by `pixels` at `coordinate` (left out: where the mouse is)."""

    action: Literal["hscroll"] = "hscroll"
    pixels: Pixels
    coordinate: Coordinate | None = None

    def describe(self) -> str:
        place = f" at {self.coordinate}" if self.coordinate else ""
        return f"Scroll {'right' if self.pixels > 0 else 'left'} {abs(self.pixels):.0f} px{place}"


class Wait(_Act):
    """Wait `time` seconds for the page to change."""

    line = "Wait {time:g} s"
    action: Literal["wait"] = "wait"
    time: Seconds


class Goto(_Act):
    """Open `url` in the current tab."""

    line = "Go to {url}"
    action: Literal["goto"] = "goto"
    url: Url


class Back(_Act):
    """Go back one page in the history."""

    line = "Go back"
    action: Literal["back"] = "back"


class Forward(_Act):
    """Go forward one page in the history."""

    line = "Go forward"
    action: Literal["forward"] = "forward"


class Reload(_Act):
    """Load the current page again."""

    line = "Reload the page"
    action: Literal["reload"] = "reload"


class NewTab(_Act):
    """Open a new tab, at `url` when it is given."""

    line = "Open a new tab"
    action: Literal["new_tab"] = "new_tab"
    url: Url | None = None

    def describe(self) -> str:
        return f"Open a new tab at {self.url}" if self.url else self.line


class SwitchTab(_Act):
    """Show the tab with index `tab`."""

    line = "Switch to tab {tab}"
    action: Literal["switch_tab"] = "switch_tab"
    tab: TabIndex


class CloseTab(_Act):
    """Close the tab with index `tab` (left out: the current one)."""

    line = "Close the tab"
    action: Literal["close_tab"] = "close_tab"
    tab: TabIndex | None = None

    def describe(self) -> str:
        return self.line if self.tab is None else f"Close tab {self.tab}"


class UploadFile(_Act):
    """Choose the file named `text` for an upload: with `coordinate`, click the upload button there first."""

    action: Literal["upload_file"] = "upload_file"
    text: Text
    coordinate: Coordinate | None = None

    def describe(self) -> str:
        return f"Upload {_short(self.text)}"


class AcceptDialog(_Act):
    """Answer the browser's dialog with OK, entering `text` where it asks for some."""

    action: Literal["accept_dialog"] = "accept_dialog"
    text: Text | None = None

    def describe(self) -> str:
        return "Accept the dialog" + (f" with {_short(self.text)}" if self.text else "")


class DismissDialog(_Act):
    """Answer the browser's dialog with Cancel."""

    line = "Dismiss the dialog"
    action: Literal["dismiss_dialog"] = "dismiss_dialog"


class Answer(_Act):
    """Give `text` as the answer to the task and finish."""

    action: Literal["answer"] = "answer"
    text: Text

    def describe(self) -> str:
        return f"Answer {_short(self.text)}"


class Terminate(_Act):
    """Finish the task and report its `status`."""

    line = "Finish: {status}"
    action: Literal["terminate"] = "terminate"
    status: Status


class AskUser(_Act):
    """Ask the user `text` and wait for the reply: when the task is unclear or needs a secret."""

    action: Literal["ask_user"] = "ask_user"
    text: Text

    def describe(self) -> str:
        return f"Ask the user {_short(self.text)}"


Action = (
    LeftClick
    | RightClick
    | MiddleClick
    | DoubleClick
    | TripleClick
    | MouseMove
    | LeftClickDrag
    | Type
    | Key
    | Scroll
    | HScroll
    | Wait
    | Goto
    | Back
    | Forward
    | Reload
    | NewTab
    | SwitchTab
    | CloseTab
    | UploadFile
    | AcceptDialog
    | DismissDialog
    | Answer
    | Terminate
    | AskUser
)

ACTIONS: dict[str, type[_Act]] = {kind.model_fields["action"].default: kind for kind in Action.__args__}
_PARAMETERS = {name for kind in ACTIONS.values() for name in kind.model_fields} - {"action"}
_ACTION: TypeAdapter[Action] = TypeAdapter(
    Annotated[Action, Field(discriminator="action")], config=ConfigDict(defer_build=True)
)


def parse_action(name: str, arguments: dict[str, Any] | str | None) -> Action:
    """Read a model's call as an action.

    Forgives what has one sensible reading: arguments as JSON text, a verb used as the function's name,
    coordinates or keys written as text, and parameters that belong to another verb.
    Raises ActionError, with the value and the remedy, for everything else.
    """
    values = _loads(arguments, "arguments") if isinstance(arguments, str) else (arguments or {})
    if not isinstance(values, dict):
        raise ActionError(f"arguments are {values!r}: give an object with an 'action'")
    values = {key: value for key, value in values.items() if value is not None}
    if name != FUNCTION_NAME:
        values = {"action": _known_verb(name), **values}
    if "action" not in values:
        raise ActionError(f"the call has no 'action': give one of {', '.join(ACTIONS)}")
    values["action"] = _known_verb(values["action"])
    values = _own_parameters(values)
    try:
        return _ACTION.validate_python(values)
    except ValidationError as error:
        raise ActionError(_explain(values, error)) from None


def computer_use_schema() -> dict[str, Any]:
    """The one function of the model, in OpenAI's form: flat properties, only `action` required.

    `x-variants` holds what the flat form cannot say: which verbs need which parameters. It is for programs
    that constrain a model's output; a prompt shows the rest.
    """
    return deepcopy(_schema())


@cache
def _schema() -> dict[str, Any]:
    verbs = "\n".join(f"* `{verb}`: {_doc(kind)}" for verb, kind in ACTIONS.items())
    action = {"description": f"The action to do. One of:\n{verbs}", "enum": list(ACTIONS), "type": "string"}
    parameters = {
        "type": "object",
        "properties": {"action": action, **_property_schemas()},
        "required": ["action"],
        "x-variants": _variants(),
    }
    function = {"name": FUNCTION_NAME, "description": _DESCRIPTION, "parameters": parameters}
    return {"type": "function", "function": function}


def _property_schemas() -> dict[str, Any]:
    """Each parameter once, with the verbs that need it or may have it, derived from the models."""
    schemas: dict[str, dict[str, Any]] = {}
    required: dict[str, list[str]] = {}
    optional: dict[str, list[str]] = {}
    for verb, kind in ACTIONS.items():
        for name, field in kind.model_json_schema()["properties"].items():
            if name == "action":
                continue
            schemas.setdefault(name, _plain(field))
            needed = kind.model_fields[name].is_required()
            (required if needed else optional).setdefault(name, []).append(verb)
    for name, schema in schemas.items():
        uses = [("Required by", required.get(name)), ("Optional for", optional.get(name))]
        texts = [f"{word} {', '.join(verbs)}." for word, verbs in uses if verbs]
        schema["description"] = " ".join([schema.get("description", ""), *texts])
    return schemas


def _variants() -> list[dict[str, Any]]:
    """One closed object per set of parameters, with its verbs; `True` means as in the flat form."""
    strict = {"keys": {"type": "array", "items": {"type": "string", "pattern": key_pattern()}, "minItems": 1}}
    verbs: dict[tuple[tuple[str, bool], ...], list[str]] = {}
    for verb, kind in ACTIONS.items():
        fields = (
            (name, field.is_required()) for name, field in kind.model_fields.items() if name != "action"
        )
        verbs.setdefault(tuple(fields), []).append(verb)
    return [
        {
            "type": "object",
            "properties": {"action": {"enum": names}, **{name: strict.get(name, True) for name, _ in fields}},
            "required": ["action", *(name for name, required in fields if required)],
            "additionalProperties": False,
        }
        for fields, names in verbs.items()
    ]


def _plain(field: dict[str, Any]) -> dict[str, Any]:
    """A field's schema without titles, defaults and the `null` branch of optional ones."""
    merged = {**field, **(field["anyOf"][0] if "anyOf" in field else {})}
    return {key: value for key, value in merged.items() if key not in ("title", "default", "anyOf")}


def _known_verb(name: Any) -> str:
    verb = str(name).strip().lower().replace("-", "_").replace(" ", "_")
    if verb in ACTIONS:
        return verb
    near = difflib.get_close_matches(verb, ACTIONS, n=3, cutoff=0.5)
    remedy = f"did you mean {' or '.join(near)}?" if near else f"use one of {', '.join(ACTIONS)}"
    raise ActionError(f"there is no action {name!r}: {remedy}")


def _own_parameters(values: dict[str, Any]) -> dict[str, Any]:
    """Leave out parameters of other verbs; a name that no verb has is an error."""
    own = ACTIONS[values["action"]].model_fields
    for name in values:
        if name not in _PARAMETERS | {"action"}:
            near = difflib.get_close_matches(name, _PARAMETERS, n=1)
            raise ActionError(
                f"{values['action']} has no parameter {name!r}: use {near[0] if near else sorted(own)}"
            )
    return {name: value for name, value in values.items() if name in own}


def _explain(values: dict[str, Any], error: ValidationError) -> str:
    """The first fault in one line: which parameter of which verb, its value, what to give."""
    fault = error.errors(include_url=False)[0]
    verb, *place = fault["loc"]
    name = str(place[0]) if place else "action"
    if fault["type"] == "missing":
        description = _property_schemas()[name]["description"].split(". ")[0]
        return f"{verb} needs '{name}': {description}"
    return f"{verb}: {name} {values.get(name)!r}: {fault['msg'].removeprefix('Value error, ')}"


def _loads(text: str, what: str) -> Any:
    try:
        return json.loads(text) if text.strip() else {}
    except json.JSONDecodeError as error:
        raise ActionError(f"{what} {_short(text)} are not JSON ({error.msg}): give valid JSON") from None


def _short(text: str, limit: int = 60) -> str:
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")


def _doc(kind: type[_Act]) -> str:
    return (kind.__doc__ or "").strip()
