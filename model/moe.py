"""Mixture of experts with an optional shared expert.

Shapes: N tokens, D model dim, E experts, I expert width.
"""

import torch
from torch import Tensor, nn

from . import kernels
from .config import TextConfig
from .layers import MLP


class SparseMoE(nn.Module):
    def __init__(self, config: TextConfig):
        super().__init__()
        self.gate = Router(config.hidden_size, config.num_experts, config.num_experts_per_tok)
        self.experts = Experts(config.hidden_size, config.num_experts, config.moe_intermediate_size)
        self.has_shared = config.shared_expert_intermediate_size > 0
        if self.has_shared:
            self.shared_expert = MLP(config.hidden_size, config.shared_expert_intermediate_size)
            self.shared_expert_gate = nn.Linear(config.hidden_size, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x_ND, shared = x.flatten(0, -2), ()
        if self.has_shared:
            mlp = self.shared_expert
            layers = mlp.gate_proj, mlp.up_proj, mlp.down_proj, self.shared_expert_gate
            shared = tuple(layer.weight for layer in layers)
        gate_up, down = self.experts.gate_up_proj, self.experts.down_proj
        shares, chosen = self.gate(x_ND)
        return kernels.mixture(x_ND, shares, chosen, gate_up, down, shared).view_as(x)


class Router(nn.Module):
    """Softmax over the top k in fp32 (that over all, renormalised). Returns weights, indices [N, k]."""

    def __init__(self, hidden_size: int, num_experts: int, top_k: int):
        super().__init__()
        self.top_k = top_k
        self.weight = _normal((num_experts, hidden_size), std=hidden_size**-0.5)

    def forward(self, x_ND: Tensor) -> tuple[Tensor, Tensor]:
        return kernels.top_experts(self.logits(x_ND), self.top_k)

    def logits(self, x_ND: Tensor) -> Tensor:
        return kernels.project(x_ND, self.weight)[0]


class Experts(nn.Module):
    """All experts in two tensors: gate_up_proj [E, 2I, D] (gate rows first), down_proj [E, D, I]."""

    def __init__(self, hidden_size: int, num_experts: int, intermediate_size: int):
        super().__init__()
        self.gate_up_proj = _normal((num_experts, 2 * intermediate_size, hidden_size), std=hidden_size**-0.5)
        self.down_proj = _normal((num_experts, hidden_size, intermediate_size), std=intermediate_size**-0.5)


def _normal(shape: tuple[int, ...], std: float) -> nn.Parameter:
    return nn.Parameter(nn.init.normal_(torch.empty(shape), std=std))
