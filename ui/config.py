"""Where settings come from besides flags: the environment and `saccade.toml`. Knows the commands' options.

A flag wins over the environment, that over the file; a setting of one command wins over one for all:

    model = "http://127.0.0.1:8000/v1"     # every command that has --model; SACCADE_MODEL
    [run]
    max_steps = 40                         # saccade run --max-steps; SACCADE_RUN_MAX_STEPS

`python -m saccade.ui.config` writes the table of all keys for docs/config.md.
"""

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError

FILE = "saccade.toml"
GENERAL = (
    "model", "thinking", "max_steps", "viewport", "headed", "allow_host", "browser", "api_key", "parallel",
    "json",
)  # fmt: skip
OWN_MEANING = {("replay", "model"), ("resume", "model")}  # not "the model that acts"
YES, NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


@dataclass(frozen=True)
class Key:
    """One setting: `command` is "run" or "runs list", `name` the flag's, `parameter` the function's."""

    command: str
    name: str
    parameter: str
    flag: str
    is_flag: bool
    multiple: bool
    default: str
    help: str

    @property
    def place(self) -> str:
        """In the file: `run.max_steps`."""
        return f"{self.command.replace(' ', '.')}.{self.name}"

    @property
    def variable(self) -> str:
        return f"SACCADE_{self.command.replace(' ', '_')}_{self.name}".upper()

    @property
    def general(self) -> bool:
        """Whether it may also be set for all commands at once."""
        return self.name in GENERAL and (self.command, self.name) not in OWN_MEANING


def keys_of(root: Any) -> list[Key]:
    """Every option of every command below `root`, except --help and the root's own."""
    return [_key(command, option) for command, option in _options(root, ()) if command]


def _options(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for option in command.params:
        if option.param_type_name == "option" and option.name != "help":
            yield " ".join(path), option
    for name, below in getattr(command, "commands", {}).items():
        yield from _options(below, (*path, name))


def _key(command: str, option: Any) -> Key:
    flag = max(option.opts, key=len)
    value = getattr(option.default, "value", option.default)
    default = "" if value in (None, (), [], "", False) else str(value)
    name = flag.removeprefix("--").replace("-", "_")
    return Key(command, name, option.name, flag, option.is_flag, option.multiple, default, option.help or "")


def default_map(
    keys: list[Key], environment: Mapping[str, str], file: Mapping[str, Any], where: str = FILE
) -> dict[str, Any]:
    """What takes the place of the defaults, nested by command. Raises InputError for unknown keys."""
    _check(keys, file, where)
    found: dict[str, Any] = {}
    for key in keys:
        value = _value(key, environment, file, where)
        if value is not None:
            *path, _ = key.place.split(".")
            table = found
            for name in path:
                table = table.setdefault(name, {})
            table[key.parameter] = value
    return found


def _value(key: Key, environment: Mapping[str, str], file: Mapping[str, Any], where: str) -> Any:
    general = f"SACCADE_{key.name}".upper()
    for variable in (key.variable, *([general] if key.general else ())):
        if environment.get(variable):
            return _from_text(key, environment[variable], variable)
    table: Any = file
    for name in key.command.split():
        table = table.get(name, {}) if isinstance(table, Mapping) else {}
    if key.name in table:
        return _from_toml(key, table[key.name], f"{where}: {key.place}")
    if key.general and key.name in file:
        return _from_toml(key, file[key.name], f"{where}: {key.name}")
    return None


def _from_text(key: Key, text: str, variable: str) -> Any:
    if key.is_flag:
        if text.lower() not in YES + NO:
            raise InputError(f"{variable} is {text!r}: use 1 or 0")
        return text.lower() in YES
    return text.replace(",", " ").split() if key.multiple else text


def _from_toml(key: Key, value: Any, place: str) -> Any:
    """Numbers become text, which is then read exactly as a flag's is."""
    match value:
        case bool() if key.is_flag:
            return value
        case str() | int() | float() if not (key.is_flag or isinstance(value, bool)):
            return [str(value)] if key.multiple else str(value)
        case list() if key.multiple:
            return [str(item) for item in value]
    wanted = "true or false" if key.is_flag else "a list" if key.multiple else "text or a number"
    raise InputError(f"{place} is {value!r}: use {wanted}")


def _check(keys: list[Key], file: Mapping[str, Any], where: str) -> None:
    known = {key.place for key in keys} | {key.name for key in keys if key.general}
    for place in _places(file, ""):
        if place not in known:
            near = difflib.get_close_matches(place, known, 1)
            hint = f"; is {near[0]!r} meant?" if near else ""
            raise InputError(f"{where}: there is no key {place!r}{hint}")


def _places(table: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _places(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def find_file(named: Path | None, environment: Mapping[str, str]) -> Path | None:
    """The file that is named, by flag or SACCADE_CONFIG; else that of this folder; else that of this user."""
    named = named or (Path(environment["SACCADE_CONFIG"]) if environment.get("SACCADE_CONFIG") else None)
    if named is not None:
        return named
    home = Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return next((path for path in (Path(FILE), home / "saccade" / FILE) if path.is_file()), None)


def read_file(path: Path) -> dict[str, Any]:
    """Raises InputError when it cannot be read or is no TOML."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read the settings in {path}: {error}") from None


def configured(root: Any, named: Path | None) -> dict[str, Any]:
    """The defaults of all commands, as environment and file want them."""
    path = find_file(named, os.environ)
    return default_map(keys_of(root), os.environ, read_file(path) if path else {}, str(path))


def markdown(keys: list[Key]) -> str:
    """The table of docs/config.md."""
    lines = ["| key | flag | environment | default | |", "|---|---|---|---|---|"]
    for key in keys:
        cells = [f"`{cell}`" if cell else "" for cell in (key.place, key.flag, key.variable, key.default)]
        lines.append(f"| {' | '.join([*cells, key.help.replace('|', '/')])} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    from typer.main import get_command

    from .cli import app

    print(markdown(keys_of(get_command(app))), end="")
