"""Commands that need no browser: chat, bench, completion; and what all of them promise."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from saccade.ui.cli import app, run_command
from saccade.ui.commands import shell
from saccade.ui.commands.missing import MissingPart, need
from saccade.ui.config import keys_of
from typer.main import get_command

DOCS = Path(__file__).parents[2] / "docs"
NO_RESULT = {"bench", "completion"}  # the one passes every flag on, the other prints for a shell


def saccade(*arguments: object, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "saccade", *map(str, arguments)]
    return subprocess.run(
        command, **{"text": True, "capture_output": True, "timeout": 90, "check": False, **options}
    )


def commands(command, path: str = "") -> list[str]:
    below = getattr(command, "commands", {})
    names = [name for each, it in below.items() for name in commands(it, f"{path} {each}".strip())]
    return names or [path]


def test_all_commands_are_there_and_speak_json():
    root = get_command(app)
    names = commands(root)
    wanted = "run resume replay export batch serve ui chat inspect doctor bench completion".split()
    wanted += [
        "runs list",
        "runs show",
        "runs rm",
        "eval grounding",
        "eval tasks",
        "eval apps",
        "eval miniwob",
        "eval modes",
    ]
    assert sorted(names) == sorted(wanted)
    with_json = {key.command for key in keys_of(root) if key.flag == "--json"}
    assert with_json == set(names) - NO_RESULT


@pytest.mark.parametrize("name", commands(get_command(app)))
def test_every_command_is_documented(name):
    assert f"saccade {name}" in (DOCS / "cli.md").read_text("utf-8")


@pytest.mark.parametrize("name", [it for it in commands(get_command(app)) if it != "bench"])
def test_every_command_has_help_without_colours(name, capsys):
    assert run_command([*name.split(), "--help"]) == 0
    told = capsys.readouterr().out
    assert f"Usage: saccade {name}" in told
    assert "\x1b" not in told


def test_chat_answers_once(tmp_path):
    Image.new("RGB", (64, 48), "teal").save(tmp_path / "a.png")
    options = ("--image", tmp_path / "a.png", "--json", "--thinking", "deep", "--max-tokens", 30)
    result = saccade("chat", "-", *options, input="Task: look\n")
    assert result.returncode == 0, result.stderr
    reply = json.loads(result.stdout)
    assert reply.keys() == {"thought", "text", "usage"}
    assert reply["usage"]["prompt_tokens"] > 48
    spoken = saccade("chat", "Task: look", *options[:2], *options[3:])
    assert spoken.returncode == 0
    assert spoken.stdout.strip() == reply["text"]
    assert spoken.stderr.strip() == reply["thought"]
    script = tmp_path / "model.jsonl"
    script.write_text('"Good day"\n')
    plain = saccade("chat", "Hello", "--model", script)
    assert (plain.returncode, plain.stdout) == (0, "Good day\n")


def test_chat_needs_somebody(tmp_path):
    alone = saccade("chat", stdin=subprocess.DEVNULL)
    assert (alone.returncode, alone.stdout) == (2, "")
    assert "nobody is at the terminal" in alone.stderr
    (tmp_path / "no.png").write_text("x")
    assert "no picture that can be read" in saccade("chat", "x", "--image", tmp_path / "no.png").stderr


@pytest.mark.parametrize("kind", ["bash", "zsh", "fish"])
def test_completion_scripts(kind):
    result = saccade("completion", kind)
    assert result.returncode == 0
    assert "_SACCADE_COMPLETE" in result.stdout


def test_the_shell_is_answered():
    asked = {"_SACCADE_COMPLETE": "complete_bash", "COMP_WORDS": "saccade runs ", "COMP_CWORD": "2"}
    result = saccade(env={**os.environ, **asked})
    assert result.stdout.split() == ["list", "show", "rm"]


def test_bench_passes_everything_on_and_needs_the_source(monkeypatch, tmp_path):
    result = saccade("bench", "grammar", "--help")
    assert result.returncode == 0, result.stderr
    assert "--replies" in result.stdout
    assert saccade("bench", "nothing").returncode == 1
    monkeypatch.setattr(shell, "SOURCE", tmp_path)
    with pytest.raises(MissingPart, match="clone the repository"):
        shell.bench([])


def test_a_missing_extra_is_3():
    with pytest.raises(MissingPart, match=r"pip install 'saccade\[ui\]'"):
        need("json", "no_such_module", extra="ui", what="the web UI needs Gradio")
    code = (
        "import sys; sys.modules['importlib.util'].find_spec = lambda name: None; "
        "from saccade.ui.cli import run_command; sys.exit(run_command(['serve']))"
    )
    result = subprocess.run(
        [sys.executable, "-c", f"import importlib.util; {code}"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 3, result.stderr
    assert result.stderr == "saccade: the server needs FastAPI: pip install 'saccade[server]'\n"


def test_a_closed_pipe_is_quiet(tmp_path):
    for n in range(300):
        (tmp_path / f"{n}").mkdir()
        (tmp_path / f"{n}" / "run.json").write_text(json.dumps({"task": "x" * 400, "status": "failure"}))
    command = f"{sys.executable} -m saccade runs list {tmp_path} --json | head -1"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert json.loads(result.stdout)["task"]
    assert result.stderr == ""
