"""From a model's call to something that can be done: an action of the page, a tool of the user, or an end.

Knows names and arguments; does nothing itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from ..errors import ActionError
from ..tools.actions import ACTIONS, FUNCTION_NAME, Action, Answer, computer_use_schema, parse_action
from .protocol import ToolCall
from .results import FINISH, Finish, finish_schema, read_finish
from .usertools import Tool, UseTool


@dataclass(frozen=True)
class Recorded:
    """A tool's call or an output as an earlier process journaled it: to be shown, not to be done again."""

    values: dict[str, Any]

    @property
    def action(self) -> str:
        return str(self.values.get("action", ""))

    def arguments(self) -> dict[str, Any]:
        return dict(self.values)

    def describe(self) -> str:
        rest = (f"{key}={value!r}" for key, value in self.values.items() if key != "action")
        return f"{self.action}({', '.join(rest)})"


Call = Action | UseTool | Finish | Recorded


class Vocabulary:
    """All functions of one run: how they are offered, and how a call of them is read."""

    def __init__(self, tools: Sequence[Tool] = (), output: type[BaseModel] | None = None):
        self.output = output
        self._tools = {tool.name: tool for tool in tools}

    def schemas(self) -> list[dict[str, Any]]:
        """In a fixed order: they stand at the front of every prompt."""
        ends = [finish_schema(self.output)] if self.output else []
        return [computer_use_schema(), *(tool.schema() for tool in self._tools.values()), *ends]

    def read(self, call: ToolCall) -> Call:
        """Raises ActionError, with the remedy, for what cannot be done."""
        if call.name in self._tools:
            return self._tools[call.name].read(call.arguments)
        if self.output and call.name == FINISH:
            return read_finish(self.output, call.arguments)
        if self._tools and call.name not in (FUNCTION_NAME, *ACTIONS):
            known = ", ".join([FUNCTION_NAME, *self._tools])
            raise ActionError(f"there is no function {call.name!r}: use one of {known}")
        action = parse_action(call.name, call.arguments)
        if self.output and isinstance(action, Answer):
            return read_finish(self.output, action.text)
        return action


def read_recorded(arguments: dict[str, Any] | None) -> Call | None:
    """The action of a journal's line."""
    if arguments is None:
        return None
    if arguments.get("action") not in ACTIONS:
        return Recorded(arguments)
    return parse_action(FUNCTION_NAME, arguments)
