"""The kernels of a decode step beside their references, at any shape: what tests and `bench.gpu` both run.

A case holds random inputs, what the reference makes of them in fp32, and how to run the kernel on them. What
a kernel allocates is filled with NaN first, so an element that it leaves out is seen.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from saccade.model.kernels import (
    reference,
    step_attention,
    step_delta,
    step_experts,
    step_experts_many,
    step_linear,
    step_reference,
)
from saccade.model.kernels.reference import MixWeights
from saccade.model.kernels.step_reference import Norm
from torch import Tensor

TOLERANCE = {torch.float32: 2e-5, torch.bfloat16: 1e-2}  # of |out - reference| / |reference|


@dataclass(frozen=True)
class Shape:
    """As in QWEN's configs; `expert` and `shared` are widths, `seen` tokens are in the cache."""

    batch: int
    hidden: int
    key_heads: int
    value_heads: int
    key_dim: int
    value_dim: int
    heads: int
    groups: int
    head_dim: int
    rotary: int
    experts: int
    top: int
    expert: int
    shared: int
    seen: int
    norm_offset: float = 1.0
    gated: bool = True

    @property
    def channels(self) -> int:
        return 2 * self.key_heads * self.key_dim + self.value_heads * self.value_dim


A3B = Shape(1, 2048, 16, 32, 128, 128, 16, 2, 256, 64, 256, 8, 512, 512, 1024)


@dataclass(frozen=True)
class Case:
    """`run` may be called again and again; only its first result is that of `expected`."""

    run: Callable[[], tuple[Tensor, ...]]
    expected: tuple[Tensor, ...]
    moved: int  # bytes that must cross the memory bus at least
    launch: Callable[[], object] | None = None  # the kernels alone, where `run` does more

    def error(self) -> float:
        """The largest of |out - reference| / |reference|; NaN where an element is missing."""
        with poisoned():
            got = self.run()
        return max_error(got, self.expected)


