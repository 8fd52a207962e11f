"""The run folder: what is on disk, and when."""

import io
import json
import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image
from saccade.agent import Outcome, Run
from saccade.agent.journal import Journal, default_folder
from saccade.errors import InputError
from saccade.tools.geometry import Geometry
from saccade.tools.observation import Observation

CLICK = {"action": "left_click", "coordinate": [500, 300]}


def test_a_line_is_on_disk_before_append_returns(tmp_path, make_step):
    journal = Journal.reserve(tmp_path / "run", "t")
    journal.begin(task="t", model="m")
    for index in range(3):
        journal.append(make_step(index, CLICK, thought=f"thought {index}"))
        lines = (tmp_path / "run" / "journal.jsonl").read_text().splitlines()
        assert len(lines) == index + 1
        assert json.loads(lines[-1])["thought"] == f"thought {index}"
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "running"


def test_the_result_joins_the_header(tmp_path, make_step):
    journal = Journal.reserve(tmp_path, "t")
    journal.begin(task="t", model="m", thinking="auto")
    run = Run("t", "m", Outcome("success", "done", "42"), (make_step(0, CLICK),), 1.5, tmp_path)
    journal.finish(run)
    written = json.loads((tmp_path / "run.json").read_text())
    assert written["success"] is True
    assert written["answer"] == "42"
    assert written["thinking"] == "auto"
    assert written["timings"].keys() == {"observe", "vision", "prefill", "decode", "act"}
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def look(colour: str) -> Observation:
    return Observation(Image.new("RGB", (8, 6), colour), Geometry(8, 6, 8, 6), "http://page/", "Page")


def test_screenshots_are_plain_files(tmp_path):
    journal = Journal.reserve(tmp_path, "t")
    path = journal.save_screenshot("007", look("teal"))
    assert path == tmp_path / "007.png"
    assert Image.open(path).size == (8, 6)


def test_a_picture_that_was_drawn_on_is_not_saved_as_the_browser_gave_it(tmp_path):
    """What covers a secret must be in the file as well."""
    journal = Journal.reserve(tmp_path, "t")
    bare = look("teal")
    png = io.BytesIO()
    bare.image.save(png, "png")
    seen = replace(bare, captured=(bare.image, png.getvalue()))
    assert journal.save_screenshot("000", seen).read_bytes() == png.getvalue()
    covered = replace(seen, image=Image.new("RGB", (8, 6), "black"))
    assert Image.open(journal.save_screenshot("001", covered)).getpixel((0, 0)) == (0, 0, 0)


def test_scrub_reaches_every_string(tmp_path, make_step):
    journal = Journal.reserve(tmp_path, "t", scrub=lambda text: text.replace("hunter2", "***"))
    journal.begin(task="log in with hunter2", nested={"list": ["hunter2"]})
    journal.append(make_step(0, {"action": "type", "text": "hunter2"}, thought="I type hunter2"))
    assert "hunter2" not in "".join(path.read_text() for path in tmp_path.iterdir())


@pytest.mark.parametrize("place", ["file/run", "file"])
def test_an_unwritable_folder_is_refused(tmp_path, place):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot write to the output folder"):
        Journal.reserve(tmp_path / place, "t")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="choose another"):
        Journal.reserve(tmp_path / "run", "t")


def test_a_folder_with_a_run_is_refused(tmp_path):
    Journal.reserve(tmp_path, "t").begin(task="t")
    with pytest.raises(InputError, match="already holds a run"):
        Journal.reserve(tmp_path, "t")


def test_discard_takes_back_what_was_made(tmp_path):
    Journal.reserve(tmp_path / "runs" / "a", "t").discard()
    assert list(tmp_path.iterdir()) == []
    journal = Journal.reserve(tmp_path / "runs" / "a", "t")
    journal.begin(task="t")
    journal.discard()
    assert (tmp_path / "runs" / "a" / "run.json").exists()


def test_default_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    now = datetime(2026, 3, 4, 5, 6, 7)
    first = default_folder("Add the *cheapest* lamp, please: now and for ever and ever", now)
    assert first == Path("runs/20260304-050607-add-the-cheapest-lamp-please-now-and-for")
    first.mkdir(parents=True)
    assert default_folder("Add the *cheapest* lamp, please: now and for ever and ever", now).name.endswith(
        "-2"
    )
    assert default_folder("例", now).name == "20260304-050607-task"
