"""Which implementation runs is decided here and nowhere else; `reference.py` says what each means.

On a CPU in fp32, where no gradient is wanted and a C compiler was found, that is `native.py`.
"""

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.backends.cuda import SDPAParams, can_use_flash_attention
from torch.nn import functional as F

from ...vision.encoder import PLAIN
from . import cpu, native, padded, reference, step_reference
from .packed import Packed, Weight
from .padded import Ends
from .reference import Around, MixWeights
from .step_reference import Norm

__all__ = [
    "Ends",
    "MixWeights",
    "Norm",
    "Packed",
    "Weight",
    "add_linear",
    "attention_step",
    "causal_attention",
    "choose_experts",
    "delta_mix",
    "delta_mix_padded",
    "delta_rule",
    "delta_step",
    "embed",
    "experts_down",
    "experts_up",
    "full_attention",
    "fused",
    "gate_heads",
    "has_steps",
    "holds_mixture",
    "linear_gelu",
    "mixture",
    "mlp",
    "norm_linear",
    "project",
    "rms_norm",
    "rotate",
    "rotate_heads",
    "top_experts",
]

MANY = 8  # rows of a step from which experts are read once for all that chose them, not once for each
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
    if visible is None and _fits_attend(q, k, v):
        return _triton("attend_prompt").attend(q, k, v)
    if behind and _flash_takes(q, k, v):  # its "causal" is ours; through torch's front it would need a mask
        return torch.ops.aten._scaled_dot_product_flash_attention(q, k, v, is_causal=True)[0]
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
        trains = _wants_gradient(q, k, v, g, beta, state)
        if _fits_chunks(state, 64 if trains else 128):
            if not trains and _triton("delta_prompt").fits(q, k, v, state):
                return _triton("delta_prompt").delta_rule(q, k, v, g, beta, state)[:2]
            return _triton("delta_chunks").delta_rule(q, k, v, g, beta, state)
        plain = v.device.type == "cpu" and not v.requires_grad
        solve = reference.solve_by_substitution if plain else reference.solve_by_inverse
        return reference.delta_rule_chunked(q, k, v, g, beta, state, solve=solve)


