"""The kernels of a decode step beside their references, at any shape: what tests and `bench.gpu` both run.

A case holds random inputs, what the reference makes of them in fp32, and how to run the kernel on them. What
a kernel allocates is filled with NaN first, so an element that it leaves out is seen.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from math import ceil, gcd
from typing import Any

import torch
from saccade.model.kernels import (
    attend_prompt,
    packed,
    reference,
    step_attention,
    step_delta,
    step_experts,
    step_experts_many,
    step_linear,
    step_packed,
    step_reference,
)
from saccade.model.kernels.launch import padded
from saccade.model.kernels.packed import Packed, Weight
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

    def weight(self, kind: str, *shape: int, tail: int = 0) -> Weight:
        """Like `matrix`, in a format of KINDS: its codes are random, so it is not made from a matrix."""
        if kind == "plain":
            return self.matrix(*shape)
        *stack, rows, columns = shape
        bits = 4 if kind == "int4" else 8
        codes = torch.randint(256, (*stack, rows, columns * bits // 8), generator=self._generator,
                              device=self.device, dtype=torch.uint8)  # fmt: skip
        block = (
            (1, gcd(columns, 128)) if kind != "fp8" else (gcd(rows // 2, 128), min(128, ceil(columns / 3)))
        )
        groups = *stack, rows // block[0], ceil(columns / block[1])
        more = self.matrix(tail, columns) if tail else None
        uneven = self(*groups, scale=0.3, dtype=torch.float32).exp()
        if kind == "fp8":  # 1.0 and below, either sign
            codes = (codes & 128 | codes % 57).view(torch.float8_e4m3fn)
            return Packed(codes, uneven * 3 * columns**-0.5, None, block, 1, more)
        scale = (uneven * (3 * columns**-0.5 / 2**bits)).half()
        return Packed(codes, scale, scale * (-(2 ** (bits - 1))), block, 8 // bits, more)

    def norm(self, dim: int, offset: float) -> Norm:
        return Norm(self(dim, scale=0.3) + (1 - offset), 1e-6, offset)

    def counters(self, shape: Shape) -> Tensor:
        """Tokens seen by each row: `seen`, and fewer in the others."""
        return torch.tensor([max(shape.seen - 5 * b, 0) for b in range(shape.batch)], device=self.device)


def norm_linear(noise: Noise, shape: Shape, kind: str = "plain") -> Case:
    """Into a DeltaNet layer, of whose matrices the two small ones are in no narrow format."""
    outs, small = shape.channels + shape.value_heads * shape.value_dim, 2 * shape.value_heads
    x, norm = noise(shape.batch, shape.hidden), noise.norm(shape.hidden, shape.norm_offset)
    weight = noise.weight(kind, outs + (0 if kind != "plain" else small), shape.hidden, tail=small)
    kernels = _kernels(kind, step_linear)
    return Case(
        lambda: (kernels.norm_linear(x, norm, weight),),
        (step_reference.norm_linear(x.float(), _wide(norm), _fp32(weight)),),
        weight_bytes(weight) + nbytes(x) + (outs + small) * x.element_size(),
    )


def linear(noise: Noise, shape: Shape, kind: str) -> Case:
    """The head of a few rows of the forward: no norm, and no residual."""
    x, weight = noise(shape.batch, shape.hidden), noise.weight(kind, 2 * shape.channels + 2, shape.hidden)
    assert isinstance(weight, Packed)
    return Case(
        lambda: (step_packed.add_linear(x, weight, None),),
        (packed.linear(x.float(), weight),),
        weight_bytes(weight) + nbytes(x) + shape.batch * len(weight.codes) * x.element_size(),
    )


def embed(noise: Noise, shape: Shape) -> Case:
    ids = torch.randperm(2 * shape.channels)[: shape.batch].to(noise.device)
    weight = noise.weight("int8", 2 * shape.channels, shape.hidden)
    assert isinstance(weight, Packed)
    return Case(
        lambda: (step_packed.embed(ids, weight, noise.dtype),),
        (step_reference.embed(ids, weight, torch.float32),),
        weight_bytes(weight[ids]) + shape.batch * shape.hidden * noise.dtype.itemsize,
    )


def rms_norm(noise: Noise, shape: Shape) -> Case:
    x, norm = noise(shape.batch, shape.hidden), noise.norm(shape.hidden, shape.norm_offset)
    return Case(
        lambda: (step_linear.rms_norm(x, *norm),),
        (reference.rms_norm(x.float(), *_wide(norm)),),
        nbytes(x, x, norm.weight),
    )


def add_linear(noise: Noise, shape: Shape, kind: str = "plain") -> Case:
    x = noise(shape.batch, shape.value_heads * shape.value_dim)
    weight, residual = noise.weight(kind, shape.hidden, x.shape[1]), noise(shape.batch, shape.hidden)
    kernels = _kernels(kind, step_linear)
    return Case(
        lambda: (kernels.add_linear(x, weight, residual),),
        (step_reference.add_linear(x.float(), _fp32(weight), residual.float()),),
        weight_bytes(weight) + nbytes(x, residual, residual),
    )


def long_rows(noise: Noise, shape: Shape, kind: str) -> Case:
    """Rows too long for one tile."""
    x, residual = noise(shape.batch, 8 * step_packed.WEIGHTS // 3 // 256 * 256), noise(shape.batch, 6)
    weight = noise.weight(kind, 6, x.shape[1])
    assert isinstance(weight, Packed)
    return Case(
        lambda: (step_packed.add_linear(x, weight, residual),),
        (step_reference.add_linear(x.float(), _fp32(weight), residual.float()),),
        weight_bytes(weight) + nbytes(x, residual, residual),
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


def experts(noise: Noise, shape: Shape, kind: str = "plain", rules: Any = step_experts) -> Case:
    x, norm = noise(shape.batch, shape.hidden), noise.norm(shape.hidden, shape.norm_offset)
    chosen = [torch.randperm(shape.experts)[: shape.top] for _ in range(shape.batch)]
    indices = torch.stack(chosen).int().to(x.device)
    shares = noise(shape.batch, shape.top + (shape.shared > 0), dtype=torch.float32).sigmoid()
    gate_up = noise.weight(kind, shape.experts, 2 * shape.expert, shape.hidden)
    down = noise.weight(kind, shape.experts, shape.hidden, shape.expert)
    shared = shared_down = None
    if shape.shared:
        shared = noise.weight(kind, 2 * shape.shared, shape.hidden)
        shared_down = noise.weight(kind, shape.hidden, shape.shared)
    one, one_down = (None if w is None else _fp32(w) for w in (shared, shared_down))
    hidden = step_reference.experts_up(x.float(), _wide(norm), indices, shares, _fp32(gate_up), one)
    out = step_reference.experts_down(hidden, indices, _fp32(down), one_down, x.float())
    kernels = _kernels(kind, rules)

    def run() -> tuple[Tensor, ...]:
        ours = kernels.experts_up(x, norm, indices, shares, gate_up, shared)
        return ours, kernels.experts_down(ours, indices, down, shared_down, x)

    read = len(indices.unique()) if rules is step_experts_many else shape.batch * shape.top
    taken = [w[0] for w in (gate_up, down)] * read
    moved = sum(weight_bytes(w) for w in [*taken, shared, shared_down] if w is not None)
    return Case(run, (hidden, out), moved)


def dense_up(noise: Noise, shape: Shape, kind: str = "plain", rules: Any = step_experts) -> Case:
    """An MLP without a router: the only slot, whose share is one number for all rows."""
    x, norm = noise(shape.batch, shape.hidden), noise.norm(shape.hidden, shape.norm_offset)
    weight, kernels = noise.weight(kind, 2 * shape.expert, shape.hidden), _kernels(kind, rules)
    whole = torch.tensor([1.0, torch.nan], device=x.device)[None, :1].expand(shape.batch, 1)
    none = torch.empty(1, 0, dtype=torch.int32, device=x.device).expand(shape.batch, 0)
    out = step_reference.experts_up(x.float(), _wide(norm), none, whole, None, _fp32(weight))
    return Case(
        lambda: (kernels.experts_up(x, norm, none, whole, None, weight),),
        (out,),
        weight_bytes(weight) + nbytes(x) + out.numel() * x.element_size(),
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


def prompt_attention(noise: Noise, shape: Shape, new: int, splits: int = 1) -> Case:
    """`seen` tokens before, in a buffer that has room for more; heads as narrow as the kernel takes."""
    dim, seen = max(64, padded(shape.head_dim)), shape.seen + new
    q = noise(shape.batch, new, shape.heads, dim).transpose(1, 2)
    k, v = (noise(shape.batch, shape.groups, seen + 3, dim)[:, :, :seen] for _ in range(2))
    out = reference.causal_attention(q.float(), k.float(), v.float())
    return Case(
        lambda: (attend_prompt.attend(q, k, v, splits=splits),),
        (out,),
        nbytes(q, q, k, v),
    )


def joined(noise: Noise, shape: Shape, new: int = 37, count: int = 11) -> Case:
    """More parts than are joined at once, of keys that are in a part each; one has no keys, and holds NaN."""
    dim = max(64, padded(shape.head_dim))
    parts = [noise(shape.batch, new, shape.heads, dim).transpose(1, 2) for _ in range(count)]
    sums = [3 * noise(shape.batch, shape.heads, new, dtype=torch.float32) for _ in range(count)]
    shares = torch.stack(sums).softmax(0)
    out = sum(part.float() * share.unsqueeze(-1) for part, share in zip(parts, shares, strict=True))
    assert isinstance(out, Tensor)
    parts.append(torch.full_like(parts[0], torch.nan))
    sums.append(torch.full_like(sums[0], -torch.inf))
    return Case(lambda: (attend_prompt.join(parts, sums),), (out,), nbytes(*parts, *sums, parts[0]))


KINDS = ("fp8", "int8", "int4")
PACKED = {
    "norm_linear": norm_linear,
    "add_linear": add_linear,
    "add_linear, long": long_rows,
    "linear": linear,
    "experts up, down": experts,
    "dense up": dense_up,
}
Make = Callable[[Noise, Shape], Case]
CASES: dict[str, Make] = {
    "rms_norm": rms_norm,
    "norm_linear": norm_linear,
    "add_linear": add_linear,
    "delta_step": delta,
    "choose_experts": experts_choice,
    "experts up, down": experts,
    "dense up": dense_up,
    "attention_step": attention,
    "embed, int8": embed,
    **{f"{name}, {kind}": partial(case, kind=kind) for name, case in PACKED.items() for kind in KINDS},
}
# What takes their place for many rows.
MANY_CASES: dict[str, Callable[[Noise, Shape], Case]] = {
    "choose_experts, many": partial(experts_choice, rules=step_experts_many),
    "experts up, down, many": partial(experts, rules=step_experts_many),
    "dense up, many": partial(dense_up, rules=step_experts_many),
}
# Of prompts: checked beside those of a step, not timed with them.
PROMPT_CASES: dict[str, Make] = {
    "attention of 65": partial(prompt_attention, new=65),
    "attention of 2, split": partial(prompt_attention, new=2, splits=3),
    "joined parts": joined,
}


def cases_of(kinds: Iterable[str]) -> dict[str, Make]:
    """Those without a format of their own, and those of some formats."""
    others = tuple(f", {kind}" for kind in KINDS if kind not in kinds)
    return {name: make for name, make in CASES.items() if not name.endswith(others)}


def nbytes(*tensors: Tensor) -> int:
    return sum(t.nbytes for t in tensors)


def weight_bytes(weight: Weight) -> int:
    if isinstance(weight, Tensor):
        return weight.nbytes
    return nbytes(*(t for t in (weight.codes, weight.scale, weight.low, weight.tail) if t is not None))


def _kernels(kind: str, plain: Any) -> Any:
    return plain if kind == "plain" else step_packed


def _wide(norm: Norm) -> Norm:
    return norm._replace(weight=norm.weight.float())


def _fp32(weight: Weight) -> Weight:
    """For a reference in fp32, which widens packed ones itself, only what it uses."""
    return weight if isinstance(weight, Packed) else weight.float()
