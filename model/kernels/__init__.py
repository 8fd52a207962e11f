"""Which implementation runs is decided here and nowhere else; `reference.py` says what each means.

On a CPU in fp32, where no gradient is wanted and a C compiler was found, that is `native.py`.
"""

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from ...vision.encoder import PLAIN
from . import cpu, native, reference
from .reference import MixWeights

__all__ = [
    "MixWeights",
    "causal_attention",
    "delta_mix",
    "delta_rule",
    "full_attention",
    "fused",
    "linear_gelu",
    "mixture",
    "mlp",
    "project",
    "rms_norm",
    "rotate",
    "rotate_heads",
    "top_experts",
]

SHORT = 8  # tokens up to which the delta rule steps, and so knows the state after each of them


def fused(dtype: torch.dtype) -> bool:
    """Whether a CPU computes with `native.py` in this format."""
    return native.available() and dtype is torch.float32


def causal_attention(q: Tensor, k: Tensor, v: Tensor, visible: Tensor | None = None) -> Tensor:
    """The last tokens look back at all; shapes in `reference.causal_attention`."""
    if visible is None and native.takes(q) and native.fits_attention(q):
        return native.attention(q, k, v, causal=True)
    behind = visible is None and 1 < q.shape[2] < k.shape[2]
    if behind and q.device.type == "cpu" and not (q.requires_grad or k.requires_grad):
        return cpu.attention_behind_prefix(q, k, v)
    return reference.causal_attention(q, k, v, visible)


def full_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """See `vision.encoder.Operations`."""
    if native.takes(q) and native.fits_attention(q):
        return native.attention(q, k, v, causal=False)
    return PLAIN.attention(q, k, v)


def delta_rule(
    q: Tensor, k: Tensor, v: Tensor, g: Tensor, beta: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """Gated delta rule for many tokens, in chunks; shapes in `reference.delta_rule_recurrent`."""
    with torch.autocast(v.device.type, enabled=False):  # its own arithmetic is fp32 whatever surrounds it
        if v.is_cuda and has_triton() and all(16 <= d <= 128 and d & (d - 1) == 0 for d in state.shape[2:]):
            return _triton_delta_rule()(q, k, v, g, beta, state)
        plain = v.device.type == "cpu" and not v.requires_grad
        solve = reference.solve_by_substitution if plain else reference.solve_by_inverse
        return reference.delta_rule_chunked(q, k, v, g, beta, state, solve=solve)


def delta_mix(
    qkv: Tensor, z: Tensor, b: Tensor, a: Tensor, weights: MixWeights, eps: float, key_heads: int,
    window: Tensor, state: Tensor,
) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:  # fmt: skip
    """A DeltaNet layer between its projections; few tokens leave the state after each of them."""
    each = qkv.shape[1] <= SHORT
    arguments = (qkv, z, b, a, weights, eps, key_heads, window, state, each)
    if native.fits_mix(state, weights.conv) and native.takes(qkv, *weights):
        return native.delta_mix(*arguments)
    return reference.delta_mix(*arguments, rule=delta_rule)


def rms_norm(x: Tensor, weight: Tensor, eps: float, offset: float) -> Tensor:
    rule = native.rms_norm if native.takes(x, weight) else reference.rms_norm
    return rule(x, weight, eps, offset)


def rotate_heads(x: Tensor, weight: Tensor, eps: float, offset: float, cos: Tensor, sin: Tensor) -> Tensor:
    rule = native.rotate_heads if native.takes(x, weight, cos, sin) else reference.rotate_heads
    return rule(x, weight, eps, offset, cos, sin)


def project(x: Tensor, *weights: Any) -> tuple[Tensor, ...]:
    rule = native.project if native.takes(x, *weights) else reference.project
    return rule(x, *weights)


def mlp(x: Tensor, gate: Any, up: Any, down: Any) -> Tensor:
    rule = native.mlp if native.takes(x, gate, up, down) else reference.mlp
    return rule(x, gate, up, down)


def linear_gelu(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """See `vision.encoder.Operations`."""
    rule = native.linear_gelu if native.takes(x, weight, bias) else PLAIN.linear_gelu
    return rule(x, weight, bias)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """See `vision.encoder.Operations`."""
    return (native.rotate if native.takes(x) else PLAIN.rotate)(x, cos, sin)


def top_experts(logits: Tensor, k: int) -> tuple[Tensor, Tensor]:
    return (native.top_experts if native.takes(logits) else reference.top_experts)(logits, k)


def mixture(
    x: Tensor, shares: Tensor, indices: Tensor, gate_up: Any, down: Any, shared: Sequence[Any] = ()
) -> Tensor:
    rule = native.mixture if native.takes(x, gate_up, down, *shared) else reference.mixture
    return rule(x, shares, indices, gate_up, down, shared)


@cache
def has_triton() -> bool:
    return find_spec("triton") is not None


@cache
def _triton_delta_rule() -> Any:
    from .delta_chunks import delta_rule

    return torch.compiler.disable(delta_rule)
