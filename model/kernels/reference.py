"""Plain PyTorch references of the kernels: the definition of what is right.

Shapes: B batch, T tokens, H value heads, G key heads (H is a multiple of G), K key dim, V value dim, C chunk,
N chunks, D model dim, E experts, I expert width.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ..rope import apply_rotary
from . import packed

CHUNK = 64


class MixWeights(NamedTuple):
    """What a DeltaNet layer has between its projections."""

    conv: Tensor  # [C, 1, k], C = 2GK + HV channels
    A_log: Tensor  # [H]
    dt_bias: Tensor  # [H]
    norm: Tensor  # [V]


def delta_mix(
    qkv: Tensor, z: Tensor, b: Tensor, a: Tensor, weights: MixWeights, eps: float, key_heads: int,
    window: Tensor, state: Tensor, each: bool,
    rule: Callable[..., tuple[Tensor, Tensor]] | None = None,
    around: "Around | None" = None,
) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:  # fmt: skip
    """All of a DeltaNet layer between its projections: convolution, gates, delta rule, gated norm.

    qkv [B, T, C]; z [B, T, HV]; b, a [B, T, H]; window [B, k - 1, C], the columns before qkv; state
    [B, H, K, V]. beta = sigmoid(b), g = -exp(A_log) softplus(a + dt_bias), out = o / rms(o) norm silu(z).
    Returns out [B, T, HV], the columns from the oldest window kept on, and the states kept: after each token,
    where `each` asks for it, or after the last. `rule` and `around` may be other ways to compute the same;
    such a convolution returns its last columns alone.
    """
    heads, key_dim = state.shape[1:3]
    conv, gating, norm = around or Around(causal_conv, gates, gated_norm)
    mixed, columns = conv(qkv, window, weights.conv)
    q, k, v = mixed.split((key_heads * key_dim, key_heads * key_dim, z.shape[-1]), dim=-1)
    q, k, v = q.unflatten(-1, (key_heads, -1)), k.unflatten(-1, (key_heads, -1)), v.unflatten(-1, (heads, -1))
    g, beta = gating(b, a, weights.A_log, weights.dt_bias)
    if each:
        o, states = delta_rule_steps(q, k, v, g, beta, state)
    else:
        o, last = (rule or delta_rule_chunked)(q, k, v, g, beta, state)
        states, columns = (last,), columns[:, -window.shape[1] :].clone()  # a view would keep every column
    return norm(o, z.view_as(o), weights.norm, eps).flatten(-2), columns, states


class Around(NamedTuple):
    """What stands around the delta rule in `delta_mix`."""

    conv: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
    gates: Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
    norm: Callable[[Tensor, Tensor, Tensor, float], Tensor]


def gates(b: Tensor, a: Tensor, A_log: Tensor, dt_bias: Tensor) -> tuple[Tensor, Tensor]:
    """b, a [B, T, H] -> log decay g = -exp(A_log) softplus(a + dt_bias) and beta = sigmoid(b), in fp32."""
    return -A_log.float().exp() * F.softplus(a.float() + dt_bias.float()), b.float().sigmoid()


def gated_norm(x: Tensor, z: Tensor, weight: Tensor, eps: float) -> Tensor:
    """cast(x / rms(x)) * w * silu(z): plain w, unlike every other norm of Qwen3.5."""
    normed = F.rms_norm(x.float(), weight.shape, eps=eps)
    return (weight * normed.to(x.dtype) * F.silu(z.float())).to(x.dtype)


def rms_norm(x: Tensor, weight: Tensor, eps: float, offset: float) -> Tensor:
    """x / rms(x) * (offset + w). With an offset it is multiplied in fp32, without after the cast."""
    if offset:
        weight = offset + weight.float()
        return F.rms_norm(x.float(), weight.shape, weight, eps).to(x.dtype)
    return weight * F.rms_norm(x.float(), weight.shape, eps=eps).to(x.dtype)


def rotate_heads(x: Tensor, weight: Tensor, eps: float, offset: float, cos: Tensor, sin: Tensor) -> Tensor:
    """x [B, T, H, D] -> each head normalised and turned by cos, sin [B, T, R], as [B, H, T, D]."""
    return apply_rotary(rms_norm(x, weight, eps, offset), cos, sin).transpose(1, 2)


def project(x: Tensor, *weights: Any) -> tuple[Tensor, ...]:
    """x [..., D] through several matrices [outs, D], which may be quantised."""
    return tuple(_linear(x, w) for w in weights)


def _linear(x: Tensor, weight: Any) -> Tensor:
    return F.linear(x, weight) if isinstance(weight, Tensor) else packed.linear(x, weight.packed)


def mlp(x: Tensor, gate: Any, up: Any, down: Any) -> Tensor:
    """down(silu(gate(x)) * up(x)); the matrices may be quantised."""
    return _linear(F.silu(_linear(x, gate)).mul_(_linear(x, up)), down)


def top_experts(logits: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Softmax over the top k of [T, E] in fp32 (that over all, renormalised): shares, indices [T, k]."""
    best, indices = logits.float().topk(k, dim=-1)
    return best.softmax(-1).to(logits.dtype), indices


