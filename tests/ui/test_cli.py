"""The command line from the outside: exit codes, messages, output, for good and bad input."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from saccade.ui.doctor import browser_and_fonts

PRESS = {"thought": "Press", "action": "left_click", "coordinate": [500, 250]}
PAGE = (
    "<title>Counter</title><button style='width:90vw;height:50vh' onclick='this.textContent=++n'>0</button>"
)
ONE_LINE = {"text": True, "capture_output": True, "timeout": 60}


def saccade(*arguments: object, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "saccade", *map(str, arguments)]
    return subprocess.run(command, **{**ONE_LINE, **options}, check=False)


@pytest.fixture
def page(tmp_path) -> str:
    path = tmp_path / "site" / "page.html"
    path.parent.mkdir()
    path.write_text(f"{PAGE}<script>n = 0</script>")
    return path.as_uri()


@pytest.fixture
def script(tmp_path):
    """A model that plays the given lines, then gives up."""

    def write(*lines: object) -> Path:
        path = tmp_path / "site" / "script.jsonl"
        path.write_text("\n".join(json.dumps(line) for line in lines))
        return path

    return write


def complaint(result: subprocess.CompletedProcess) -> str:
    """The one line on stderr of a command that was refused."""
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("saccade: ")
    return result.stderr


def test_success_is_0_and_json_lines(page, script, tmp_path):
    done = {"action": "answer", "text": "one"}
    result = saccade(
        *("run", "Press it", "--url", page, "--model", script(PRESS, done)),
        *("--out", tmp_path / "run", "--viewport", "640x480", "--json", "--gif"),
    )
    assert result.returncode == 0, result.stderr
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["event"] for line in lines] == ["step", "step", "result"]
    assert lines[0]["action"] == {"action": "left_click", "coordinate": [500, 250]}
    assert lines[-1]["answer"] == "one"
    assert lines[-1]["success"] is True
    assert "Press | Click at (500, 250)" in result.stderr
    assert "observe" in result.stderr
    assert (tmp_path / "run" / "run.gif").exists()


def test_failure_is_1(page, script, tmp_path):
    result = saccade(
        "run", "-", "--url", page, "--model", script(), "--out", tmp_path / "run", input="Press it\n"
    )
    assert result.returncode == 1, result.stderr
    assert result.stdout == ""
    assert json.loads((tmp_path / "run" / "run.json").read_text())["task"] == "Press it"


def test_until_decides(page, script, tmp_path):
    options = ("--url", page, "--model", script(PRESS, PRESS), "--until", "n == 1", "--out", tmp_path / "run")
    assert saccade("run", "Press it", *options).returncode == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["run", ""], "the task is empty"),
        (["run", "t", "--model", "{tmp}/none"], "no checkpoint at {tmp}/none"),
        (["run", "t", "--model", "{tmp}/site"], "config.json cannot be read"),
        (["run", "t", "--model", "{tmp}/none.jsonl"], "cannot read the script"),
        (
            ["run", "t", "--model", "{script}", "--url", "http://127.0.0.1:9/"],
            "cannot open http://127.0.0.1:9/",
        ),
        (["run", "t", "--model", "{script}", "--browser", "{tmp}/none"], "no browser at {tmp}/none"),
        (["run", "t", "--model", "{script}", "--cdp-url", "http://127.0.0.1:9"], "cannot attach to"),
        (["run", "t", "--model", "{script}", "--out", "{script}/run"], "cannot write to the output folder"),
        (["run", "t", "--model", "{script}", "--viewport", "wide"], "the viewport is 'wide'"),
        (["run", "t", "--max-steps", "0"], "max_steps is 0"),
        (["run", "t", "--max-steps", "many"], "--max-steps"),
        (["run", "t", "--thinking", "hard"], "hard"),
        (["run"], "task"),
        (["run", "t", "--frobnicate"], "--frobnicate"),
        (["fly"], "fly"),
    ],
)
def test_bad_input_is_2_with_one_line_and_leaves_nothing(options, message, page, script, tmp_path):
    (tmp_path / "site" / "config.json").write_text("{")
    names = {"tmp": tmp_path, "script": script(PRESS)}
    result = saccade(*(option.format(**names) for option in options), cwd=tmp_path)
    assert message.format(**names) in complaint(result)
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_interrupted_is_130(page, script, tmp_path):
    wait = script(*[{"action": "wait", "time": 30}] * 3)
    command = [
        sys.executable,
        "-m",
        "saccade",
        "run",
        "t",
        "--url",
        page,
        "--model",
        str(wait),
        "--out",
        "run",
    ]
    process = subprocess.Popen(
        command, cwd=tmp_path, text=True, stderr=subprocess.PIPE, start_new_session=True
    )
    wait_for(tmp_path / "run" / "run.json")
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the browser as well
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 130
    assert stderr == "saccade: interrupted\n"
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "interrupted"


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.05)


def test_version_and_help():
    from saccade import __version__

    assert saccade("--version").stdout == f"saccade {__version__}\n"
    assert "doctor" in saccade().stdout
    assert "--max-steps" in saccade("run", "--help").stdout


def test_starting_up_loads_neither_torch_nor_a_browser():
    code = (
        "import sys; from saccade.ui.cli import run_command; run_command(['run', '--help']); "
        "run_command(['run', '']); heavy = {'torch', 'playwright', 'cv2'} & set(sys.modules); "
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], check=False, **ONE_LINE)
    assert result.returncode == 0, result.stderr


def test_doctor(tmp_path):
    result = saccade("doctor", "--json", "--screenshot", tmp_path / "seen.png")
    checks = {check["name"]: check for check in map(json.loads, result.stdout.splitlines())}
    assert checks.keys() == {"python", "torch", "gpu", "checkpoint", "browser", "fonts"}
    assert checks["browser"]["ok"]
    assert (tmp_path / "seen.png").exists()
    healthy = all(check["ok"] for check in checks.values() if check["essential"])
    assert result.returncode == (0 if healthy else 3)


def test_doctor_misses_a_browser(tmp_path):
    checks = browser_and_fonts(tmp_path / "none", tmp_path / "seen.png")
    assert [(check.name, check.ok, check.essential) for check in checks] == [("browser", False, True)]
    assert "no browser at" in checks[0].detail