def _delta_rule_kept(
    q: Tensor, k: Tensor, v: Tensor, g: Tensor, beta: Tensor, state: Tensor, count: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    if _fits_chunks(state, 128):
        if _triton("delta_prompt").fits(q, k, v, state):
            return _triton("delta_prompt").delta_rule(q, k, v, g, beta, state, count)
        return _triton("delta_chunks").delta_rule_kept(q, k, v, g, beta, state, count)
    return padded.delta_rule_kept(q, k, v, g, beta, state, count, rule=delta_rule)


def _fits_chunks(state: Tensor, most: int) -> bool:
    """Whether its tiles can be so: powers of two."""
    return (
        state.is_cuda and has_triton() and all(16 <= d <= most and d & (d - 1) == 0 for d in state.shape[2:])
    )


def delta_mix(
    qkv: Tensor, z: Tensor, b: Tensor, a: Tensor, weights: MixWeights, eps: float, key_heads: int,
    window: Tensor, state: Tensor, ends: bool = False,
) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:  # fmt: skip
    """A DeltaNet layer between its projections. Few tokens leave the state after each of them, unless the one
    at the end is enough (`ends`)."""
    each = qkv.shape[1] <= SHORT and not ends
    arguments = (qkv, z, b, a, weights, eps, key_heads, window, state, each)
    if native.fits_mix(state, weights.conv) and native.takes(qkv, *weights):
        return native.delta_mix(*arguments)
    around = None if each else _around(qkv, z, *weights)
    return reference.delta_mix(*arguments, rule=delta_rule, around=around)


def delta_mix_padded(
    qkv: Tensor, z: Tensor, b: Tensor, a: Tensor, weights: MixWeights, eps: float, key_heads: int,
    window: Tensor, state: Tensor, ends: Ends,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """The same with pads at the end, for a graph; see `padded.delta_mix`."""
    inputs = qkv, z, b, a, weights, eps, key_heads, window, state
    return padded.delta_mix(*inputs, ends, rule=_delta_rule_kept, around=_around(qkv, z, *weights))


def _around(*tensors: Tensor) -> Around | None:
    if not _many_in_triton(*tensors):
        return None
    many = _triton("mix_many")
    return Around(many.causal_conv, many.gates, many.gated_norm)


def rms_norm(x: Tensor, weight: Tensor, eps: float, offset: float) -> Tensor:
    if _many_in_triton(x, weight):
        return _triton("step_linear").rms_norm(x, weight, eps, offset, overlap=False)
    rule = native.rms_norm if native.takes(x, weight) else reference.rms_norm
    return rule(x, weight, eps, offset)


def rotate_heads(x: Tensor, weight: Tensor, eps: float, offset: float, cos: Tensor, sin: Tensor) -> Tensor:
    if _many_in_triton(x, weight) and not x.shape[-1] & (x.shape[-1] - 1):
        return _triton("heads_many").rotate_heads(x, weight, eps, offset, cos, sin)
    rule = native.rotate_heads if native.takes(x, weight, cos, sin) else reference.rotate_heads
    return rule(x, weight, eps, offset, cos, sin)


def gate_heads(o: Tensor, gate: Tensor) -> Tensor:
    """o * sigmoid(gate), both [B, T, H, D]."""
    if _many_in_triton(o, gate) and not o.shape[-1] & (o.shape[-1] - 1):
        return _triton("heads_many").gate_heads(o, gate)
    return o * gate.sigmoid()


def project(x: Tensor, *weights: Any) -> tuple[Tensor, ...]:
    if _few_in_triton(x, *weights):  # of whose matrices a wide copy would take longer than the product
        rule, rows = _triton("step_packed").add_linear, x.reshape(-1, x.shape[-1]).contiguous()
        return tuple(rule(rows, w.packed, None).view(*x.shape[:-1], -1) for w in weights)
    rule = native.project if native.takes(x, *weights) else reference.project
    return rule(x, *weights)


def mlp(x: Tensor, gate: Any, up: Any, down: Any) -> Tensor:
    rule = native.mlp if native.takes(x, gate, up, down) else reference.mlp
    return rule(x, gate, up, down)


def linear_gelu(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """See `vision.encoder.Operations`."""
    if x.is_cuda and not _wants_gradient(x, weight, bias):  # one product that ends in the tanh form of gelu
        return torch.ops.aten._addmm_activation(bias, x, weight.mT, use_gelu=True)
    rule = native.linear_gelu if native.takes(x, weight, bias) else PLAIN.linear_gelu
    return rule(x, weight, bias)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """See `vision.encoder.Operations`."""
    if x.is_cuda and has_triton() and not _wants_gradient(x):
        return _triton("turn_pairs").rotate(x, cos, sin)
    return (native.rotate if native.takes(x) else PLAIN.rotate)(x, cos, sin)


def top_experts(logits: Tensor, k: int) -> tuple[Tensor, Tensor]:
    if logits.is_cuda and len(logits) > 1 and has_triton() and not _wants_gradient(logits):
        return _triton("experts_prompt").choose(logits, k)
    return (native.top_experts if native.takes(logits) else reference.top_experts)(logits, k)


def mixture(
    x: Tensor, shares: Tensor, indices: Tensor, gate_up: Any, down: Any, shared: Sequence[Any] = ()
) -> Tensor:
    if x.is_cuda and len(x) > 1 and has_triton() and _fits_prompt(x, shares, gate_up, down, *shared):
        return _triton("experts_prompt").mixture(x, shares, indices, gate_up, down, shared)
    rule = native.mixture if native.takes(x, gate_up, down, *shared) else reference.mixture
    return rule(x, shares, indices, gate_up, down, shared)


def holds_mixture(gate_up: Any, down: Any, k: int) -> bool:
    """Whether a CUDA graph can hold `mixture` of many tokens, of which each chooses k: its host waits for no
    counts."""
    if not isinstance(gate_up, Tensor) or not isinstance(down, Tensor):
        return False
    grouped = torch.cuda.get_device_capability(gate_up.device)[0] in (9, 10)  # torch's, elsewhere a loop
    return gate_up.shape[0] <= 4 * k or (grouped and reference.fits_grouped(gate_up, down))


def embed(ids: Tensor, weight: Weight, dtype: torch.dtype) -> Tensor:
    packed = isinstance(weight, Packed) and has_steps(ids.device)
    return (_triton("step_packed") if packed else step_reference).embed(ids, weight, dtype)


def norm_linear(x: Tensor, norm: Norm, weight: Weight) -> Tensor:
    if not _steps_in_triton(x):
        return step_reference.norm_linear(x, norm, weight)
    if isinstance(weight, Packed):
        return _triton("step_packed").norm_linear(x, norm, weight)
    rows = _triton("step_linear")
    return rows.norm_linear(x, norm, weight) if len(x) == 1 else F.linear(rows.rms_norm(x, *norm), weight)


def add_linear(x: Tensor, weight: Weight, residual: Tensor) -> Tensor:
    if not _steps_in_triton(x):
        return step_reference.add_linear(x, weight, residual)
    if isinstance(weight, Packed):
        return _triton("step_packed").add_linear(x, weight, residual)
    if len(x) == 1:
        return _triton("step_linear").add_linear(x, weight, residual)
    return torch.addmm(residual, x, weight.mT)


def delta_step(
    mixed: Tensor, weights: MixWeights, eps: float, key_heads: int, window: Tensor, state: Tensor,
    steps: Tensor,
) -> Tensor:  # fmt: skip
    rule = _step_rules(mixed, "step_delta").delta_step
    return rule(mixed, weights, eps, key_heads, window, state, steps)


def choose_experts(
    x: Tensor, norm: Norm, router: Tensor, k: int, switched: bool, arrived: Tensor
) -> tuple[Tensor, Tensor]:
    return _step_rules(x, _experts_module(x, k)).choose_experts(x, norm, router, k, switched, arrived)


def experts_up(
    x: Tensor, norm: Norm, indices: Tensor, shares: Tensor, gate_up: Weight | None, shared: Weight | None
) -> Tensor:
    packed = isinstance(shared if gate_up is None else gate_up, Packed)
    module = "step_packed" if packed else _experts_module(x, indices.shape[1])
    rule = _step_rules(x, module).experts_up
    return rule(x, norm, indices, shares, gate_up, shared)


def experts_down(
    hidden: Tensor, indices: Tensor, down: Weight, shared: Weight | None, residual: Tensor
) -> Tensor:
    module = "step_packed" if isinstance(down, Packed) else _experts_module(hidden, indices.shape[1])
    rule = _step_rules(hidden, module).experts_down
    return rule(hidden, indices, down, shared, residual)


def attention_step(
    qkv: Tensor, heads: int, q_norm: Norm, k_norm: Norm, cos: Tensor, sin: Tensor, positions: Tensor,
    lengths: Tensor, keys: Tensor, values: Tensor,
) -> Tensor:  # fmt: skip
    rule = _step_rules(qkv, "step_attention").attention_step
    return rule(qkv, heads, q_norm, k_norm, cos, sin, positions, lengths, keys, values)


def _experts_module(x: Tensor, k: int) -> str:
    """Without a choice two rows share all weights, with one few do until they are many."""
    return "step_experts_many" if len(x) >= (MANY if k else 2) else "step_experts"


def _fits_prompt(x: Tensor, shares: Tensor, gate_up: Any, down: Any, *shared: Any) -> bool:
    """Weights are bf16 and neither quantised nor learning, and experts are not so few that all may run."""
    tensors = x, gate_up, down, *shared
    return (
        all(isinstance(w, Tensor) and w.dtype is torch.bfloat16 for w in tensors)
        and reference.fits_grouped(gate_up, down)
        and gate_up.shape[0] > 4 * shares.shape[1]
        and not _wants_gradient(shares, *tensors)
    )


def _many_in_triton(*tensors: Tensor) -> bool:
    return tensors[0].is_cuda and has_triton() and not _wants_gradient(*tensors)


def _few_in_triton(x: Tensor, *weights: Any) -> bool:
    """Whether these are a few rows and quantised matrices."""
    few = x.is_cuda and x.numel() <= SHORT * x.shape[-1] and not any(isinstance(w, Tensor) for w in weights)
    return few and has_triton() and not _wants_gradient(x)


def _fits_attend(q: Tensor, k: Tensor, v: Tensor) -> bool:
    return _many_in_triton(q, k, v) and _triton("attend_prompt").fits(q, k, v)


def _flash_takes(q: Tensor, k: Tensor, v: Tensor) -> bool:
    return q.is_cuda and can_use_flash_attention(SDPAParams(q, k, v, None, 0.0, False, True))


def _wants_gradient(*tensors: Tensor) -> bool:
    return torch.is_grad_enabled() and any(x.requires_grad for x in tensors)


def _step_rules(x: Tensor, module: str) -> Any:
    return _triton(module) if _steps_in_triton(x) else step_reference


def _steps_in_triton(x: Tensor) -> bool:
    return has_steps(x.device)


def has_steps(device: torch.device) -> bool:
    """Whether steps over states of fixed size have kernels of their own there."""
    return device.type == "cuda" and has_triton()


@cache
def has_triton() -> bool:
    return find_spec("triton") is not None


@cache
def _triton(module: str) -> Any:
    """Imported on first use: Triton is optional."""
    return import_module(f".{module}", __package__)
