"""Which implementation runs is decided here and nowhere else."""

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from . import reference
from .reference import causal_attention, causal_conv

__all__ = ["causal_attention", "causal_conv", "delta_rule", "delta_rule_steps", "experts"]

SHORT = 8  # tokens up to which the delta rule steps, and so knows the state after each of them


def delta_rule(
    q: Tensor, k: Tensor, v: Tensor, g: Tensor, beta: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """Gated delta rule for many tokens, in chunks; shapes in `reference.delta_rule_recurrent`."""
    with torch.autocast(v.device.type, enabled=False):  # its own arithmetic is fp32 whatever surrounds it
        plain = v.device.type == "cpu" and not v.requires_grad
        solve = reference.solve_by_substitution if plain else reference.solve_by_inverse
        return reference.delta_rule_chunked(q, k, v, g, beta, state, _pass_state_for(k, v), solve)


def delta_rule_steps(
    q: Tensor, k: Tensor, v: Tensor, g: Tensor, beta: Tensor, state: Tensor
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The same for few tokens, one by one; returns the state after each."""
    with torch.autocast(v.device.type, enabled=False):
        return reference.delta_rule_steps(q, k, v, g, beta, state)


def experts(x: Tensor, gate_up: Tensor, down: Tensor, weights: Tensor, indices: Tensor) -> Tensor:
    """Mixture of experts; shapes in `reference.experts_by_token`. Quantised stacks widen expert by expert."""
    plain = isinstance(gate_up, Tensor) and isinstance(down, Tensor)
    dense = plain and x.is_cuda and gate_up.shape[0] <= 4 * indices.shape[-1]
    if dense:
        return reference.experts_dense(x, gate_up, down, weights, indices)
    rule = reference.experts_single if x.shape[0] == 1 else reference.experts_by_token
    return rule(x, gate_up, down, weights, indices)


def _pass_state_for(k: Tensor, v: Tensor) -> Callable[..., tuple[Tensor, Tensor, Tensor]]:
    fits = all(16 <= d <= 128 and d & (d - 1) == 0 for d in (k.shape[-1], v.shape[-1]))
    return _triton_pass_state() if v.is_cuda and fits and has_triton() else reference.delta_pass_state


@cache
def has_triton() -> bool:
    return find_spec("triton") is not None


@cache
def _triton_pass_state() -> Any:
    from .pass_state import delta_pass_state

    return torch.compiler.disable(delta_pass_state)
