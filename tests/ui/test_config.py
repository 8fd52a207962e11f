"""Settings from flags, environment and saccade.toml: every key by every way, and the table in the docs."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from saccade.errors import InputError
from saccade.ui.cli import app
from saccade.ui.config import default_map, keys_of, markdown
from typer.main import get_command

ROOT: Any = get_command(app)
KEYS = keys_of(ROOT)
DOCS = Path(__file__).parents[2] / "docs" / "config.md"


def parsed(command: str, defaults: dict) -> dict:
    """What the command's function would get for its options, without its arguments."""
    found, name = ROOT, "saccade"
    for name in command.split():
        found, defaults = found.commands[name], defaults.get(name, {})
    context = found.make_context(name, [], resilient_parsing=True, default_map=defaults)
    return context.params


def sample(key) -> tuple[str, object]:
    """A value that is not the default, as text and as TOML has it."""
    command = ROOT
    for name in key.command.split():
        command = command.commands[name]
    option = next(it for it in command.params if it.name == key.parameter)
    if key.is_flag:
        return "1", True
    kind: Any = option.type_descriptor.annotation
    kind = next((it for it in getattr(kind, "__args__", (kind,)) if it is not type(None)), kind)
    if isinstance(kind, type) and hasattr(kind, "__members__"):
        value: Any = next(it.value for it in kind.__members__.values() if it.value != key.default)
        return value, value
    if kind in (int, float):
        return "7", 7
    return "some-text", ["some-text"] if key.multiple else "some-text"


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.place)
def test_every_key_works_in_file_and_environment(key):
    text, value = sample(key)
    *path, name = key.place.split(".")
    file: dict = {name: value}
    for part in reversed(path):
        file = {part: file}
    plain = parsed(key.command, {})[key.parameter]
    by_file = parsed(key.command, default_map(KEYS, {}, file))[key.parameter]
    by_variable = parsed(key.command, default_map(KEYS, {key.variable: text}, {}))[key.parameter]
    assert by_file == by_variable != plain


def test_keys_are_unique():
    assert len({key.place for key in KEYS}) == len({key.variable for key in KEYS}) == len(KEYS)


def test_what_wins():
    file = {"model": "all", "run": {"model": "mine"}}
    assert default_map(KEYS, {}, {"model": "all"})["run"]["model"] == "all"
    assert default_map(KEYS, {}, file)["run"]["model"] == "mine"
    assert default_map(KEYS, {}, file)["batch"]["model"] == "all"
    environment = {"SACCADE_MODEL": "env"}
    assert default_map(KEYS, environment, file)["run"]["model"] == "env"
    environment["SACCADE_RUN_MODEL"] = "env-run"
    assert default_map(KEYS, environment, file)["run"]["model"] == "env-run"
    assert "replay" not in default_map(KEYS, environment, file), "there the model is another"
    assert default_map(KEYS, {"SACCADE_ALLOW_HOST": "a:1, b"}, {})["run"]["allow_host"] == ["a:1", "b"]


@pytest.mark.parametrize(
    ("environment", "file", "message"),
    [
        ({}, {"run": {"max_step": 3}}, "no key 'run.max_step'; is 'run.max_steps' meant?"),
        ({}, {"steps": 3}, "no key 'steps'"),
        ({}, {"run": {"verify": "yes"}}, "saccade.toml: run.verify is 'yes': use true or false"),
        ({}, {"run": {"max_steps": True}}, "use text or a number"),
        ({}, {"run": {"secret": {"a": 1}}}, "no key 'run.secret.a'"),
        ({"SACCADE_RUN_VERIFY": "maybe"}, {}, "SACCADE_RUN_VERIFY is 'maybe': use 1 or 0"),
    ],
)
def test_wrong_settings_are_named(environment, file, message):
    with pytest.raises(InputError) as caught:
        default_map(KEYS, environment, file)
    assert message in str(caught.value)


def saccade(*arguments, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "saccade", *map(str, arguments)]
    env = {**os.environ, "XDG_CONFIG_HOME": str(cwd / "home"), **environment}
    return subprocess.run(command, text=True, capture_output=True, timeout=60, cwd=cwd, env=env, check=False)


def test_the_file_is_found_and_flags_win(tmp_path):
    (tmp_path / "saccade.toml").write_text("[run]\nmax_steps = 0\n")
    assert "max_steps is 0" in saccade("run", "x", cwd=tmp_path).stderr
    flag = saccade("run", "", "--max-steps", "5", cwd=tmp_path)
    assert "the task is empty" in flag.stderr
    other = tmp_path / "other.toml"
    other.write_text("[run]\nmax_steps = 'many'\n")
    assert "valid integer" in saccade("--config", other, "run", "x", cwd=tmp_path).stderr
    assert "valid integer" in saccade("run", "x", cwd=tmp_path, SACCADE_CONFIG=str(other)).stderr
    (tmp_path / "saccade.toml").unlink()
    (tmp_path / "home" / "saccade").mkdir(parents=True)
    (tmp_path / "home" / "saccade" / "saccade.toml").write_text("json = true\n[runs.list]\n")
    (tmp_path / "runs" / "a").mkdir(parents=True)
    (tmp_path / "runs" / "a" / "run.json").write_text(json.dumps({"task": "x", "status": "failure"}))
    assert json.loads(saccade("runs", "list", cwd=tmp_path).stdout)["task"] == "x"
    broken = saccade("--config", tmp_path / "none.toml", "doctor", cwd=tmp_path)
    assert (broken.returncode, broken.stderr.count("\n")) == (2, 1)


def test_the_table_in_the_docs_is_true():
    """`python -m saccade.ui.config` writes it."""
    assert markdown(KEYS) in DOCS.read_text("utf-8")