def max_error(got: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> float:
    errors = []
    for ours, theirs in zip(got, expected, strict=True):
        assert ours.shape == theirs.shape
        errors.append(float((ours.double() - theirs.double()).norm() / theirs.double().norm()))
    return float(torch.tensor(errors).max())  # of NaN too


@contextlib.contextmanager
def poisoned() -> Iterator[None]:
    """Uninitialised memory is NaN."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


class Noise:
    def __init__(self, device: str | torch.device, dtype: torch.dtype, seed: int):
        self.device, self.dtype = device, dtype
        self._generator = torch.Generator(device).manual_seed(seed)

    def __call__(self, *shape: int, scale: float = 1.0, dtype: torch.dtype | None = None) -> Tensor:
        noise = torch.randn(shape, generator=self._generator, device=self.device) * scale
        return noise.to(dtype or self.dtype)

    def matrix(self, *shape: int) -> Tensor:
        return self(*shape, scale=shape[-1] ** -0.5)

    def norm(self, dim: int, offset: float) -> Norm:
        return Norm(self(dim, scale=0.3) + (1 - offset), 1e-6, offset)

    def counters(self, shape: Shape) -> Tensor:
        """Tokens seen by each row: `seen`, and fewer in the others."""
        return torch.tensor([max(shape.seen - 5 * b, 0) for b in range(shape.batch)], device=self.device)


def norm_linear(noise: Noise, shape: Shape) -> Case:
    outs = shape.channels + shape.value_heads * (shape.value_dim + 2)
    x, norm = noise(shape.batch, shape.hidden), noise.norm(shape.hidden, shape.norm_offset)
    weight = noise.matrix(outs, shape.hidden)
    return Case(
        lambda: (step_linear.norm_linear(x, norm, weight),),
        (step_reference.norm_linear(x.float(), _wide(norm), weight.float()),),
        nbytes(weight, x) + outs * x.element_size(),
    )


def rms_norm(noise: Noise, shape: Shape) -> Case:
    x, norm = noise(shape.batch, shape.hidden), noise.norm(shape.hidden, shape.norm_offset)
    return Case(
        lambda: (step_linear.rms_norm(x, *norm),),
        (reference.rms_norm(x.float(), *_wide(norm)),),
        nbytes(x, x, norm.weight),
    )


def add_linear(noise: Noise, shape: Shape) -> Case:
    x = noise(shape.batch, shape.value_heads * shape.value_dim)
    weight, residual = noise.matrix(shape.hidden, x.shape[1]), noise(shape.batch, shape.hidden)
    return Case(
        lambda: (step_linear.add_linear(x, weight, residual),),
        (step_reference.add_linear(x.float(), weight.float(), residual.float()),),
        nbytes(weight, x, residual, residual),
    )


def delta(noise: Noise, shape: Shape) -> Case:
    channels, heads, taps = shape.channels, shape.value_heads, 4
    mixed = noise(shape.batch, channels + heads * (shape.value_dim + 2))
    weights = MixWeights(
        noise.matrix(channels, 1, taps), noise(heads), noise(heads) - 2, noise(shape.value_dim, scale=0.3) + 1
    )
    window, steps = noise(shape.batch, taps, channels), noise.counters(shape)
    state = noise(shape.batch, heads, shape.key_dim, shape.value_dim, scale=0.3, dtype=torch.float32)
    wide = window.float(), state.clone()
    out = step_reference.delta_step(
        mixed.float(), MixWeights(*(w.float() for w in weights)), 1e-6, shape.key_heads, *wide, steps
    )

    def run() -> tuple[Tensor, ...]:
        ours = step_delta.delta_step(mixed, weights, 1e-6, shape.key_heads, window, state, steps)
        return ours, window, state

    return Case(run, (out, *wide), nbytes(mixed, window, *weights, state, state) + out.numel() * 2)


def experts_choice(noise: Noise, shape: Shape, rules: Any = step_experts) -> Case:
    """Any choice among equals is right, so it is the shares of what was chosen that are compared, and how far
    the scores left out lie above the worst that was taken."""
    switched = shape.shared > 0
    x, norm = noise(shape.batch, shape.hidden), noise.norm(shape.hidden, shape.norm_offset)
    router = noise.matrix(shape.experts + switched, shape.hidden)
    scores = step_reference.norm_linear(x.float(), _wide(norm), router.float())
    arrived = torch.zeros(shape.batch, dtype=torch.int32, device=x.device)
    span = scores[:, : shape.experts].std()

    def run() -> tuple[Tensor, ...]:
        indices, shares = rules.choose_experts(x, norm, router, shape.top, switched, arrived)
        assert not arrived.any()
        taken = torch.zeros_like(scores[:, : shape.experts], dtype=torch.bool)
        taken.scatter_(1, indices.long(), True)
        assert (taken.sum(1) == shape.top).all()
        ours = scores[:, : shape.experts]
        worst, best = ours.masked_fill(~taken, torch.inf).amin(1), ours.masked_fill(taken, -torch.inf).amax(1)
        missed = (best - worst).clamp(min=0) / span
        right = ours.gather(1, indices.long()).softmax(-1)
        right = torch.cat((right, scores[:, shape.experts :].sigmoid()), dim=-1)
        return 1 + missed, shares / right

    slots = shape.top + switched
    ones = torch.ones(shape.batch, device=x.device), torch.ones(shape.batch, slots, device=x.device)
    launch = partial(rules.choose_experts, x, norm, router, shape.top, switched, arrived)
    return Case(run, ones, nbytes(router, x), launch)


def experts(noise: Noise, shape: Shape, rules: Any = step_experts) -> Case:
    x, norm = noise(shape.batch, shape.hidden), noise.norm(shape.hidden, shape.norm_offset)
    chosen = [torch.randperm(shape.experts)[: shape.top] for _ in range(shape.batch)]
    indices = torch.stack(chosen).int().to(x.device)
    shares = noise(shape.batch, shape.top + (shape.shared > 0), dtype=torch.float32).sigmoid()
    gate_up = noise.matrix(shape.experts, 2 * shape.expert, shape.hidden)
    down = noise.matrix(shape.experts, shape.hidden, shape.expert)
    shared = shared_down = None
    if shape.shared:
        shared = noise.matrix(2 * shape.shared, shape.hidden)
        shared_down = noise.matrix(shape.hidden, shape.shared)
    hidden = step_reference.experts_up(
        x.float(), _wide(norm), indices, shares, gate_up.float(), None if shared is None else shared.float()
    )
    out = step_reference.experts_down(
        hidden, indices, down.float(), None if shared_down is None else shared_down.float(), x.float()
    )

    def run() -> tuple[Tensor, ...]:
        ours = rules.experts_up(x, norm, indices, shares, gate_up, shared)
        return ours, rules.experts_down(ours, indices, down, shared_down, x)

    read = len(indices.unique()) if rules is step_experts_many else shape.batch * shape.top
    width = read * shape.expert + shape.shared
    return Case(run, (hidden, out), 3 * width * shape.hidden * x.element_size())


def dense_up(noise: Noise, shape: Shape, rules: Any = step_experts) -> Case:
    """An MLP without a router: the only slot, whose share is one number for all rows."""
    x, norm = noise(shape.batch, shape.hidden), noise.norm(shape.hidden, shape.norm_offset)
    weight = noise.matrix(2 * shape.expert, shape.hidden)
    whole = torch.tensor([1.0, torch.nan], device=x.device)[None, :1].expand(shape.batch, 1)
    none = torch.empty(1, 0, dtype=torch.int32, device=x.device).expand(shape.batch, 0)
    out = step_reference.experts_up(x.float(), _wide(norm), none, whole, None, weight.float())
    return Case(
        lambda: (rules.experts_up(x, norm, none, whole, None, weight),),
        (out,),
        nbytes(weight, x) + out.numel() * x.element_size(),
    )


def attention(noise: Noise, shape: Shape) -> Case:
    heads, groups, dim, slots = shape.heads, shape.groups, shape.head_dim, shape.seen + 3
    qkv = noise(shape.batch, (heads * (1 + shape.gated) + 2 * groups) * dim)
    norms = noise.norm(dim, shape.norm_offset), noise.norm(dim, shape.norm_offset)
    angles = noise(slots, shape.rotary // 2, dtype=torch.float32)
    lengths = noise.counters(shape)
    keys, values = (noise(shape.batch, groups, slots, dim) for _ in range(2))
    tables = angles.cos(), angles.sin(), (lengths - 1).clamp(min=0), lengths
    wide = keys.float(), values.float()
    out = step_reference.attention_step(qkv.float(), heads, _wide(norms[0]), _wide(norms[1]), *tables, *wide)

    def run() -> tuple[Tensor, ...]:
        return step_attention.attention_step(qkv, heads, *norms, *tables, keys, values), keys, values

    read = 2 * int(lengths.sum()) * groups * dim * qkv.element_size()
    return Case(run, (out, *wide), nbytes(qkv) + read + out.numel() * 2)


CASES: dict[str, Callable[[Noise, Shape], Case]] = {
    "rms_norm": rms_norm,
    "norm_linear": norm_linear,
    "add_linear": add_linear,
    "delta_step": delta,
    "choose_experts": experts_choice,
    "experts up, down": experts,
    "dense up": dense_up,
    "attention_step": attention,
}
# What takes their place for many rows.
MANY_CASES: dict[str, Callable[[Noise, Shape], Case]] = {
    "choose_experts, many": partial(experts_choice, rules=step_experts_many),
    "experts up, down, many": partial(experts, rules=step_experts_many),
    "dense up, many": partial(dense_up, rules=step_experts_many),
}


def nbytes(*tensors: Tensor) -> int:
    return sum(t.nbytes for t in tensors)


def _wide(norm: Norm) -> Norm:
    return norm._replace(weight=norm.weight.float())
