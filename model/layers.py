"""Small layers that several rooms of the decoder share: RMSNorm and the gated MLP."""

import torch
from torch import Tensor, nn

from . import kernels


class RMSNorm(nn.Module):
    """y = x / rms(x) * (offset + w). Qwen3.5: offset 1, multiplied in fp32; Qwen3-VL: 0, after the cast."""

    def __init__(self, dim: int, eps: float, offset: float):
        super().__init__()
        self.eps, self.offset = eps, offset
        self.weight = nn.Parameter(torch.zeros(dim) if offset else torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        return kernels.rms_norm(x, self.weight, self.eps, self.offset)

    def rotated(self, x_BTHD: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
        """Each head normalised, then turned by cos, sin [B, T, R]: [B, H, T, D]."""
        return kernels.rotate_heads(x_BTHD, self.weight, self.eps, self.offset, *rotary)


class MLP(nn.Module):
    """down(silu(gate(x)) * up(x))."""

    def __init__(self, hidden_size: int, intermediate_size: int):
        super().__init__()
        self.gate_proj = nn.Linear(hidden_size, intermediate_size, bias=False)
        self.up_proj = nn.Linear(hidden_size, intermediate_size, bias=False)
        self.down_proj = nn.Linear(intermediate_size, hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return kernels.mlp(x, self.gate_proj.weight, self.up_proj.weight, self.down_proj.weight)