def mixture(
    x: Tensor, shares: Tensor, indices: Tensor, gate_up: Any, down: Any, shared: Sequence[Any] = ()
) -> Tensor:
    """Mixture of experts x [T, D] -> [T, D]; stacks gate_up [E, 2I, D] (gate rows first), down [E, D, I].

    `shared`: gate, up, down of the expert that every token takes, and the row of its switch.
    """
    plain = isinstance(gate_up, Tensor) and isinstance(down, Tensor)
    dense = plain and x.is_cuda and gate_up.shape[0] <= 4 * indices.shape[-1]
    if dense:
        rule = experts_dense
    elif plain and x.is_cuda and fits_grouped(gate_up, down):
        rule = experts_grouped
    else:
        rule = experts_single if x.shape[0] == 1 else experts_by_token
    y = rule(x, gate_up, down, shares, indices)
    return y + F.linear(x, shared[3]).sigmoid() * mlp(x, *shared[:3]) if shared else y


def l2_normalise(x: Tensor, scale: float = 1.0) -> Tensor:
    return x * (torch.rsqrt(x.square().sum(-1, keepdim=True) + 1e-6) * scale)


def delta_rule_recurrent(
    q: Tensor, k: Tensor, v: Tensor, g: Tensor, beta: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """Gated delta rule, one token at a time (Yang et al., "Gated Delta Networks", 2024).

    q, k [B, T, G, K]; v [B, T, H, V]; g (log decay, <= 0), beta [B, T, H]; state [B, H, K, V] fp32.
    S <- S e^g; S <- S + k (x) beta (v - S^T k); o = S^T q. Returns o [B, T, H, V] in v's dtype, and the new
    state.
    """
    o, states = delta_rule_steps(q, k, v, g, beta, state)
    return o, states[-1]


def delta_rule_steps(
    q: Tensor, k: Tensor, v: Tensor, g: Tensor, beta: Tensor, state: Tensor
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """`delta_rule_recurrent` that returns the state after every token."""
    batch, heads = state.shape[:2]
    q, k, v32, g, beta = (x.flatten(0, 1) for x in _prepare(q, k, v, g, beta))  # [B * H, T, ...]
    decay, beta, state = g.exp()[..., None, None], beta[..., None, None], state.flatten(0, 1)
    out, states = [], []
    for t in range(v.shape[1]):
        k_t = k[:, t : t + 1]
        state = state * decay[:, t]
        delta = (v32[:, t : t + 1] - torch.bmm(k_t, state)) * beta[:, t]
        state = torch.baddbmm(state, k_t.mT, delta)
        out.append(torch.bmm(q[:, t : t + 1], state))
        states.append(state.unflatten(0, (batch, heads)))
    o = out[0] if len(out) == 1 else torch.cat(out, dim=1)
    return o.unflatten(0, (batch, heads)).transpose(1, 2).to(v.dtype), tuple(states)


def delta_rule_chunked(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    g: Tensor,
    beta: Tensor,
    state: Tensor,
    solve: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """The same function in chunks of 64: matrix products inside a chunk, `delta_pass_state` between chunks.

    `solve(A, x)` is (I + A)^-1 x for A [M, C, C] strictly lower triangular. M = B * H * N below. Log decays
    are summed in fp64: a sum of -100 would leave their differences five digits.
    """
    tokens, shape = v.shape[1], (*state.shape[:2], -1)
    q, k, v32, g, beta = (_into_chunks(x) for x in _prepare(q, k, v, g, beta))
    summed, k_beta, k_turned = g.double().cumsum(-1), k * beta[..., None], k.mT
    decay = summed.float()
    causal = torch.ones(CHUNK, CHUNK, dtype=torch.bool, device=q.device).tril()
    gap = (summed[..., :, None] - summed[..., None, :]).float().masked_fill_(~causal, -torch.inf).exp_()
    mixing = (torch.bmm(k_beta, k_turned) * gap).tril_(-1)
    grown = decay[..., None].exp()
    uw = (solve or solve_by_inverse)(mixing, torch.cat((v32 * beta[..., None], k_beta * grown), dim=-1))
    u, w = uw.split((v.shape[-1], k.shape[-1]), dim=-1)
    k_out = k * (summed[:, -1:] - summed).float()[..., None].exp()
    keep = decay[:, -1].exp()
    u, w, k_out, keep = (x.unflatten(0, shape) for x in (u, w, k_out, keep))
    fresh, states, state = delta_pass_state(u, w, k_out, keep, state)
    inside = torch.bmm(torch.bmm(q, k_turned) * gap, fresh.flatten(0, 2))
    o = torch.baddbmm(inside, q * grown, states.flatten(0, 2)).unflatten(0, shape)
    return o.flatten(2, 3)[:, :, :tokens].transpose(1, 2).to(v.dtype), state


def solve_by_inverse(strict: Tensor, x: Tensor) -> Tensor:
    """Matrix products alone: right for a GPU, and its gradient is two more."""
    return torch.bmm(unit_lower_inverse(strict), x)


def solve_by_substitution(strict: Tensor, x: Tensor) -> Tensor:
    """Row by row: right for a CPU."""
    return torch.linalg.solve_triangular(strict, x, upper=False, unitriangular=True)


def delta_pass_state(
    u: Tensor, w: Tensor, k_out: Tensor, keep: Tensor, state: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The recurrence between chunks.

    u [B, H, N, C, V]; w, k_out [B, H, N, C, K]; keep [B, H, N]; state [B, H, K, V].
    fresh = u - w S; S <- keep S + k_out^T fresh. Returns fresh [B, H, N, C, V], the state BEFORE each chunk
    [B, H, N, K, V], and the last state.
    """
    batch, fresh, states = len(state), [], []
    u, w, k_out, keep, state = (x.flatten(0, 1) for x in (u, w, k_out, keep, state))
    for n in range(u.shape[1]):
        states.append(state)
        fresh.append(torch.baddbmm(u[:, n], w[:, n], state, alpha=-1))
        state = torch.baddbmm(state * keep[:, n, None, None], k_out[:, n].mT, fresh[-1])
    whole, before = torch.stack(fresh, dim=1), torch.stack(states, dim=1)
    return whole.unflatten(0, (batch, -1)), before.unflatten(0, (batch, -1)), state.unflatten(0, (batch, -1))


def unit_lower_inverse(strict: Tensor) -> Tensor:
    """(I + A)^-1, A [..., C, C] strictly lower triangular, C = 2^n. Its gradient: two products."""
    return _UnitLowerInverse.apply(strict)  # pyright: ignore[reportReturnType]


class _UnitLowerInverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, strict: Tensor) -> Tensor:
        inverse = _invert(strict)
        ctx.save_for_backward(inverse)
        return inverse

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        """dA = -(X^T dX X^T), of which the strictly lower part is free. X is the inverse."""
        (inverse,) = ctx.saved_tensors
        return -(inverse.mT @ gradient @ inverse.mT).tril(-1)


def _invert(strict: Tensor) -> Tensor:
    """Blocks of two are I - A; pairs of blocks join: [[P, 0], [Q, R]]^-1 = [[P', 0], [-R'QP', R']].

    Blocks of 16 by (I - A)(I + A^2)(I + A^4)(I + A^8) would take as many products, but where keys are alike,
    as those of blank paper are, powers reach thousands and cancel to numbers near one: TF32 keeps nothing.
    """
    size = strict.shape[-1]
    blocks = _diagonal_blocks(strict, 2)
    inverse = torch.eye(2, dtype=strict.dtype, device=strict.device) - blocks
    while (width := inverse.shape[-1]) < size:
        top, bottom = inverse[..., 0::2, :, :], inverse[..., 1::2, :, :]
        joint = _diagonal_blocks(strict, 2 * width)[..., width:, :width]
        corner = -(bottom @ joint @ top)
        upper = torch.cat((top, torch.zeros_like(top)), dim=-1)
        inverse = torch.cat((upper, torch.cat((corner, bottom), dim=-1)), dim=-2)
    return inverse.squeeze(-3)


def _diagonal_blocks(x: Tensor, width: int) -> Tensor:
    tiles = x.unflatten(-1, (-1, width)).unflatten(-3, (-1, width))  # [..., row, width, column, width]
    return torch.diagonal(tiles, dim1=-4, dim2=-2).movedim(-1, -3)


def _prepare(q: Tensor, k: Tensor, v: Tensor, g: Tensor, beta: Tensor) -> tuple[Tensor, ...]:
    """Heads before tokens, fp32, q and k normalised, q scaled by K^-0.5, key heads repeated."""
    groups = v.shape[2] // k.shape[2]
    q, k = (x.float().repeat_interleave(groups, dim=2) if groups > 1 else x.float() for x in (q, k))
    q, k, v, g, beta = (x.transpose(1, 2).contiguous() for x in (q, k, v.float(), g.float(), beta.float()))
    return l2_normalise(q, q.shape[-1] ** -0.5), l2_normalise(k), v, g, beta


def _into_chunks(x: Tensor) -> Tensor:
    """[B, H, T, ...] -> [B * H * N, C, ...], padded with zeros, which change neither output nor state."""
    short = -x.shape[2] % CHUNK
    padded = F.pad(x, (0, 0, 0, short)) if x.dim() == 4 else F.pad(x, (0, short))
    return padded.unflatten(2, (-1, CHUNK)).flatten(0, 2)


def causal_conv(x: Tensor, window: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Depthwise causal convolution with silu. x [B, T, C]; window [B, k-1, C]; weight [C, 1, k].

    Channels stay last: k shifted products, no transpose of x. Returns y [B, T, C] and all columns
    [B, k - 1 + T, C]: the window after token t is columns [t + 1, t + k).
    """
    columns, taps, tokens = torch.cat((window.to(x.dtype), x), dim=1), weight[:, 0].T.contiguous(), x.shape[1]
    if tokens == 1:
        return F.silu((columns * taps).sum(1, keepdim=True)), columns
    y = columns[:, :tokens] * taps[0]
    for i in range(1, len(taps)):
        y.addcmul_(columns[:, i : i + tokens], taps[i])
    return F.silu(y), columns


def causal_attention(q: Tensor, k: Tensor, v: Tensor, visible: Tensor | None = None) -> Tensor:
    """The last T of S positions look back: q [B, H, T, D]; k, v [B, G, S, D]; `visible` [B, 1, T, S]."""
    new, seen = q.shape[2], k.shape[2]
    if visible is not None:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=visible, enable_gqa=True)
    if new == 1:  # the queries of a group share their keys: to the kernel they are rows of one matrix
        grouped = q.unflatten(1, (k.shape[1], -1)).squeeze(3)
        return F.scaled_dot_product_attention(grouped, k, v).flatten(1, 2).unsqueeze(2)
    if new == seen:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    mask = torch.ones(new, seen, dtype=torch.bool, device=q.device).tril(seen - new)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)


def experts_by_token(x: Tensor, gate_up: Tensor, down: Tensor, weights: Tensor, indices: Tensor) -> Tensor:
    """Mixture of experts, each expert on the tokens that chose it.

    x [T, D]; gate_up [E, 2I, D] (gate rows first); down [E, D, I]; weights, indices [T, top_k] -> [T, D].
    """
    order = indices.flatten().argsort(stable=True)
    counts = indices.flatten().bincount(minlength=gate_up.shape[0]).tolist()
    parts = []
    for expert, group in enumerate(x.index_select(0, order // indices.shape[-1]).split(counts)):
        if len(group):
            gate, up = F.linear(group, gate_up[expert]).chunk(2, dim=-1)
            parts.append(F.linear(F.silu(gate).mul_(up), down[expert]))
    places = order.argsort().view_as(indices)  # where each choice of each token went
    joined = torch.cat(parts)
    return F.embedding_bag(places, joined, per_sample_weights=weights.to(joined.dtype), mode="sum")


def fits_grouped(gate_up: Tensor, down: Tensor) -> bool:
    """What `grouped_mm` takes on a GPU: bf16, rows of a multiple of 16 bytes."""
    return gate_up.dtype is torch.bfloat16 and all(n % 8 == 0 for n in (gate_up.shape[2], down.shape[2]))


def experts_grouped(x: Tensor, gate_up: Tensor, down: Tensor, weights: Tensor, indices: Tensor) -> Tensor:
    """The same in two products over all experts: neither a loop nor, on a GPU, a wait for counts."""
    chosen, order = indices.flatten().sort(stable=True)
    every = torch.arange(gate_up.shape[0], device=x.device)
    ends = torch.searchsorted(chosen, every, right=True).int()  # of each expert's rows
    rows = x.index_select(0, order // indices.shape[-1])
    gate, up = F.grouped_mm(rows, gate_up.mT, offs=ends).chunk(2, dim=-1)
    joined = F.grouped_mm(F.silu(gate) * up, down.mT, offs=ends)
    places = order.argsort().view_as(indices)
    return F.embedding_bag(places, joined, per_sample_weights=weights.to(joined.dtype), mode="sum")


def experts_single(x: Tensor, gate_up: Tensor, down: Tensor, weights: Tensor, indices: Tensor) -> Tensor:
    """The same for one token, without sorting it into groups."""
    y = torch.zeros_like(x)
    for weight, expert in zip(weights[0], indices[0].tolist(), strict=True):
        gate, up = F.linear(x, gate_up[expert]).chunk(2, dim=-1)
        y = y + F.linear(F.silu(gate).mul_(up).mul_(weight), down[expert])
    return y


def experts_dense(x: Tensor, gate_up: Tensor, down: Tensor, weights: Tensor, indices: Tensor) -> Tensor:
    """The same with every expert on every token: no gather, no host sync; right for few experts on a GPU."""
    num_experts, width = gate_up.shape[0], down.shape[-1]
    share = x.new_zeros(x.shape[0], num_experts).scatter(1, indices, weights.to(x.dtype))
    gate, up = F.linear(x, gate_up.flatten(0, 1)).unflatten(-1, (num_experts, 2 * width)).chunk(2, dim=-1)
    hidden = F.silu(gate) * up * share[..., None]
    return F.linear(hidden.flatten(-2), down.permute(1, 0, 2).flatten(1))
