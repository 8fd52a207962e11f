"""A model that plays a script: for tests of the loop, dry runs and demonstrations without weights.

Knows the reply's shape, never looks at a page.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..tools.actions import FUNCTION_NAME
from .protocol import NO_USAGE, Preferences, Reply, ToolCall, Usage

ANY = Preferences()
END = {"action": "terminate", "status": "failure"}


class ScriptedModel:
    """Plays `script` one line per reply, then terminates with failure.

    A line is the arguments of an action (a dict, with an optional "thought" beside them), an action object,
    a whole `Reply`, or a string: raw text without any call. A callable script gets the messages and returns
    a line.
    """

    name = "scripted"

    def __init__(
        self,
        script: Iterable[Any] | Callable[[list[dict]], Any],
        preferences: Preferences = ANY,
        usage: Usage = NO_USAGE,
    ):
        self.preferences = preferences
        self.usage = usage
        self.seen: list[list[dict]] = []
        self._next = script if callable(script) else _player(script)

    async def reply(self, messages: list[dict], tools: list[dict], thinking: str = "auto") -> Reply:
        self.seen.append(list(messages))
        return self._as_reply(self._next(messages))

    def _as_reply(self, line: Any) -> Reply:
        if isinstance(line, Reply):
            return line
        if isinstance(line, str):
            return Reply(text=line, usage=self.usage)
        arguments = dict(line) if isinstance(line, dict) else line.arguments()
        thought = str(arguments.pop("thought", ""))
        return Reply(thought, calls=[ToolCall(FUNCTION_NAME, arguments)], usage=self.usage)


def load_script(path: Path) -> ScriptedModel:
    """A script from a `.jsonl` file: one line of the script per line, blank lines skipped.

    Raises InputError when the file cannot be read or a line is neither an object nor a string.
    """
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read the script {path}: {error}; give a file of JSON lines") from error
    for number, line in enumerate(lines, 1):
        if not isinstance(line, dict | str):
            raise InputError(f"line {number} of {path} is {line!r}; give an action's arguments or raw text")
    return ScriptedModel(lines)


def _player(script: Iterable[Any]) -> Callable[[list[dict]], Any]:
    lines = iter(script)
    return lambda _messages: next(lines, END)
