"""Packages with real applications in them, fetched once into a cache by the registries' own clients.

Nothing of them is part of this package. Without a network, or without npm, a NotFetchedError says so.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from saccade.errors import InputError

_LONGEST_S = 300


class NotFetchedError(InputError):
    """A registry or its client is out of reach."""


def cache_folder() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "saccade" / "apps"


def fetch_npm(package: str) -> Path:
    """The unpacked folder of `name@version`. Its dependencies do not come along, and nothing of it is run."""

    def fetch(folder: Path) -> None:
        npm = shutil.which("npm")
        if npm is None:
            raise NotFetchedError(f"{package} comes from npm: install Node.js, which brings it")
        _run([npm, "pack", package, "--silent", "--pack-destination", str(folder)], package)
        (archive,) = folder.glob("*.tgz")
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
        archive.unlink()

    return _once(f"npm-{package}", fetch) / "package"


def fetch_pip(requirement: str, alone: bool = False) -> Path:
    """A folder for PYTHONPATH with `name==version` and what it needs; `alone`: without the latter."""

    def fetch(folder: Path) -> None:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        pip += ["--no-deps"] if alone else []
        _run([*pip, "--only-binary", ":all:", "--target", str(folder), requirement], requirement)

    return _once(f"pypi-{requirement}", fetch)


def _once(name: str, fetch: Callable[[Path], None]) -> Path:
    """A folder appears whole or not at all."""
    folder = cache_folder() / name
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as part:
        whole = Path(part) / "whole"
        whole.mkdir()
        fetch(whole)
        if not folder.exists():
            whole.rename(folder)
    return folder


def _run(command: list[str], what: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST_S)
    except subprocess.TimeoutExpired:
        raise NotFetchedError(f"{what} could not be fetched within {_LONGEST_S} s") from None
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise NotFetchedError(f"{what} could not be fetched: {lines[-1] if lines else 'no reason given'}")
