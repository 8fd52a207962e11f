"""The folder of one run: `run.json`, `journal.jsonl` and the screenshots `000.png`, `001.png`, ...

A step's line is on the disk before the next step begins. `run.json` is replaced atomically: it says "running"
until the result stands in it. `state.json` (the browser's cookies, for the owner's eyes alone) lives only as
long as the run may be resumed. Knows files; knows no model and no page.
"""

import json
import os
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..tools.observation import Observation
from .run import Run, Step, read_folder

if TYPE_CHECKING:
    import numpy as np

Scrub = Callable[[str], str]
STATE = "state.json"
FINAL = ("success", "failure")


class Journal:
    """Writes one run. Every string passes through `scrub` before it reaches a file."""

    def __init__(self, folder: Path, made: list[Path], scrub: Scrub):
        self.folder = folder
        self._made = made
        self._scrub = scrub
        self._header: dict[str, Any] = {}

    @classmethod
    def reserve(cls, out: str | os.PathLike | None, task: str, scrub: Scrub = str) -> "Journal":
        """Make the folder, empty, before anything else starts; `discard` takes it back.

        Raises InputError when the folder cannot be written or already holds a run.
        """
        folder = Path(out) if out is not None else default_folder(task)
        if (folder / "run.json").exists():
            raise InputError(f"{folder} already holds a run; choose another output folder or remove it")
        return cls(folder, _make_writable(folder), scrub)

    @classmethod
    def reopen(cls, folder: str | os.PathLike, scrub: Scrub = str) -> "Journal":
        """The folder of a run that goes on. A line that was cut off in the middle is dropped."""
        journal = cls(Path(folder), [], scrub)
        journal._header, _ = read_folder(journal.folder)
        lines = journal.folder / "journal.jsonl"
        if lines.exists():
            text = lines.read_text("utf-8")
            _write_atomically(lines, text[: text.rfind("\n") + 1])
        return journal

    def discard(self) -> None:
        """Remove what `reserve` made, as long as nothing was written there."""
        for folder in self._made:
            if any(folder.iterdir()):
                return
            folder.rmdir()

    def begin(self, **header: Any) -> None:
        self._header = {**header, "started": datetime.now().astimezone().isoformat(timespec="seconds")}
        self._write_header(status="running")

    def go_on(self) -> None:
        self._write_header(status="running")

    def save_state(self, state: Any) -> None:
        """What the browser needs to go on from here; replaced at each step."""
        _write_atomically(self.folder / STATE, json.dumps(state), mode=0o600, sync=False)

    def picture(self, name: str) -> Path:
        return self.folder / f"{name}.png"

    def save_screenshot(self, name: str, seen: Observation) -> Path:
        """As the browser encoded it, unless something was drawn on it since."""
        self.picture(name).write_bytes(seen.png or _encode(seen.pixels))
        return self.picture(name)

    def append(self, step: Step) -> None:
        """One line, on the disk when this returns."""
        with open(self.folder / "journal.jsonl", "a", encoding="utf-8") as file:
            file.write(self._dump(step.to_dict()) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def finish(self, run: Run) -> None:
        self._write_header(**run.to_dict())
        if run.status in FINAL:
            (self.folder / STATE).unlink(missing_ok=True)

    def _write_header(self, **fields: Any) -> None:
        _write_atomically(self.folder / "run.json", self._dump(self._header | fields, indent=2) + "\n")

    def _dump(self, value: Any, indent: int | None = None) -> str:
        return json.dumps(scrub_strings(value, self._scrub), ensure_ascii=False, indent=indent)


def default_folder(task: str, now: datetime | None = None) -> Path:
    """`runs/<timestamp>-<slug>`, with a counter when two runs start within one second."""
    stamp = (now or datetime.now()).strftime("%Y%m%d-%H%M%S")
    slug = re.sub(r"[^a-z0-9]+", "-", task.lower()).strip("-")[:40].strip("-") or "task"
    folder, count = Path("runs") / f"{stamp}-{slug}", 1
    while folder.exists():
        count += 1
        folder = folder.with_name(f"{stamp}-{slug}-{count}")
    return folder


def read_state(folder: Path) -> dict[str, Any] | None:
    """What `save_state` left, or None."""
    path = folder / STATE
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def scrub_strings(value: Any, scrub: Scrub) -> Any:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, dict):
        return {key: scrub_strings(item, scrub) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [scrub_strings(item, scrub) for item in value]
    return value


def _encode(pixels: "np.ndarray") -> bytes:
    """A PNG. OpenCV takes half of Pillow's time, and lets other threads run meanwhile."""
    import cv2

    _, data = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return data.tobytes()


def _make_writable(folder: Path) -> list[Path]:
    """Make `folder` and its parents, probe it; return what was made, innermost first."""
    made = [path for path in [folder, *folder.parents] if not path.exists()]
    probe = folder / ".probe"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        _remove_empty(made)
        raise InputError(
            f"cannot write to the output folder {folder}: {error.strerror}; choose another one"
        ) from error
    return made


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        if folder.is_dir():
            folder.rmdir()


def _write_atomically(path: Path, text: str, mode: int = 0o666, sync: bool = True) -> None:
    partial = path.with_suffix(".partial")
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        if sync:
            os.fsync(file.fileno())
    os.replace(partial, path)
