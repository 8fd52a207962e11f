"""Which sequence sits in which row of the static cache: they keep their seats from token to token.

Whoever comes brings a state along, and takes it away again: nothing else is copied.
"""

from collections.abc import Sequence as Many

from torch import Tensor

from . import kernels, stepping
from .graphs import DecodeGraphs
from .memory import static_bytes
from .sequence import Sequence
from .vlm import VisionLanguageModel

LEAST_TOKENS = 2048  # room in the first cache; each further one has twice as much, or more


class Seats:
    def __init__(self, model: VisionLanguageModel):
        self.model = model
        self._graphs: DecodeGraphs | None = None
        self._seated: list[Sequence] = []

    @staticmethod
    def suit(model: VisionLanguageModel) -> bool:
        """Whether decoding in steps is what this model and its device are fast at."""
        return kernels.has_steps(model.device) and stepping.has_steps(model)

    @property
    def nbytes(self) -> int:
        """Of the cache that is held, be it empty."""
        if self._graphs is None:
            return 0
        return static_bytes(self.model, self._graphs.cache.size, self._graphs.cache.capacity)

    def take(self, group: Many[Sequence], spare_bytes: int) -> bool:
        """Whether these can be fed so: a few tokens one after the other, none of them a guess, in a cache of
        at most so many bytes."""
        few = len(group[0].feed) <= kernels.SHORT
        if not few or any(sequence.guessed or sequence.draft for sequence in group):
            return False
        return static_bytes(self.model, *self._room(group)) <= spare_bytes

    def clear(self) -> None:
        """Drop a cache in which nobody sits."""
        if not self._seated:
            self._graphs = None

    def step(self, group: Many[Sequence]) -> Tensor:
        """Feed what each member plans, as many tokens in all of them: logits [B, 1, V] in their order."""
        self.leave([sequence for sequence in self._seated if sequence not in group])
        graphs = self._seat(group)
        for t in range(len(group[0].feed)):
            rows = [(seq.feed[t], seq.position + t, seq.length + t) for seq in self._seated]
            logits = graphs.feed(list(zip(*rows, strict=True)))
        return logits[[self._seated.index(sequence) for sequence in group], None]

    def leave(self, members: Many[Sequence]) -> None:
        """Give those of them that sit here their own state back; the last takes the seat that is free."""
        for sequence in members:
            if sequence not in self._seated:
                continue
            assert self._graphs is not None
            cache, row, last = self._graphs.cache, self._seated.index(sequence), self._seated.pop()
            sequence.cache = cache.state(row, sequence.length)
            if last is not sequence:
                cache.move(len(self._seated), row, last.length)
                self._seated[row] = last

    def _seat(self, group: Many[Sequence]) -> DecodeGraphs:
        graphs, room = self._graphs, self._room(group)
        if graphs is None or room != (graphs.cache.size, graphs.cache.capacity):
            graphs = self._build(*room, group[0])
        for sequence in group:
            if sequence not in self._seated:
                assert sequence.cache is not None
                graphs.cache.load(len(self._seated), sequence.cache)
                self._seated.append(sequence)
                sequence.cache = None
        return graphs

    def _room(self, group: Many[Sequence]) -> tuple[int, int]:
        """Rows and tokens of the cache that holds these: the one there is, or a larger one."""
        tokens = max(sequence.length + len(sequence.feed) for sequence in group)
        size, capacity = (self._graphs.cache.size, self._graphs.cache.capacity) if self._graphs else (1, 0)
        return max(_power(len(group)), size), max(_power(max(tokens, LEAST_TOKENS)), capacity)

    def _build(self, rows: int, tokens: int, first: Sequence) -> DecodeGraphs:
        """The old one goes first, for there may not be memory for both."""
        self.leave(tuple(self._seated))
        self._graphs = None
        state, first.cache = first.cache, None
        assert state is not None
        self._graphs = DecodeGraphs(self.model, rows, tokens, first=state)
        self._seated.append(first)
        return self._graphs


def _power(n: int) -> int:
    """The next power of two."""
    return 1 << (n - 1).bit_length()
