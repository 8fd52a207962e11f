"""The functions of csrc/ on tensors: fused, for fp32 on a CPU where no gradient is wanted.

Each has the signature and the meaning of its namesake in `reference.py`. Shapes as there.
"""

import ctypes
from collections.abc import Sequence
from ctypes import c_float, c_int, c_int64, c_void_p
from functools import cache
from struct import pack
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from . import build

FEW = 8  # rows up to which a matrix is read once for each of them; beyond, a product of matrices is faster
MAX_DIM, TILE, MAX_TAPS = 256, 8, 8  # as in csrc/
_P, _Z, _F = c_void_p, c_int64, c_float
SIGNATURES = {
    "project": [_P, _P, _Z, _Z, _Z],
    "mlp": [*[_P] * 10, *[_Z] * 5],
    "rms_norm": [_P, _P, _F, _F, _P, _Z, _Z],
    "silu_mul": [_P, _P, _P, _Z, _Z, _Z],
    "attend": [*[_P] * 5, *[_Z] * 6, c_int],
    "gelu_tanh": [_P, _P, _Z, _Z],
    "choose": [_P, _P, _P, _Z, _Z, _Z],
    "group": [*[_P] * 4, _Z, _Z],
    "combine": [*[_P] * 6, *[_Z] * 3],
    "rotate_heads": [_P, _Z, _Z, _P, _F, _F, _P, _P, _P, *[_Z] * 5],
    "mix": [*[_P] * 12, _F, *[_Z] * 7, c_int],
}  # and the number of threads, in each


@cache
def _library(rows_are_few: bool = True) -> Any:
    """None where there is no compiler. Few rows take microseconds: Python's lock is kept, since getting it
    back may take milliseconds where other threads are busy."""
    path = build.library()
    if path is None:
        return None
    functions = (ctypes.PyDLL if rows_are_few else ctypes.CDLL)(str(path))
    for name, types in SIGNATURES.items():
        getattr(functions, name).argtypes = [*types, c_int]
        getattr(functions, name).restype = None
    return functions


def _run(name: str, rows: int, *arguments: Any) -> None:
    getattr(_library(rows <= FEW), name)(*arguments, torch.get_num_threads())


def available() -> bool:
    """Whether there is a compiler, or was one once."""
    return _library() is not None


def takes(x: Tensor, *weights: Any) -> bool:
    """Whether these functions can compute with them. Quantised weights are no tensors, and refused."""
    if torch.is_grad_enabled() or x.dtype is not torch.float32 or not x.is_cpu or not available():
        return False
    for w in weights:  # no `all`: a generator costs as much as the rest
        if not isinstance(w, Tensor) or w.dtype is not torch.float32 or not w.is_contiguous():
            return False
    return True


