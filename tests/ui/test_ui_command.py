"""`saccade ui` from the outside: it says where it is, which secrets may be named, and no value of them."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("gradio")


def test_ready_secrets_and_a_quiet_end(tmp_path: Path):
    command = [sys.executable, "-m", "saccade", "ui", "--json", "--secret", "code@shop.example"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": tmp_path}
    environment = {**os.environ, "SECRET_CODE": "hunter2!"}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        assert (line["event"], line["model"]) == ("ready", "builtin")
        with urllib.request.urlopen(f"{line['url'].rstrip('/')}/config", timeout=120) as answer:
            config = answer.read().decode()
        process.send_signal(signal.SIGINT)
        rest, told = process.communicate(timeout=120)
    assert "Secrets that you may name: {{code}} on shop.example." in config
    assert "hunter2!" not in config
    assert (process.returncode, rest) == (0, "")
    assert told.startswith(f"Saccade is at {line['url']}")
    assert "Traceback" not in told


def test_it_starts_on_a_busy_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Gradio asks itself for its page and takes an answer that comes late for none."""
    from gradio import networking
    from saccade.ui.app import create_app, launch_options
    from saccade.ui.desk import Defaults

    monkeypatch.setattr(networking, "url_ok", lambda url: False)
    app = create_app(Defaults(runs=tmp_path))
    app.launch(**launch_options())
    with urllib.request.urlopen(f"{app.local_url}config", timeout=120) as answer:
        assert answer.status == 200
    app.close(verbose=False)
