"""The History tab: runs found by words, replayed frame by frame, compared, exported."""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from ..agent import Run
from ..errors import SaccadeError
from . import album
from .desk import Desk
from .runs import export_run
from .theme import HIDDEN

KINDS = {
    "GIF": "gif",
    "MP4": "mp4",
    "HTML report": "html",
    "Playwright script": "playwright",
    "pytest": "pytest",
    "JSON": "json",
}
NAMES = {
    "gif": "run.gif",
    "mp4": "run.mp4",
    "html": "run.html",
    "playwright": "run.py",
    "pytest": "test_run.py",
}
MOST, SECONDS = 100, 1.2


@dataclass(frozen=True)
class History:
    """`open(visitor, folder)` shows a run; its values go to `outputs`."""

    open: Callable[[str, str], Any]
    outputs: list[Any]


def history_tab(desk: Desk, visitor: gr.State, tab: gr.Tab) -> History:
    with gr.Row(elem_id="history"):
        with gr.Column(scale=3, min_width=280):
            words = gr.Textbox(label="Search", placeholder="lamp done", elem_id="search", lines=1)
            chosen = gr.Radio([], label="Runs", elem_id="runs")
        with gr.Column(scale=9, min_width=300):
            head = gr.HTML(elem_id="run-head", visible=False)
            with gr.Row(elem_id="frames"):
                left = gr.HTML(album.NO_RUN, elem_id="frame")
                right = gr.HTML(elem_id="other-frame", visible=False)
            with gr.Row(elem_id="film", visible=False) as film:
                number = gr.Slider(1, 2, 1, step=1, label="Frame", elem_id="number", scale=5, min_width=200)
                earlier = gr.Button("Earlier", size="sm", min_width=70, elem_id="earlier")
                play = gr.Button("Play", size="sm", min_width=70, elem_id="play")
                later = gr.Button("Later", size="sm", min_width=70, elem_id="later")
            with gr.Row(elem_id="export-row", visible=False, equal_height=True) as tools:
                other = gr.Dropdown([], label="Compare with", elem_id="other", scale=3, min_width=200)
                kind = gr.Dropdown(
                    list(KINDS.items()),
                    value="gif",
                    label="Export as",
                    elem_id="format",
                    scale=2,
                    min_width=140,
                )
                export = gr.Button("Export", variant="primary", elem_id="export", min_width=90)
            file = gr.File(label="The file", visible=False, elem_id="file", interactive=False)
    clock = gr.Timer(SECONDS, active=False)
    current = gr.State("")  # what is open, also while the search hides it
    opened = [chosen, current, head, left, number, film, tools, other, right, file]

    def choices(token: str, text: str = "") -> list[tuple[str, str]]:
        found = album.matching(desk.folders(token), text)[:MOST]
        return [(album.label_of(header), header["folder"]) for header in found]

    def listed(token: str, text: str, now: str | None) -> Any:
        found = choices(token, text)
        return gr.update(choices=found, value=now if now in [folder for _, folder in found] else None)

    def read(folder: str | None, token: str) -> Run | None:
        if not folder:
            return None
        try:
            return desk.open(folder, token)
        except SaccadeError as error:
            raise gr.Error(str(error), print_exception=False) from None

    def show(token: str, folder: str | None) -> list[Any]:
        run = read(folder, token)
        if run is None:
            return [gr.skip(), "", gr.update(visible=False), album.NO_RUN, *([gr.skip()] * 6)]
        frames, others = album.frames_in(run), [it for it in choices(token) if it[1] != folder]
        return [
            gr.skip(),
            folder,
            gr.update(value=album.head(run, desk.goes_on(run.folder)), visible=True),
            album.frame(run, 1),
            gr.update(maximum=max(frames, 2), value=1),
            gr.update(visible=frames > 0),
            gr.update(visible=frames > 0),
            gr.update(choices=others, value=None),
            gr.update(visible=False),
            gr.update(visible=False),
        ]

    def open_run(token: str, folder: str) -> list[Any]:
        found = choices(token)
        return [gr.update(choices=found, value=folder), *show(token, folder)[1:]]

    def turn(token: str, folder: str | None, beside: str | None, at: float) -> list[Any]:
        pages = [album.frame(read(it, token), int(at)) if it else "" for it in (folder, beside)]
        return [pages[0] or album.NO_RUN, gr.update(value=pages[1], visible=bool(pages[1]))]

    def last_frame(folder: str | None, beside: str | None, token: str) -> int:
        return max(album.frames_in(run) for it in (folder, beside) if it and (run := read(it, token)))

    def compare(token: str, folder: str | None, beside: str | None, at: float) -> list[Any]:
        frames = last_frame(folder, beside, token) if folder else 2
        return [gr.update(maximum=max(frames, 2)), *turn(token, folder, beside, at)]

    def tick(token: str, folder: str | None, beside: str | None, at: float) -> list[Any]:
        last = last_frame(folder, beside, token) if folder else 1
        going = at + 1 < last
        return [min(int(at) + 1, last), gr.Timer(active=going), "Pause" if going else "Play"]

    def play_or_pause(label: str, token: str, folder: str | None, beside: str | None, at: float) -> list[Any]:
        if label == "Pause":
            return [gr.Timer(active=False), "Play", at]
        last = last_frame(folder, beside, token) if folder else 1
        return [gr.Timer(active=True), "Pause", 1 if at >= last else at]

    def make(token: str, folder: str | None, form: str) -> Any:
        run = read(folder, token)
        if run is None or folder is None:
            raise gr.Error("choose a run first", print_exception=False)
        try:
            return gr.update(value=str(exported(run, Path(folder), form)), visible=True)
        except SaccadeError as error:
            raise gr.Error(str(error), print_exception=False) from None

    both = [visitor, current, other]
    told = [tab.select, words.change]  # of several in quick succession, the last counts
    gr.on(told, listed, [visitor, words, current], chosen, trigger_mode="always_last", **HIDDEN)
    chosen.input(show, [visitor, chosen], opened, **HIDDEN)
    number.change(turn, [*both, number], [left, right], **HIDDEN)
    other.input(compare, [*both, number], [number, left, right], **HIDDEN)
    earlier.click(lambda at: max(1, int(at) - 1), number, number, queue=False, **HIDDEN)
    later.click(
        lambda token, a, b, at: min(int(at) + 1, last_frame(a, b, token)) if a else 1,
        [*both, number],
        number,
        queue=False,
        **HIDDEN,
    )
    play.click(play_or_pause, [play, *both, number], [clock, play, number], **HIDDEN)
    clock.tick(tick, [*both, number], [number, clock, play], **HIDDEN)
    export.click(make, [visitor, current, kind], file, api_visibility="private")
    return History(open_run, opened)


def exported(run: Run, folder: Path, form: str) -> Path:
    """A file of its own: the folder of a run holds a browser's cookies and is never served."""
    out = Path(tempfile.mkdtemp(prefix="saccade-export-"))
    if form == "json":
        path = out / "run.json"
        path.write_text(json.dumps(run.to_dict(steps=True), ensure_ascii=False, indent=2) + "\n", "utf-8")
        return path
    return export_run(folder, form, out / NAMES[form])
