"""The evaluations on the command line, with a scripted model: judged by the page, resumable, reported."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from saccade.agent.scripted import ScriptedModel
from saccade.errors import InputError
from saccade.evals import miniwob, modes
from saccade.evals.apps.fetch import NotFetchedError
from saccade.evals.modes import end_of_axis, interval
from saccade.tools import Browser

PAGE = (
    "<body style='margin:0'><button data-e=1 style='width:100vw;height:50vh' onclick='n++'>Save & go</button>"
    "<input data-e=2 style='width:100vw;height:50vh;box-sizing:border-box'><script>n = 0</script>"
)
TOP = {"thought": "<b>Press</b>", "action": "left_click", "coordinate": [500, 200]}
DONE = {"action": "answer", "text": "done"}


def saccade(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "saccade", *map(str, arguments)]
    return subprocess.run(command, text=True, capture_output=True, timeout=120, check=False)


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "page.html").write_text(PAGE)
    return folder


def lines(path: Path, *values: object) -> Path:
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return path


def told(result: subprocess.CompletedProcess) -> tuple[list[dict], dict]:
    *results, summary = map(json.loads, result.stdout.splitlines())
    return results, summary


def test_grounding(folder, tmp_path):
    task = {"page": "page.html", "kind": "click", "text": None}
    lines(
        folder / "tasks.jsonl",
        {**task, "task": "Click Save & go", "target": "1"},
        {**task, "task": "Click the field", "target": "2"},
        {**task, "kind": "type", "task": "Type lamp", "target": "2", "text": "lamp"},
    )
    typing = {"action": "type", "text": "lamp", "coordinate": [500, 800]}
    model = lines(tmp_path / "model.jsonl", TOP, TOP, typing)
    options = ("eval", "grounding", folder, "--model", model, "--out", tmp_path / "out", "--json")
    first = saccade(*options, "--at-least", "0.9")
    assert first.returncode == 1, first.stderr
    results, summary = told(first)
    assert [result["right"] for result in results] == [True, False, True]
    assert (summary["click_hit"], summary["text_exact"], summary["right"]) == (0.5, 1.0, 0.6667)
    report = (tmp_path / "out" / "report.html").read_text()
    assert "click: 1 of 2 right" in report, "the weakest skill comes first"
    assert "The other 0 of 1 failures" in report
    assert "Click the field" in report
    assert "<b>Press</b>" not in report, "what a model writes is escaped"
    assert "src='data:image/webp;base64," in report
    with Image.open(tmp_path / "out" / results[1]["picture"]) as picture:
        assert picture.size[0] > 100
    again = saccade(*options)
    assert (again.returncode, told(again)[0]) == (0, []), "all results are there"
    table = saccade(*options[:-1])
    assert "66.7%" in table.stdout
    assert "\x1b" not in table.stdout


def test_tasks_are_judged_by_the_page(folder, tmp_path):
    lines(
        folder / "tasks.jsonl",
        {"id": "press", "task": "Press it", "page": "page.html", "until": "n == 1", "viewport": [480, 360]},
        {"id": "lie", "task": "Press it twice", "page": "page.html", "until": "n == 2", "kind": "hard"},
        {"id": "gone", "task": "Look", "url": "http://127.0.0.1:9/"},
    )
    model = lines(tmp_path / "model.jsonl", TOP, DONE)
    out = tmp_path / "out"
    results, summary = told(saccade("eval", "tasks", folder, "--model", model, "--out", out, "--json"))
    assert {result["id"]: result["right"] for result in results} == {
        "press": True,
        "lie": False,
        "gone": False,
    }
    assert summary["right"] == 0.3333
    assert (out / "press" / "journal.jsonl").exists()
    assert "cannot open http://127.0.0.1:9/" in (out / "report.html").read_text()


def test_modes_are_compared_on_the_same_tasks(folder, tmp_path):
    lines(
        folder / "tasks.jsonl",
        {"id": "press", "task": "Press it", "page": "page.html", "until": "n == 1"},
        {"id": "never", "task": "Press it", "page": "page.html", "until": "n < 0"},
    )
    model, out = lines(tmp_path / "model.jsonl", *(TOP, TOP, DONE) * 3), tmp_path / "out"
    results, summary = told(saccade("eval", "modes", folder, "--model", model, "--out", out, "--json"))
    assert len(results) == 6
    assert list(summary["modes"]) == ["fast", "auto", "deep"]
    for row in summary["modes"].values():
        assert row["low"] < row["right"] == 0.5 < row["high"]
        assert row["steps"] > 0
    journal = (out / "fast" / "press" / "run.json").read_text()
    assert json.loads(journal)["thinking"] == "fast"
    figure = (out / "modes.svg").read_text()
    assert figure.count("<circle") == 6  # each mode in both panels
    assert figure in (out / "report.html").read_text()


async def test_modes_take_turns(tmp_path, monkeypatch):
    played = []

    async def play(place, tasks, model, out, parallel, tell, max_steps, mode):
        played.extend(f"{mode} {task['id']}" for task in tasks)
        return [{"id": task["id"], "kind": "task", "picture": None} for task in tasks]

    class Local(ScriptedModel):
        def forget(self):
            played.append("forgets")

    monkeypatch.setattr(modes.whole_tasks, "play", play)
    monkeypatch.setattr(modes, "TURN", 2)
    tasks = [{"id": str(i)} for i in range(3)]
    results = await modes.play(tmp_path, tasks, Local([]), tmp_path, 1, lambda result: None)
    assert played[:6] == ["forgets", "fast 0", "fast 1", "forgets", "auto 0", "auto 1"]
    played = [line for line in played if line != "forgets"]
    assert sorted(played) == sorted(row["id"] for row in results)
    assert [row["kind"] for row in results] == ["fast"] * 3 + ["auto"] * 3 + ["deep"] * 3


@pytest.mark.parametrize("value", [0, 0.07, 1, 9.5, 86, 260, 1999])
def test_an_axis_ends_beyond_its_last_point(value):
    end = end_of_axis(value)
    assert 1.15 * value <= end <= 2.5 * value + 1
    assert len(f"{end / 4:g}".replace(".", "").strip("0")) <= 2


@pytest.mark.parametrize(("right", "total"), [(1, 10), (5, 10), (39, 40), (130, 200)])
def test_interval_of_a_share(right, total):
    """Its ends are the shares from which what was seen is z standard errors away."""
    ends = interval(right, total)
    for end in ends:
        assert abs(right / total - end) == pytest.approx(1.96 * math.sqrt(end * (1 - end) / total))
    assert ends[0] < right / total < ends[1]
    assert interval(0, total)[0] == 0


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("grounding", "{tmp}"), "no tasks.jsonl in {tmp}"),
        (("tasks", "{tmp}/none"), "cannot read the tasks in {tmp}/none"),
        (("tasks", "{tmp}/bad.jsonl"), "the unknown key 'pages'"),
        (("grounding",), "SET"),
    ],
)
def test_wrong_sets_are_2(command, message, tmp_path):
    lines(tmp_path / "bad.jsonl", {"task": "x", "pages": "y"})
    result = saccade("eval", *(part.format(tmp=tmp_path) for part in command))
    assert result.returncode == 2
    assert message.format(tmp=tmp_path) in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.fixture(scope="module")
def wob() -> Path:
    try:
        return miniwob.pages()
    except NotFetchedError as error:  # whatever else goes wrong is a failure
        pytest.skip(str(error))


async def test_a_miniwob_episode(wob, tmp_path):
    """The button is where the same seed puts it again; the page itself gives the reward."""
    with miniwob.serve(wob) as site:
        async with Browser(f"{site}/miniwob/click-test.html", miniwob.VIEWPORT) as browser:
            assert "button" in await miniwob.begin(browser.page, 3)
            assert not await browser.page.locator("#reward-display").is_visible()
            assert await browser.page.evaluate(
                "document.body.getBoundingClientRect().width / document.body.offsetWidth"
            ) == pytest.approx(1.4, abs=0.01)
            seen = await browser.observe()
            box = await browser.page.locator("#subbtn").bounding_box()
            assert box
        x, y = seen.geometry.css_to_relative((box["x"] + box["width"] / 2, box["y"] + box["height"] / 2))
    press = {"action": "left_click", "coordinate": [round(x), round(y)]}
    miss = {"action": "left_click", "coordinate": [990, 990]}
    heard: list[dict] = []
    for name, script in (("right", [press]), ("wrong", [miss, DONE])):
        with miniwob.serve(wob) as site:
            episode = miniwob.Episode("click-test", 3)
            heard.append(await miniwob.play_one(episode, site, ScriptedModel(script), tmp_path / name))
    right, wrong = heard
    assert (right["raw_reward"], right["right"], right["strict"], right["steps"]) == (1.0, True, True, 1)
    assert right["task"] == "Click the button."
    assert (wrong["right"], wrong["raw_reward"]) == (False, 0.0)


def test_held_out_tasks_are_played_only_as_such(wob):
    assert miniwob.chosen([], False, wob) == list(miniwob.DEVELOPMENT)
    held_out = miniwob.chosen([], True, wob)
    assert len(held_out) > 60
    assert not set(held_out) & set(miniwob.DEVELOPMENT)
    for names, flag in ((held_out[:1], False), (["click-test"], True), (["fly"], False)):
        with pytest.raises(InputError):
            miniwob.chosen(names, flag, wob)
