"""The safetensors files of a folder as one dictionary of tensors. Knows files; knows nothing of the network.

Reads safetensors only; nothing here can run code from a file.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..errors import CheckpointError

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
WINDOW_BYTES = 32 << 20  # read through one mapping, which counts as our memory until it is closed


@dataclass(frozen=True)
class Stored:
    path: Path
    shape: tuple[int, ...]
    dtype: str  # the file format's name, such as BF16


class Checkpoint:
    """Raises CheckpointError at once for files that are missing, truncated or corrupt."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.stored: dict[str, Stored] = {}
        self._path, self._file, self._window = Path(), None, 0
        for path in _weight_files(folder):
            file = _open(path)
            for name in file.keys():  # noqa: SIM118 - not a dictionary
                entry = file.get_slice(name)
                self.stored[name] = Stored(path, tuple(entry.get_shape()), entry.get_dtype())

    @property
    def names(self) -> set[str]:
        return set(self.stored)

    def read(self, name: str) -> Tensor:
        """The tensor as stored, on the CPU: a view of the mapped file, to be copied before the next one."""
        path = self.stored[name].path
        if path != self._path or self._window > WINDOW_BYTES:
            self._file = None  # the old mapping goes before the new one comes
            self._path, self._file, self._window = path, _open(path), 0
        assert self._file is not None
        tensor = self._file.get_tensor(name)
        self._window += tensor.nbytes
        return tensor


def _weight_files(folder: Path) -> list[Path]:
    if (folder / SINGLE).is_file():
        return [folder / SINGLE]
    index = folder / INDEX
    if not index.is_file():
        raise CheckpointError(
            f"no {SINGLE} and no {INDEX} in {folder}: download the checkpoint's safetensors files"
        )
    try:
        weight_map = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        shards = sorted(set(weight_map.values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{index} cannot be read ({error!r}): download the file again") from None
    if any(not isinstance(shard, str) or Path(shard).name != shard for shard in shards):
        raise CheckpointError(f"{index} names files outside its folder: download the file again")
    missing = [shard for shard in shards if not (folder / shard).is_file()]
    if missing:
        raise CheckpointError(f"{folder}: shard {some(missing)} is missing: download it again")
    return [folder / shard for shard in shards]


def _open(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is truncated or corrupt ({error}): download the file again") from None


def some(names: Iterable[str]) -> str:
    """The first of the names and how many more there are, for a message."""
    first, *more = sorted(names)
    return first + (f" (and {len(more)} more)" if more else "")
