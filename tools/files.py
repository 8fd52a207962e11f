"""Files that cross the browser's border: downloads into one folder, uploads from what the user allowed.

Names come from pages and models: they never lead out of those places.
"""

import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from playwright.async_api import Download

_LONGEST_NAME = 100


class Files:
    """`downloads` None: a folder that goes when the browser closes. `uploads`: files, or folders of files."""

    def __init__(self, downloads: Path | None = None, uploads: Iterable[str | Path] = ()) -> None:
        self._folder = downloads
        self._own: tempfile.TemporaryDirectory | None = None
        self._uploads = [Path(it).resolve() for it in uploads]
        self.kept: list[Path] = []

    async def keep(self, download: Download) -> Path:
        """Save a finished download under a safe and new name; raises playwright's Error when it failed."""
        path = _new_path(self.folder(), download.suggested_filename)
        path.touch()  # the name is taken, also while several downloads run
        await download.save_as(path)
        self.kept.append(path)
        return path

    def folder(self) -> Path:
        if self._folder is None:
            self._own = tempfile.TemporaryDirectory(prefix="saccade-downloads-")
            self._folder = Path(self._own.name)
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder

    def allowed(self) -> dict[str, Path]:
        """What may be uploaded, by name: downloads first, then the user's files; hidden ones left out."""
        places = [*reversed(self.kept), *self._uploads]
        files = [
            file for place in places for file in (sorted(place.iterdir()) if place.is_dir() else [place])
        ]
        named: dict[str, Path] = {}
        for file in files:
            if file.is_file() and not file.name.startswith("."):
                named.setdefault(file.name, file)
        return named

    def find(self, name: str) -> Path | None:
        """The allowed file of that name or path."""
        allowed = self.allowed()
        path = Path(name.strip()).expanduser()
        if path.name != name.strip():
            return next((file for file in allowed.values() if file.resolve() == path.resolve()), None)
        return allowed.get(path.name)

    def close(self) -> None:
        if self._own is not None:
            self._own.cleanup()


def write_privately(path: Path, text: str) -> None:
    """A file that nobody but its owner may read, also when it was there before."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        if hasattr(os, "fchmod"):  # not on Windows
            os.fchmod(file.fileno(), 0o600)
        file.write(text)


def _new_path(folder: Path, suggested: str) -> Path:
    """`report.pdf`, then `report (2).pdf`: no folders, no control characters, no leading dots."""
    name = re.sub(r"[\x00-\x1f/\\\\:*?\"<>|]", "_", suggested).lstrip(". ") or "download"
    stem, suffix = Path(name).stem[:_LONGEST_NAME], Path(name).suffix[:20]
    path, count = folder / f"{stem}{suffix}", 1
    while path.exists():
        count += 1
        path = folder / f"{stem} ({count}){suffix}"
    return path
