"""Recorded runs on the command line: listed, gone on with after a crash, replayed, exported."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

PRESS = {"thought": "Press", "action": "left_click", "coordinate": [500, 250]}
PAGE = (
    "<title>Counter</title><body style='margin:0'><button aria-label=Count style='width:100vw;height:50vh' "
    "onclick='count()'></button><script>function show() { document.querySelector('button').textContent = "
    "localStorage.n ?? 0 }; function count() { localStorage.n = 1 + Number(localStorage.n ?? 0); show() }; "
    "show()</script>"
)


def saccade(*arguments: object, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "saccade", *map(str, arguments)]
    return subprocess.run(command, text=True, capture_output=True, timeout=90, check=False, **options)


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("site") / "page.html"
    path.write_text(PAGE)
    return path.as_uri()


def script(folder: Path, *lines: dict) -> Path:
    path = folder / "script.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines))
    return path


@pytest.fixture(scope="module")
def recorded(page: str, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    model = script(folder, PRESS, {"action": "answer", "text": "one"})
    options = ("--url", page, "--model", model, "--viewport", "640x480", "--out", folder / "one")
    result = saccade("run", "Press it", *options)
    assert result.returncode == 0, result.stderr
    return folder / "one"


def test_runs_are_listed(recorded):
    lines = saccade("runs", "list", recorded.parent, "--json").stdout.splitlines()
    assert [(run["task"], run["status"], run["done"]) for run in map(json.loads, lines)] == [
        ("Press it", "success", 2)
    ]
    assert "Press it" in saccade("runs", "list", recorded.parent).stdout
    assert saccade("runs", "list", recorded.parent / "none").returncode == 0


def test_a_run_is_shown(recorded):
    shown = json.loads(saccade("runs", "show", recorded, "--json").stdout)
    assert (shown["task"], shown["answer"], len(shown["steps"])) == ("Press it", "one", 2)
    text = saccade("runs", "show", recorded).stdout
    assert "Press it" in text
    assert "\x1b" not in text, "colours are off when piped"


def test_runs_are_removed_when_one_agrees(recorded, tmp_path):
    copy = tmp_path / "runs" / "one"
    shutil.copytree(recorded, copy)
    for folder, words in ((copy, "give --yes"), (tmp_path, "there is no run in")):
        refused = saccade("runs", "rm", folder, stdin=subprocess.DEVNULL)
        assert refused.returncode == 2
        assert words in refused.stderr
    (copy / "inner").mkdir()
    shutil.copy(copy / "run.json", copy / "inner")
    assert "holds other runs" in saccade("runs", "rm", copy, "--yes").stderr
    shutil.rmtree(copy / "inner")
    done = saccade("runs", "rm", copy, "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"removed": str(copy)}
    assert not copy.exists()


def test_a_run_is_replayed(recorded):
    result = saccade("replay", recorded, "--until", "localStorage.n == 1", "--json")
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert [step["how"] for step in report["steps"]] == ["name", "skipped"]
    failed = saccade("replay", recorded, "--until", "localStorage.n == 7")
    assert failed.returncode == 1
    assert "does not meet the condition" in failed.stdout


@pytest.mark.parametrize(
    ("kind", "name"),
    [("playwright", "run.py"), ("pytest", "test_run.py"), ("html", "run.html"), ("gif", "run.gif")],
)
def test_a_run_is_exported(kind, name, recorded):
    result = saccade("export", recorded, "--to", kind)
    assert result.returncode == 0, result.stderr
    path = Path(result.stdout.strip())
    assert path == recorded / name
    if kind in ("playwright", "pytest"):
        compile(path.read_text(), name, "exec")
        assert "get_by_role('button', name='Count', exact=True).click()" in path.read_text()
    elif kind == "gif":
        with Image.open(path) as film:
            assert getattr(film, "n_frames", 1) == 2


def test_a_secret_comes_from_the_environment(page, tmp_path):
    """Typed into the page (the counter has no field: it goes nowhere), and in no file of the run."""
    line = {"action": "type", "text": "{{code}}"}
    model = script(tmp_path, line, {"action": "answer", "text": "typed"})
    options = ("--url", page, "--model", model, "--out", tmp_path / "run")
    refused = saccade("run", "Type it", *options, "--secret", "code@shop.example")
    assert refused.returncode == 2
    assert "SECRET_CODE to be set" in refused.stderr
    result = saccade(
        *("run", "Type it", *options, "--secret", "code@shop.example", "--json"),
        env={**os.environ, "SECRET_CODE": "hunter2!"},
    )
    step = json.loads(result.stdout.splitlines()[0])
    assert "{{code}} is not typed on file://" in step["error"]
    assert "hunter2" not in (tmp_path / "run" / "journal.jsonl").read_text()


@pytest.mark.parametrize("command", ["resume", "replay", "export"])
def test_a_folder_without_a_run_is_2(command, tmp_path):
    result = saccade(command, tmp_path)
    assert result.returncode == 2
    assert "there is no run in" in result.stderr


def test_a_finished_run_is_not_resumed(recorded):
    result = saccade("resume", recorded)
    assert result.returncode == 2
    assert "ended with success" in result.stderr


def test_a_killed_run_goes_on(page, tmp_path):
    """Killed without a word in its third step; what the page had stored is there again."""
    wait = {"action": "wait", "time": 30}
    run = tmp_path / "run"
    options = ["--url", page, "--model", str(script(tmp_path, PRESS, PRESS, wait)), "--viewport", "640x480"]
    options += ["--until", "localStorage.n == 3"]
    command = [sys.executable, "-m", "saccade", "run", "Press it", *options, "--out", str(run)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    wait_for(
        lambda: (run / "journal.jsonl").exists() and (run / "journal.jsonl").read_text().count("\n") == 2
    )
    wait_for(lambda: (run / "002.png").exists())
    wait_for(lambda: (run / "state.json").exists() and '"2"' in (run / "state.json").read_text())
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert json.loads((run / "run.json").read_text())["status"] == "running"
    assert (run / "state.json").stat().st_mode & 0o077 == 0
    (run / "journal.jsonl").open("a").write('{"index": 2, "cut')
    model = script(tmp_path, PRESS, {"action": "answer", "text": "too late"})
    result = saccade("resume", run, "--model", model, "--json")
    assert result.returncode == 0, result.stderr
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["index"] for line in lines[:-1]] == [2]
    assert (lines[-1]["steps"], lines[-1]["reason"]) == (3, "the page meets the condition")
    assert "The run was cut off here" in lines[0]["told"][0]
    assert not (run / "state.json").exists()


def wait_for(holds) -> None:
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)
