"""`saccade batch`: side by side, resumable, with a line of result for each task."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from saccade.errors import InputError
from saccade.ui.batch import read_results, read_tasks

PAGE = "<title>Page</title><button style='width:90vw;height:50vh' onclick='this.textContent=++n'>0</button>"


def saccade(*arguments: object, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "saccade", *map(str, arguments)]
    return subprocess.run(command, text=True, capture_output=True, timeout=120, check=False, **options)


@pytest.fixture
def page(tmp_path) -> str:
    (tmp_path / "page.html").write_text(f"{PAGE}<script>n = 0</script>")
    return (tmp_path / "page.html").as_uri()


def script(path: Path, *lines: object) -> Path:
    path.write_text("\n".join(json.dumps(line) for line in lines))
    return path


def tasks(*lines: dict) -> str:
    return "".join(json.dumps(line) + "\n" for line in lines)


def test_a_batch_is_done_once_and_goes_on(page, tmp_path):
    model = script(tmp_path / "model.jsonl", *[{"action": "answer", "text": "done"}] * 3)
    lines = [
        {"id": "one", "task": "Say done", "url": page, "viewport": "480x360"},
        {"id": "two", "task": "Nowhere", "url": "http://127.0.0.1:9/"},
        {"task": "Say done as well", "url": page, "until": "n == 7", "max_steps": 1},
    ]
    options = ("--model", model, "--out", tmp_path / "out", "--json")
    first = saccade("batch", "-", *options, input=tasks(*lines))
    assert first.returncode == 1, first.stderr
    told = {result["id"]: result for result in map(json.loads, first.stdout.splitlines())}
    assert {id: result["status"] for id, result in told.items()} == {
        "one": "success",
        "two": "error",
        "0003": "failure",
    }
    assert "cannot open http://127.0.0.1:9/" in told["two"]["reason"]
    assert "1 of 3 tasks succeeded" in first.stderr
    assert "\x1b" not in first.stderr
    assert (tmp_path / "out" / "one" / "journal.jsonl").exists()
    again = saccade("batch", "-", *options, input=tasks(*lines))
    assert (again.returncode, again.stdout) == (1, ""), "all have their results"
    more = saccade("batch", "-", *options, input=tasks(lines[0]))
    assert more.returncode == 0
    results = tmp_path / "out" / "results.jsonl"
    assert len(results.read_text().splitlines()) == 3
    results.write_text(results.read_text() + '{"id": "cut')
    assert set(read_results(tmp_path / "out")) == {"one", "two", "0003"}


def test_failed_ones_are_done_again_on_request(page, tmp_path):
    line = tasks({"id": "a", "task": "Say done", "url": page, "viewport": "480x360"})
    options = ("--out", tmp_path / "out", "--retry-failed", "--json")
    give_up = script(tmp_path / "no.jsonl", {"action": "terminate", "status": "failure"})
    assert saccade("batch", "-", "--model", give_up, *options, input=line).returncode == 1
    model = script(tmp_path / "yes.jsonl", {"action": "answer", "text": "done"})
    done = saccade("batch", "-", "--model", model, *options, input=line)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["answer"] == "done"
    assert len((tmp_path / "out" / "results.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["{"], "line 1 of x is no JSON"),
        ([" ", "[1]"], "line 2 of x has no task"),
        (['{"task": " "}'], "has no task"),
        (['{"task": "a", "urls": "b"}'], "the unknown key 'urls': use task, url"),
        (['{"task": "a", "max_steps": "b"}'], "max_steps is 'b'"),
        (['{"task": "a", "id": "../b"}'], "the id '../b' names a folder"),
        (['{"task": "a", "id": "x"}'] * 2, "the id 'x' twice"),
        ([""], "no tasks"),
    ],
)
def test_what_is_no_task_is_named(lines, message):
    with pytest.raises(InputError) as caught:
        read_tasks(lines, "x")
    assert message in str(caught.value)
