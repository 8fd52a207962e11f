"""Muon for the matrices of the network, AdamW for everything else, one learning-rate schedule by time.

Muon: Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024): momentum, then the nearest
orthogonal matrix by a quintic Newton-Schulz iteration. Matrices of one shape are orthogonalised as one batch.
"""

from collections import defaultdict

import torch
from torch import Tensor, nn

WARMUP = 100  # steps


class Muon(torch.optim.Optimizer):
    """Parameters of 2 dims, or 3 (a stack of matrices, as the experts are)."""

    def __init__(self, params, lr: float = 0.02, momentum: float = 0.95, weight_decay: float = 0.0):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            trained = [p for p in group["params"] if p.grad is not None]
            updates = self._nesterov(trained, group["momentum"])
            torch._foreach_mul_(trained, 1 - group["lr"] * group["weight_decay"])  # pyright: ignore
            by_shape: dict[tuple[int, int], list[int]] = defaultdict(list)
            for i, p in enumerate(trained):
                by_shape[p.shape[-2], p.shape[-1]].append(i)
            for (rows, columns), members in by_shape.items():
                stacked = torch.cat([updates[i].reshape(-1, rows, columns) for i in members])
                directions = (
                    orthogonalise(stacked).float().split([trained[i][..., 0, 0].numel() for i in members])
                )
                shaped = [d.view_as(trained[i]) for i, d in zip(members, directions, strict=True)]
                scale = -group["lr"] * max(1, rows / columns) ** 0.5
                torch._foreach_add_([trained[i] for i in members], shaped, alpha=scale)  # pyright: ignore

    def _nesterov(self, trained: list[Tensor], momentum: float) -> list[Tensor]:
        buffers = [self.state[p].setdefault("momentum", torch.zeros_like(p)) for p in trained]
        gradients = [p.grad for p in trained]
        torch._foreach_lerp_(buffers, gradients, 1 - momentum)  # pyright: ignore
        return list(torch._foreach_lerp(gradients, buffers, momentum))  # pyright: ignore


@torch.compile(disable=not torch.cuda.is_available())
def orthogonalise(x: Tensor, steps: int = 5) -> Tensor:
    """[M, rows, columns] -> about U V^T of each matrix's singular value decomposition, in bf16."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = x.shape[-2] > x.shape[-1]
    y = (x.mT if tall else x).bfloat16()
    y = y / (y.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = y @ y.mT
        y = a * y + (b * gram + c * gram @ gram) @ y
    return y.mT if tall else y


def make_optimizers(trainee: nn.Module, lr: float = 1.0) -> list[torch.optim.Optimizer]:
    matrices, rest = [], []
    for name, p in trainee.named_parameters():
        inner = (
            ("blocks." in name or "layers." in name or "merger" in name)
            and p.dim() >= 2
            and "conv1d" not in name
        )
        (matrices if inner and ".gate.weight" not in name and min(p.shape[-2:]) > 1 else rest).append(p)
    return [
        Muon(matrices, lr=0.02 * lr, weight_decay=0.01),
        torch.optim.AdamW(
            rest, lr=1.5e-3 * lr, betas=(0.9, 0.95), weight_decay=0.0, fused=torch.cuda.is_available()
        ),
    ]


def schedule(progress: float, step: int, decay_from: float = 0.5) -> float:
    """Warm up, hold, then fall linearly to 2% over the last part; `progress` 0..1 is the share of the time budget."""
    up = min(1.0, (step + 1) / WARMUP)
    down = 1.0 if progress < decay_from else max(0.02, (1 - progress) / (1 - decay_from))
    return up * down
