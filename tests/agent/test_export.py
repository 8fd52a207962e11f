"""A run as pictures: one frame per step, each of the same size."""

from dataclasses import replace

import pytest
from PIL import Image, ImageChops, ImageSequence
from saccade.agent import Outcome, Run
from saccade.agent.export import export_gif, export_mp4
from saccade.errors import InputError

CLICK = {"action": "left_click", "coordinate": [500, 500]}
LONG = "A thought that is far too long for one line of the caption band below the picture " * 4


@pytest.fixture
def run(tmp_path, make_step) -> Run:
    steps = []
    for index, (thought, size) in enumerate([("Look", (320, 200)), (LONG, (320, 240)), ("", (320, 200))]):
        path = tmp_path / f"{index:03d}.png"
        Image.new("RGB", size, (250, 250, 250)).save(path)
        steps.append(make_step(index, CLICK, thought=thought, screenshot_path=path))
    return Run("t", "m", Outcome("success", "done", "42"), tuple(steps), 1.0, tmp_path)


def test_gif_has_a_frame_per_step(run, tmp_path):
    with Image.open(export_gif(run, tmp_path / "run.gif", step_s=0.5, last_s=2.0, width_px=480)) as gif:
        frames = [(frame.size[0], frame.info["duration"]) for frame in ImageSequence.Iterator(gif)]
    assert frames == [(480, 500), (480, 500), (480, 2000)]


def test_the_mark_is_drawn_where_the_action_lands(run, tmp_path):
    with Image.open(export_gif(run, tmp_path / "run.gif", width_px=320)) as gif:
        gif.seek(1)  # the tallest screenshot: nothing is padded
        screen = gif.convert("RGB").crop((0, 0, 320, 240))
    box = ImageChops.difference(screen, Image.new("RGB", screen.size, "#fafafa")).getbbox()
    assert box is not None
    left, top, right, bottom = box
    assert left < 160 < right
    assert top < 120 < bottom
    assert right - left < 100


def test_mp4_plays_as_long_as_the_gif(run, tmp_path):
    cv2 = pytest.importorskip("cv2")
    film = cv2.VideoCapture(str(export_mp4(run, tmp_path / "run.mp4", step_s=0.5, last_s=1.0)))
    assert film.get(cv2.CAP_PROP_FRAME_COUNT) / film.get(cv2.CAP_PROP_FPS) == pytest.approx(2.0)


def test_a_run_without_steps_is_refused(tmp_path):
    with pytest.raises(InputError, match="no step to draw"):
        export_gif(Run("t", "m", Outcome("error", "early"), (), 0.0, tmp_path), tmp_path / "run.gif")


def test_the_page_as_it_was_left_is_a_last_frame(run, tmp_path):
    Image.new("RGB", (320, 200), "navy").save(tmp_path / "final.png")
    with Image.open(export_gif(replace(run, final_path=tmp_path / "final.png"), tmp_path / "run.gif")) as gif:
        assert sum(1 for _ in ImageSequence.Iterator(gif)) == 4
