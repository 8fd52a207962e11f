"""The processes that train together, one per GPU: they average gradients and agree on the time.

Every process holds the whole model and sees its own pages. Averaging is one all-reduce of one flat vector, so it
stays out of the way of compiled layers. A team of one costs nothing.
"""

import socket
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


class Team:
    def __init__(self, rank: int = 0, size: int = 1, device: str = "cpu", port: int = 0):
        self.rank, self.size = rank, size
        self.device = torch.device(device, rank) if device == "cuda" else torch.device(device)
        if size > 1:
            backend, address = "nccl" if device == "cuda" else "gloo", f"tcp://127.0.0.1:{port}"
            dist.init_process_group(backend, address, rank=rank, world_size=size)
        if device == "cuda":
            torch.cuda.set_device(self.device)

    def average(self, tensors: Sequence[Tensor]) -> None:
        """In place, over the team."""
        if self.size == 1:
            return
        flat = torch.cat([t.flatten() for t in tensors])
        dist.all_reduce(flat)
        shares = (flat / self.size).split([t.numel() for t in tensors])
        torch._foreach_copy_(list(tensors), [s.view_as(t) for s, t in zip(shares, tensors, strict=True)])  # pyright: ignore

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """A parameter that this process's batch left out counts as one without a gradient here."""
        if self.size == 1:
            return
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        self.average([p.grad for p in parameters if p.grad is not None])

    def agree(self, value: float) -> float:
        """The mean of what every process says; waits for all."""
        said = torch.tensor([value], device=self.device, dtype=torch.float64)
        self.average([said])
        return float(said)

    def leave(self) -> None:
        if self.size > 1:
            dist.destroy_process_group()


def start(work: Callable[[Team, Any], None], args: Any, size: int, device: str) -> None:
    """Run `work(team, args)` in `size` processes, in this one if it is the only one."""
    if size == 1:
        work(Team(device=device), args)
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(_enter, (work, args, size, device, port), nprocs=size)  # pyright: ignore


def _enter(
    rank: int, work: Callable[[Team, Any], None], args: Any, size: int, device: str, port: int
) -> None:
    team = Team(rank, size, device, port)
    work(team, args)
    team.leave()
