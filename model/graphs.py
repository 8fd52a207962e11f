"""Decoding on a GPU without its host: one CUDA graph for each size of a batch, replayed for every token.

Knows when to replay; what a step computes is in `stepping.py`.
"""

import torch
from torch import Tensor

from .stepping import StaticCache, Stepper
from .vlm import VisionLanguageModel


class DecodeGraphs:
    """Graphs over the first rows of one static cache, captured before anything is loaded into it.

    `chained`: a graph also writes the likeliest tokens into the counters, as those to be fed next, so that
    any number of steps need nothing from the host.
    """

    def __init__(self, model: VisionLanguageModel, rows: int, capacity: int, chained: bool = False):
        self.cache = StaticCache.empty(model, rows, capacity)
        self._step, self._chained = Stepper(model), chained
        self._pool = torch.cuda.graph_pool_handle()
        self._graphs = {size: self._capture(size) for size in reversed(buckets(rows))}

    def step(self, rows: int) -> Tensor:
        """Feed the counters' tokens of the first rows: logits [rows, V], valid until the next step."""
        graph, logits = self._graphs[min(size for size in self._graphs if size >= rows)]
        graph.replay()
        return logits[:rows]

    @torch.inference_mode()
    def _capture(self, size: int) -> tuple[torch.cuda.CUDAGraph, Tensor]:
        cache, graph = self.cache.rows(size), torch.cuda.CUDAGraph()
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            self._advance(cache)  # compiles kernels and makes room: neither may happen in a graph
        torch.cuda.current_stream().wait_stream(side)
        with torch.cuda.graph(graph, pool=self._pool):
            logits = self._advance(cache)
        self.cache.counters.zero_()
        return graph, logits

    def _advance(self, cache: StaticCache) -> Tensor:
        logits = self._step(cache)
        if self._chained:
            cache.counters[0].copy_(logits.argmax(-1))
            cache.counters[1:].add_(1)
        return logits


def buckets(rows: int) -> list[int]:
    """1, 2, 4, ... and `rows` itself."""
    sizes = [1 << n for n in range((rows - 1).bit_length())]
    return [*sizes, rows]
