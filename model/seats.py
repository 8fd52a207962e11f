"""Which sequence sits in which row of the static cache: they keep their seats from token to token.

Whoever comes brings a state along, and takes it away again: nothing else is copied.
"""

from collections.abc import Sequence as Many

from torch import Tensor

from . import kernels
from .graphs import DecodeGraphs
from .quantise import QuantisedWeight
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
        quantised = any(isinstance(module, QuantisedWeight) for module in model.language_model.modules())
        return kernels.has_steps(model.device) and not quantised

    def take(self, group: Many[Sequence]) -> bool:
        """Whether these can be fed so: a few tokens one after the other, none of them a guess."""
        few = len(group[0].feed) <= kernels.SHORT
        return few and not any(sequence.guessed or sequence.draft for sequence in group)

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
        tokens = max(sequence.length + len(sequence.feed) for sequence in group)
        graphs = self._graphs
        if graphs is None or len(group) > graphs.cache.size or tokens > graphs.cache.capacity:
            graphs = self._build(len(group), tokens)
        for sequence in group:
            if sequence not in self._seated:
                assert sequence.cache is not None
                graphs.cache.load(len(self._seated), sequence.cache)
                self._seated.append(sequence)
                sequence.cache = None
        return graphs

    def _build(self, rows: int, tokens: int) -> DecodeGraphs:
        """A larger room; the old one goes first, for there may not be memory for both."""
        size, capacity = (self._graphs.cache.size, self._graphs.cache.capacity) if self._graphs else (1, 0)
        self.leave(tuple(self._seated))
        self._graphs = None
        wanted = max(tokens, capacity, LEAST_TOKENS)
        self._graphs = DecodeGraphs(self.model, _power(max(rows, size)), _power(wanted))
        return self._graphs


def _power(n: int) -> int:
    """The next power of two."""
    return 1 << (n - 1).bit_length()
