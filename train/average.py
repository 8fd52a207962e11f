"""Weights averaged over the last steps: about what a falling rate would have given, at any moment of a training."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """Exponential, of the parameters of `module`. `decay`: what stays at each step; of the first steps less, so that
    the beginning is forgotten as fast."""

    def __init__(self, module: nn.Module, decay: float):
        self.parameters, self.decay, self.steps = list(module.parameters()), decay, 0
        self.values = [p.detach().clone() for p in self.parameters]

    @torch.no_grad()
    def add(self) -> None:
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 9))
        torch._foreach_lerp_(self.values, self.parameters, 1 - decay)  # pyright: ignore

    @contextmanager
    def worn(self) -> Iterator[None]:
        """The module has the averages, where its parameters lie (a CUDA graph reads them there), and then its own."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def state(self) -> dict[str, int | list[Tensor]]:
        return {"steps": self.steps, "values": self.values}

    def restart(self) -> None:
        """From the parameters as they are now."""
        self.load({"steps": 0, "values": self.parameters})

    @torch.no_grad()
    def load(self, state: dict) -> None:
        self.steps = state["steps"]
        torch._foreach_copy_(self.values, state["values"])  # pyright: ignore

    @torch.no_grad()
    def _swap(self) -> None:
        own = [p.clone() for p in self.parameters]
        torch._foreach_copy_(self.parameters, self.values)  # pyright: ignore
        torch._foreach_copy_(self.values, own)  # pyright: ignore
