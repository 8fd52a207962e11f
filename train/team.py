"""The processes that train together, one per GPU: they average gradients and agree on the time.

Every process holds the whole model and sees its own pages. Averaging is one all-reduce of one flat vector, so it
stays out of the way of compiled layers. A team of one costs nothing. A process sees its own GPU alone, as the first
one: graphs that were compiled for another number would not be found again.
"""

import os
import socket
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


class Team:
    def __init__(self, rank: int = 0, size: int = 1, device: str = "cpu", port: int = 0):
        self.rank, self.size = rank, size
        self.device = torch.device(device, 0) if device == "cuda" else torch.device(device)
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
    """Run `work(team, args)` in `size` processes, in this one if it is the only one. Where one fails the others end, and
    its error is raised here."""
    if size == 1:
        work(Team(device=device), args)
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    contexts = []
    try:
        for rank in range(size):
            if device == "cuda":  # before the process starts: CUDA reads it once, while modules are imported
                os.environ["CUDA_VISIBLE_DEVICES"] = own_gpu(rank, visible or "")
            told = (rank, work, args, size, device, port)
            contexts.append(torch.multiprocessing.spawn(_enter, told, nprocs=1, join=False))  # pyright: ignore
        running = list(contexts)
        while running:
            running = [context for context in running if not context.join(timeout=1)]
    finally:
        os.environ.pop("CUDA_VISIBLE_DEVICES", None)
        if visible is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = visible
        for process in (p for context in contexts for p in context.processes if p.is_alive()):
            process.terminate()


def _enter(
    _: int, rank: int, work: Callable[[Team, Any], None], args: Any, size: int, device: str, port: int
) -> None:
    team = Team(rank, size, device, port)
    work(team, args)
    team.leave()


def own_gpu(rank: int, visible: str) -> str:
    """What CUDA_VISIBLE_DEVICES becomes for this process; `visible` is what it was, empty where all are.

    Raises:
        ValueError: there are fewer GPUs than processes.
    """
    if not visible:
        return str(rank)
    names = visible.split(",")
    if rank >= len(names):
        raise ValueError(
            f"process {rank} has no GPU: CUDA_VISIBLE_DEVICES names {len(names)}; give fewer --gpus"
        )
    return names[rank]
