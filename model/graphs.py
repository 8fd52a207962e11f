"""Decoding on a GPU without its host: one CUDA graph for each size of a batch, replayed for every token.

Knows when to replay; what a step computes is in `stepping.py`. On a CPU, where there is nothing to capture,
the steps run as they are.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from .cache import HybridCache
from .stepping import StaticCache, Stepper
from .vlm import VisionLanguageModel

WARM = 16  # slots of the cache on which kernels are compiled
REMEMBERED = 64  # sizes of which it is known that they came before

Result = TypeVar("Result")


class Capture:
    """CUDA graphs that share one pool of memory: one runs at a time, and what it leaves is copied at once.

    Called with work that reads and writes in fixed places, it gives what replays it.
    """

    def __init__(self):
        self._pool, self._side = torch.cuda.graph_pool_handle(), torch.cuda.Stream()

    def __call__(self, work: Callable[[], Result]) -> Callable[[], Result]:
        graph = torch.cuda.CUDAGraph()
        self._side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._side):  # loads kernels and plans products, which no graph can do
            work()
        torch.cuda.current_stream().wait_stream(self._side)
        where = {"pool": self._pool, "stream": self._side}
        with torch.cuda.graph(graph, **where, capture_error_mode="thread_local"):  # other threads go on
            result = work()

        def replay() -> Result:
            graph.replay()
            return result

        return replay


class Known:
    """Whether a size came before, not long ago: graphs cost several runs, so the second time makes them."""

    def __init__(self):
        self._seen: OrderedDict[Hashable, None] = OrderedDict()

    def __call__(self, size: Hashable) -> bool:
        known = size in self._seen
        self._seen[size] = None
        self._seen.move_to_end(size)
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return known


class DecodeGraphs:
    """Graphs over the first 1, 2, 4, ... rows of one static cache, each captured when it is first wanted.

    `chained`: a graph also writes the likeliest tokens into the counters, as those to be fed next, so that
    any number of steps need nothing from the host. `first` becomes the first row, and is empty afterwards.
    """

    def __init__(
        self,
        model: VisionLanguageModel,
        rows: int,
        capacity: int,
        chained: bool = False,
        first: HybridCache | None = None,
    ):
        self.model, self.cache = model, StaticCache.empty(model, rows, capacity, first)
        self._step, self._chained = Stepper(model), chained
        self._ready: dict[int, Callable[[], Tensor]] = {}

    def feed(self, counters: Sequence[Sequence[int]]) -> Tensor:
        """Tokens, positions and lengths of the first rows, one list each: `step` with them."""
        rows = len(counters[0])
        self.cache.counters[:, :rows] = torch.tensor(counters)
        return self.step(rows)

    def step(self, rows: int) -> Tensor:
        """Feed the counters' tokens of the first rows: logits [rows, V], valid until the next step.

        The rows up to the next size compute as well: what they hold is lost.
        """
        size = min(1 << (rows - 1).bit_length(), self.cache.size)
        if size not in self._ready:
            self._ready[size] = self._prepare(size)
        self.cache.counters[1:, rows:size] = 0
        return self._ready[size]()[:rows]

    def _prepare(self, size: int) -> Callable[[], Tensor]:
        cache = self.cache.rows(size)
        return self._capture(cache, size) if cache.counters.is_cuda else lambda: self._advance(cache)

    def _capture(self, cache: StaticCache, size: int) -> Callable[[], Tensor]:
        side, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):  # compiles and loads kernels, which no graph can do; on other states
            self._advance(StaticCache.empty(self.model, self.cache.size, WARM).rows(size))
        torch.cuda.current_stream().wait_stream(side)
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # other threads go on
            logits = self._advance(cache)

        def replay() -> Tensor:
            graph.replay()
            return logits

        return replay

    def _advance(self, cache: StaticCache) -> Tensor:
        logits = self._step(cache)
        if self._chained:
            cache.counters[0].copy_(logits.argmax(-1))
            cache.counters[1:].add_(1)
        return logits
