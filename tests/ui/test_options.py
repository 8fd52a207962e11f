"""The command line is a promise: commands, options and defaults, as committed in `options.json`.

After a change on purpose: `python tests/ui/test_options.py > tests/ui/options.json`.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from saccade.ui.cli import app
from typer.main import get_command

SNAPSHOT = Path(__file__).with_name("options.json")


def describe_commands() -> dict[str, dict]:
    return {
        name: {"help": it.help, "parameters": describe_parameters(it)}
        for name, it in commands_of(get_command(app), "saccade")
    }


def commands_of(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The command and those below it, by their whole names."""
    yield name, command
    for below, each in getattr(command, "commands", {}).items():
        yield from commands_of(each, f"{name} {below}")


def describe_parameters(command: Any) -> list[dict]:
    return [
        {
            "names": list(parameter.opts),
            "kind": parameter.param_type_name,
            "required": parameter.required,
            "repeatable": bool(getattr(parameter, "multiple", False)),
            "default": str(parameter.default) if parameter.default not in (None, [], ()) else None,
            "help": getattr(parameter, "help", None),
        }
        for parameter in command.params
    ]


def test_commands_and_options_are_as_committed():
    assert describe_commands() == json.loads(SNAPSHOT.read_text())


if __name__ == "__main__":
    print(json.dumps(describe_commands(), indent=2))
