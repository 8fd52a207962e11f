"""Functions of the user as actions of the agent: type hints become a schema, errors become observations.

Knows functions and pydantic; knows no loop. A parameter annotated `Browser` is filled with the run's browser
and hidden from the model.
"""

import asyncio
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_type_hints, overload

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from ..errors import ActionError, InputError
from ..tools import actions

LONGEST_RESULT = 4000


@dataclass(frozen=True)
class Tool:
    """A function that a model may call. Still a function: calling it calls what it was made of."""

    name: str
    description: str
    function: Callable[..., Any]
    arguments: type[BaseModel]
    injected: tuple[str, ...] = ()
    risky: bool = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def schema(self) -> dict[str, Any]:
        """OpenAI's form."""
        parameters = {k: v for k, v in self.arguments.model_json_schema().items() if k != "title"}
        function = {"name": self.name, "description": self.description, "parameters": parameters}
        return {"type": "function", "function": function}

    def read(self, arguments: Mapping[str, Any]) -> "UseTool":
        """Raises ActionError that names the first fault."""
        try:
            checked = self.arguments.model_validate(untyped(arguments))
        except ValidationError as error:
            raise ActionError(f"{self.name}: {first_fault(error)}") from None
        return UseTool(self, {name: getattr(checked, name) for name in type(checked).model_fields})


@dataclass(frozen=True)
class UseTool:
    """One call of a tool, checked. It has an action's face: a name, arguments, one human line."""

    tool: Tool
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def action(self) -> str:
        return self.tool.name

    def arguments(self) -> dict[str, Any]:
        return {"action": self.action, **json.loads(json.dumps(self.values, default=plain))}

    def describe(self) -> str:
        return f"{self.action}({', '.join(f'{key}={value!r}' for key, value in self.values.items())})"

    async def run(self, browser: Any) -> str:
        """What the function returns, as text. A sync function runs in a thread. Raises what it raises."""
        given = {**self.values, **dict.fromkeys(self.tool.injected, browser)}
        if inspect.iscoroutinefunction(self.tool.function):
            result = await self.tool.function(**given)
        else:
            result = await asyncio.to_thread(self.tool.function, **given)
        return as_text(result)


@overload
def tool(function: Callable[..., Any]) -> Tool: ...
@overload
def tool(
    *, name: str = ..., description: str = ..., risky: bool = ...
) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(function: Any = None, *, name: str = "", description: str = "", risky: bool = False) -> Any:
    """
    @tool
    def price_of(article: str, currency: Literal["EUR", "USD"] = "EUR") -> float:
        "Look up the price in our own database."

    Agent(task, tools=[price_of])

    `risky`: a person should approve each call, where risky actions are asked about.
    Raises InputError for parameters without a type hint and for names that are taken.
    """
    if function is None:
        return lambda it: make_tool(it, name, description, risky)
    return make_tool(function, name, description, risky)


def make_tool(
    function: Callable[..., Any], name: str = "", description: str = "", risky: bool = False
) -> Tool:
    name = name or function.__name__
    if name in actions.ACTIONS or name == actions.FUNCTION_NAME:
        raise InputError(f"a tool cannot be named {name!r}: that is an action; give it another name")
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    injected = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name not in hints:
            raise InputError(f"{name}: parameter {parameter.name!r} has no type hint; the schema needs one")
        if _is_browser(hints[parameter.name]):
            injected.append(parameter.name)
            continue
        required = parameter.default is inspect.Parameter.empty
        fields[parameter.name] = (hints[parameter.name], ... if required else parameter.default)
    arguments = create_model(name, __config__=ConfigDict(extra="forbid"), **fields)
    text = description or inspect.getdoc(function) or name
    return Tool(name, text, function, arguments, tuple(injected), risky)


def untyped(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Text that holds a JSON list or object as that: XML calls carry every value as text."""
    return {name: _opened(value) for name, value in arguments.items()}


def first_fault(error: ValidationError) -> str:
    fault = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in fault["loc"]) or "the arguments"
    return f"{place}: {fault['msg']}"


def as_text(result: Any) -> str:
    text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False, default=plain)
    return text if len(text) <= LONGEST_RESULT else f"{text[:LONGEST_RESULT]}… ({len(text)} characters)"


def plain(value: Any) -> Any:
    """For JSON: models as objects, everything else that is unknown as its text."""
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else str(value)


def _opened(value: Any) -> Any:
    if isinstance(value, str) and value.strip()[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _is_browser(hint: Any) -> bool:
    from ..tools.browser import Browser

    return isinstance(hint, type) and issubclass(hint, Browser)
