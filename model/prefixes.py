"""States after prefixes of earlier prompts, found by content and dropped when the bytes run out.

A DeltaNet state cannot be cut back, so a state is useful exactly where it was taken: see `Prefill` for where.
Knows keys and sizes; knows nothing of text or pictures.
"""

from collections import Counter, OrderedDict, deque
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from .cache import HybridCache, KVBuffer
from .speculation import DraftState

RECENT = 16  # prompts remembered to learn where new ones branch off

Key = np.ndarray  # int64 [T]: one entry per token, its id, or a hash of its picture


@dataclass(frozen=True)
class Snapshot:
    """All that a sequence needs to go on after `cache.length` tokens."""

    cache: HybridCache
    draft: DraftState | None = None

    def fork(self) -> "Snapshot":
        return Snapshot(self.cache.fork(), self.draft and self.draft.fork())

    def buffers(self) -> list[KVBuffer]:
        return [*self.cache.buffers(), *(self.draft.buffers() if self.draft else ())]


class PrefixCache:
    """Least recently used first; `budget_bytes` counts what several snapshots share once."""

    def __init__(self, budget_bytes: int):
        self.budget_bytes = budget_bytes
        self._entries: OrderedDict[tuple[int, bytes], Snapshot] = OrderedDict()
        self._written: dict[tuple[int, bytes], tuple[Key, int]] = {}
        self._lengths: Counter[int] = Counter()
        self._shared: Counter[KVBuffer] = Counter()
        self._own_bytes = 0
        self._recent: deque[Key] = deque(maxlen=RECENT)

    def __len__(self) -> int:
        return len(self._entries)

    def longest(self, key: Key) -> Snapshot | None:
        """A fork of the state after the longest known prefix of `key`."""
        self._drop_unrepeated(key)
        found, digest, start = None, blake2b(digest_size=16), 0
        for length in sorted(n for n in self._lengths if n <= len(key)):
            digest.update(key[start:length].tobytes())
            start, name = length, (length, digest.digest())
            found = name if name in self._entries else found
        if found is None:
            return None
        self._entries.move_to_end(found)
        return self._entries[found].fork()

    def branch(self, key: Key) -> int:
        """How many tokens `key` shares with a recent prompt; remembers it as one."""
        shared = 0
        for recent in reversed(self._recent):
            if len(recent) > shared:  # the others share no more
                shared = max(shared, _common(key, recent))
        self._recent.append(key)
        return shared

    def add(self, key: Key, snapshot: Snapshot, written_from: int | None = None) -> None:
        """Keep the state after `key`. Over budget, the least recently used go, this one last.

        `written_from`: the model wrote it from there on, and the next prompt shows whether that is repeated.
        """
        name = (len(key), blake2b(key.tobytes(), digest_size=16).digest())
        if name in self._entries:
            self._entries.move_to_end(name)
            return
        self._entries[name] = kept = snapshot.fork()
        if written_from is not None:
            self._written[name] = key, written_from
        self._lengths[len(key)] += 1
        self._shared.update(kept.buffers())
        self._own_bytes += kept.cache.own_bytes()
        self.shrink(self.budget_bytes)

    def shrink(self, nbytes: int) -> None:
        """Drop states until at most so many bytes are held."""
        while self._entries and self.nbytes() > nbytes:
            self._drop(next(iter(self._entries)))

    def nbytes(self) -> int:
        return self._own_bytes + sum(buffer.nbytes for buffer in self._shared)

    def _drop_unrepeated(self, key: Key) -> None:
        """Where a prompt repeats a conversation but not what the model wrote in it, no later one will, and
        what it wrote is in the way of the prompt's own keys."""
        for name, (written, start) in tuple(self._written.items()):
            if len(key) >= start and np.array_equal(written[:start], key[:start]):
                del self._written[name]
                if not np.array_equal(written, key[: len(written)]):
                    self._drop(name)

    def _drop(self, name: tuple[int, bytes]) -> None:
        dropped = self._entries.pop(name)
        self._written.pop(name, None)
        self._own_bytes -= dropped.cache.own_bytes()
        _take(self._lengths, [name[0]])
        _take(self._shared, dropped.buffers())


def _take(counter: Counter, items: list) -> None:
    counter.subtract(items)
    for item in items:
        if not counter[item]:
            del counter[item]


def _common(a: Key, b: Key) -> int:
    n = min(len(a), len(b))
    different = a[:n] != b[:n]
    return int(different.argmax()) if different.any() else n
