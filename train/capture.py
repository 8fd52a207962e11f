"""Forward and backward of a step as one CUDA graph for each shape of batch: the host launches once, not 10,000 times.

The first steps run plainly, until every bucket was seen often enough to be compiled and tuned; then each shape is
captured when it comes first. All graphs share one pool of memory, since no two of them run at a time. What a graph
computes stands in tensors that the next replay overwrites, gradients too. The first graph must give the gradients of a
plain step, else training stops there.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from .data import BUCKETS
from .model import Batch

WARM = 3  # plain steps of each bucket
ALLOWED = (
    0.1  # of |captured - plain| / |plain|, all gradients together: sums in another order flip a few routers
)
Compute = Callable[[Batch], dict[str, Tensor]]


@dataclass
class Recorded:
    graph: torch.cuda.CUDAGraph
    batch: Batch
    gradients: list[Tensor | None]
    measured: dict[str, Tensor]


class Captured:
    """Calls like `compute`, which fills the gradients of `parameters` and returns what it measured."""

    def __init__(self, compute: Compute, parameters: Sequence[nn.Parameter], buckets: int = len(BUCKETS)):
        self.compute, self.parameters, self.buckets = compute, parameters, buckets
        self.seen: Counter[tuple] = Counter()
        self.recorded: dict[tuple, Recorded] = {}
        self.pool = None

    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        if self.is_cold(batch):
            return self.compute(batch)
        key = tuple(getattr(batch, f.name).shape for f in fields(batch))
        if key not in self.recorded:
            expected = [] if self.recorded else self._plain_gradients(batch)
            self.recorded[key] = self._record(batch)
            if expected:
                self._replay(self.recorded[key], batch)
                self._expect(expected)
        return self._replay(self.recorded[key], batch)

    def is_cold(self, batch: Batch) -> bool:
        """Counts the batch. Once memory belongs to graphs, a plain step would no longer fit."""
        if self.recorded:
            return False
        ready = sum(n >= WARM for n in self.seen.values()) == self.buckets
        self.seen[batch.ids.shape] += 1
        return not ready

    def _plain_gradients(self, batch: Batch) -> list[Tensor]:
        self.compute(batch)
        return [p.grad.clone() for p in self.parameters if p.grad is not None]

    def _expect(self, expected: list[Tensor]) -> None:
        got = [p.grad for p in self.parameters if p.grad is not None]
        pairs = list(zip(got, expected, strict=True))
        apart = sum(float((g.double() - e).square().sum()) for g, e in pairs) ** 0.5
        length = sum(float(e.double().square().sum()) for e in expected) ** 0.5
        print(f"gradients of a captured step: {apart / length:.1e} from those of a plain one", flush=True)
        if not apart <= ALLOWED * length:
            raise RuntimeError("a captured step is not the plain one: train without --capture")

    def _record(self, batch: Batch) -> Recorded:
        static = Batch(**{f.name: getattr(batch, f.name).clone() for f in fields(batch)})
        for parameter in self.parameters:
            parameter.grad = None
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        graph = torch.cuda.CUDAGraph()
        # Other threads pin batches meanwhile.
        with torch.cuda.graph(graph, pool=self.pool, capture_error_mode="thread_local"):
            measured = self.compute(static)
        self.pool = self.pool or graph.pool()
        return Recorded(graph, static, [p.grad for p in self.parameters], measured)

    def _replay(self, recorded: Recorded, batch: Batch) -> dict[str, Tensor]:
        for f in fields(batch):
            getattr(recorded.batch, f.name).copy_(getattr(batch, f.name))
        recorded.graph.replay()
        for parameter, gradient in zip(self.parameters, recorded.gradients, strict=True):
            parameter.grad = gradient
        return {name: value.clone() for name, value in recorded.measured.items()}