def project(x: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
    rows, count = x.numel() // x.shape[-1], len(weights)
    if rows > FEW:
        return tuple(F.linear(x, w) for w in weights)
    x, outs = x.contiguous(), [x.new_empty((*x.shape[:-1], w.shape[0])) for w in weights]
    table = pack(
        f"{3 * count}q",
        *(w.data_ptr() for w in weights), *(y.data_ptr() for y in outs), *(y.shape[-1] for y in outs),
    )  # fmt: skip
    _run("project", rows, x.data_ptr(), table, count, rows, x.shape[-1])
    return tuple(outs)


def rms_norm(x: Tensor, weight: Tensor, eps: float, offset: float) -> Tensor:
    x, dim = x.contiguous(), x.shape[-1]
    y, rows = torch.empty_like(x), x.numel() // dim
    _run("rms_norm", rows, x.data_ptr(), weight.data_ptr(), offset, eps, y.data_ptr(), rows, dim)
    return y


def rotate_heads(x: Tensor, weight: Tensor, eps: float, offset: float, cos: Tensor, sin: Tensor) -> Tensor:
    return _rotated(x, weight.data_ptr(), eps, offset, cos, sin)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """x [P, H, D] by cos, sin [P, D], in memory as [H, P, D]."""
    return _rotated(x[None], None, 0.0, 0.0, cos, sin)[0].transpose(0, 1)


def _rotated(x: Tensor, weight: int | None, eps: float, offset: float, cos: Tensor, sin: Tensor) -> Tensor:
    batch, tokens, heads, dim = x.shape
    if x.stride(-1) != 1 or (x.stride(0) != tokens * x.stride(1) and batch > 1):
        x = x.contiguous()
    y, cos, sin = x.new_empty(batch, heads, tokens, dim), cos.contiguous(), sin.contiguous()
    _run(
        "rotate_heads", batch * tokens, x.data_ptr(), x.stride(1), x.stride(2), weight, offset, eps,
        *_pointers(cos, sin, y), batch, tokens, heads, dim, cos.shape[-1] // 2,
    )  # fmt: skip
    return y


def fits_attention(q: Tensor) -> bool:
    """Whether heads are as csrc/attention.c wants them. Few queries are better off with torch."""
    tokens, dim = q.shape[2:]
    return dim % TILE == 0 and dim <= MAX_DIM and tokens > FEW


def attention(q: Tensor, k: Tensor, v: Tensor, causal: bool) -> Tensor:
    """q [B, H, T, D]; k, v [B, G, S, D] -> [B, H, T, D], in memory as [B, T, H, D], as it is used."""
    batch, heads, tokens, dim = q.shape
    q, k, v = (x if x.stride(3) == 1 else x.contiguous() for x in (q, k, v))
    o, at = (
        q.new_empty(batch, tokens, heads, dim),
        pack("9q", *(n for x in (q, k, v) for n in x.stride()[:3])),
    )
    sizes = batch, heads, k.shape[1], tokens, k.shape[2], dim
    _run("attend", tokens, *_pointers(q, k, v, o), at, *sizes, causal)
    return o.transpose(1, 2)


def top_experts(logits: Tensor, k: int) -> tuple[Tensor, Tensor]:
    logits = logits.contiguous()
    rows, count = logits.shape
    shares, chosen = logits.new_empty(rows, k), torch.empty(rows, k, dtype=torch.long)
    _run("choose", rows, logits.data_ptr(), shares.data_ptr(), chosen.data_ptr(), rows, count, k)
    return shares, chosen


def mlp(x: Tensor, gate: Tensor, up: Tensor, down: Tensor) -> Tensor:
    rows, dim = x.numel() // x.shape[-1], x.shape[-1]
    if rows > FEW:
        return F.linear(silu_mul(F.linear(x, gate), F.linear(x, up)), down)
    x = x.contiguous()
    y, shared = torch.empty_like(x), _pointers(gate, up, down)
    _run("mlp", rows, x.data_ptr(), *[None] * 4, *shared, None, y.data_ptr(), rows, dim, 0, 0, gate.shape[0])
    return y


def mixture(
    x: Tensor, shares: Tensor, chosen: Tensor, gate_up: Tensor, down: Tensor, shared: Sequence[Tensor] = ()
) -> Tensor:
    if x.shape[0] > FEW:
        return _mixture_of_many(x, shares, chosen, gate_up, down, shared)
    x = x.contiguous()
    y, width = torch.empty_like(x), shared[0].shape[0] if shared else 0
    routed, beside = _pointers(shares, chosen, gate_up, down), _pointers(*(shared or [None] * 4))
    _run(
        "mlp", x.shape[0], x.data_ptr(), *routed, *beside, y.data_ptr(), *x.shape, chosen.shape[1],
        down.shape[-1], width,
    )  # fmt: skip
    return y


def _mixture_of_many(
    x: Tensor, shares: Tensor, chosen: Tensor, gate_up: Tensor, down: Tensor, shared: Sequence[Tensor]
) -> Tensor:
    """Each expert on the rows that chose it, as products of matrices."""
    (rows, k), experts = chosen.shape, len(gate_up)
    counts, order = torch.empty(experts, dtype=torch.long), torch.empty(rows * k, dtype=torch.long)
    places, parts, y = torch.empty_like(order), x.new_empty(rows * k, x.shape[-1]), torch.empty_like(x)
    _run("group", rows, *_pointers(chosen, counts, order, places), rows * k, experts)
    sizes = counts.tolist()
    groups = x.index_select(0, order.div_(k, rounding_mode="floor")).split(sizes)
    for expert, (group, part) in enumerate(zip(groups, parts.split(sizes), strict=True)):
        if len(group):
            gate, up = F.linear(group, gate_up[expert]).chunk(2, dim=-1)
            torch.mm(silu_mul(gate, up), down[expert].T, out=part)
    beside = (F.linear(x, shared[3]), mlp(x, *shared[:3])) if shared else (None, None)
    _run("combine", rows, *_pointers(parts, places, shares, *beside, y), rows, x.shape[-1], k)
    return y


def silu_mul(gate: Tensor, up: Tensor) -> Tensor:
    """silu(gate) * up; the rows of both have the same stride."""
    y, width = torch.empty_like(gate, memory_format=torch.contiguous_format), gate.shape[-1]
    rows = gate.numel() // width
    _run("silu_mul", rows, *_pointers(gate, up, y), rows, width, gate.stride(-2))
    return y


def linear_gelu(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    y = F.linear(x, weight)  # the bias in the same pass as what follows
    width = y.shape[-1]
    _run("gelu_tanh", y.shape[0], y.data_ptr(), bias.data_ptr(), y.numel() // width, width)
    return y


def fits_mix(state: Tensor, conv: Tensor) -> bool:
    """Whether the buffers of csrc/ have room for heads of this size."""
    key_dim, value_dim = state.shape[2:]
    return key_dim % TILE == 0 and max(key_dim, value_dim) <= MAX_DIM and conv.shape[-1] <= MAX_TAPS


def delta_mix(
    qkv: Tensor, z: Tensor, b: Tensor, a: Tensor, weights: Sequence[Tensor], eps: float, key_heads: int,
    window: Tensor, state: Tensor, each: bool,
) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:  # fmt: skip
    (batch, tokens, _), taps = qkv.shape, weights[0].shape[-1]
    inputs = [x.contiguous() for x in (qkv, z, b, a, *weights, window, state)]
    out, states = torch.empty_like(inputs[1]), [torch.empty_like(state) for _ in range(tokens if each else 1)]
    places, shape = pack(f"{len(states)}q", *_pointers(*states)), (key_heads, *state.shape[1:], taps)
    _run("mix", tokens, *_pointers(*inputs, out), places, eps, batch, tokens, *shape, each)
    return out, torch.cat((window, qkv[:, 1 - taps :] if not each else qkv), dim=1), tuple(states)


def _pointers(*tensors: Tensor | None) -> list[int | None]:
    return [None if x is None else x.data_ptr() for x in tensors]
