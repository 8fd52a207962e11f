"""Which implementation runs is decided here and nowhere else."""

from torch import Tensor

from . import reference
from .reference import causal_conv

__all__ = ["causal_conv", "delta_rule", "experts"]


def delta_rule(q: Tensor, k: Tensor, v: Tensor, g: Tensor, beta: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """Gated delta rule; shapes in `reference.delta_rule_recurrent`. Few tokens step, many go in chunks."""
    rule = reference.delta_rule_recurrent if v.shape[1] <= 4 else reference.delta_rule_chunked
    return rule(q, k, v, g, beta, state)


def experts(x: Tensor, gate_up: Tensor, down: Tensor, weights: Tensor, indices: Tensor) -> Tensor:
    """Mixture of experts; shapes in `reference.experts_by_token`."""
    few = gate_up.shape[0] <= 4 * indices.shape[-1]
    rule = reference.experts_dense if x.is_cuda and few else reference.experts_by_token
    return rule(x, gate_up, down, weights, indices)
