"""Triton: one token of a DeltaNet layer between its projections, in one pass over the state.

One program per value head: convolution, gates, delta rule and gated norm, with the head's state in registers.
Same signature and meaning as `step_reference.delta_step`. Shapes: B rows, C = 2GK + HV channels, G key heads
of K dims, H value heads of V dims.
"""

import triton
import triton.language as tl
from torch import Tensor

from .launch import begin, options, padded
from .reference import MixWeights


@triton.jit
def _past(p_conv, p_window, step, o_c, inside, C, TAPS: tl.constexpr):
    """What the older columns of the ring give to channels o_c of the convolution."""
    b_sum = tl.zeros(o_c.shape, tl.float32)
    for tap in tl.static_range(TAPS - 1):  # type: ignore[misc]
        b_old = tl.load(p_window + ((step + 1 + tap) % TAPS) * C + o_c, inside, 0.0).to(tl.float32)
        b_sum += b_old * tl.load(p_conv + o_c * TAPS + tap, inside, 0.0).to(tl.float32)
    return b_sum


@triton.jit
def _convolve(b_past, b_tap, p_y, p_column, o_c, inside):
    """With the new column, and its silu; the column becomes the latest in the ring.

    Two value heads that share a key head write the same column, and read only older ones.
    """
    b_new = tl.load(p_y + o_c, inside, 0.0)
    b_sum = b_past + b_new.to(tl.float32) * b_tap
    tl.store(p_column + o_c, b_new, inside)
    return b_sum * tl.sigmoid(b_sum)


@triton.jit(do_not_specialize_on_alignment=["p_steps"])
def _delta_step(p_y, p_conv, p_a_log, p_dt_bias, p_norm, p_window, p_state, p_steps, p_out, C, eps, scale,
                G: tl.constexpr, H: tl.constexpr, K: tl.constexpr, V: tl.constexpr, TAPS: tl.constexpr,
                BLOCK_K: tl.constexpr, BLOCK_V: tl.constexpr, OVERLAP: tl.constexpr):  # fmt: skip
    i_h, i_b = tl.program_id(0), tl.program_id(1).to(tl.int64)
    i_g = i_h // (H // G)
    o_k, o_v = tl.arange(0, BLOCK_K), tl.arange(0, BLOCK_V)
    in_k, in_v = o_k < K, o_v < V
    p_state += (i_b * H + i_h) * K * V
    o_kv, in_kv = o_k[:, None] * V + o_v[None, :], in_k[:, None] & in_v[None, :]
    b_state = tl.load(p_state + o_kv, in_kv, 0.0)
    b_norm = tl.load(p_norm + o_v, in_v, 0.0).to(tl.float32)
    decay_rate = tl.exp(tl.load(p_a_log + i_h).to(tl.float32))
    dt_bias = tl.load(p_dt_bias + i_h).to(tl.float32)
    step = tl.load(p_steps + i_b)
    p_y += i_b * (C + H * V + 2 * H)
    p_window += i_b * TAPS * C
    o_q, o_key, o_value = i_g * K + o_k, (G + i_g) * K + o_k, 2 * G * K + i_h * V + o_v
    b_q = _past(p_conv, p_window, step, o_q, in_k, C, TAPS)
    b_k = _past(p_conv, p_window, step, o_key, in_k, C, TAPS)
    b_v = _past(p_conv, p_window, step, o_value, in_v, C, TAPS)
    p_tap, p_column = p_conv + TAPS - 1, p_window + (step % TAPS) * C
    b_q_tap = tl.load(p_tap + o_q * TAPS, in_k, 0.0).to(tl.float32)
    b_k_tap = tl.load(p_tap + o_key * TAPS, in_k, 0.0).to(tl.float32)
    b_v_tap = tl.load(p_tap + o_value * TAPS, in_v, 0.0).to(tl.float32)
    begin(OVERLAP)
    b_q = _convolve(b_q, b_q_tap, p_y, p_column, o_q, in_k)
    b_k = _convolve(b_k, b_k_tap, p_y, p_column, o_key, in_k)
    b_v = _convolve(b_v, b_v_tap, p_y, p_column, o_value, in_v)
    b_q = b_q * (tl.rsqrt(tl.sum(b_q * b_q) + 1e-6) * scale)
    b_k = b_k * tl.rsqrt(tl.sum(b_k * b_k) + 1e-6)
    b_z = tl.load(p_y + C + i_h * V + o_v, in_v, 0.0).to(tl.float32)
    beta = tl.sigmoid(tl.load(p_y + C + H * V + i_h).to(tl.float32))
    gate = tl.load(p_y + C + H * V + H + i_h).to(tl.float32) + dt_bias
    gate = tl.where(gate > 20.0, gate, tl.log(1.0 + tl.exp(tl.minimum(gate, 20.0))))  # softplus
    b_state = b_state * tl.exp(-decay_rate * gate)
    b_delta = beta * (b_v - tl.sum(b_state * b_k[:, None], 0))
    b_state += b_k[:, None] * b_delta[None, :]
    tl.store(p_state + o_kv, b_state, in_kv)
    b_o = tl.sum(b_state * b_q[:, None], 0)
    b_o = b_o * tl.rsqrt(tl.sum(b_o * b_o) / V + eps) * b_norm * b_z * tl.sigmoid(b_z)
    tl.store(p_out + (i_b * H + i_h) * V + o_v, b_o.to(p_out.dtype.element_ty), in_v)


def delta_step(
    mixed: Tensor, weights: MixWeights, eps: float, key_heads: int, window: Tensor, state: Tensor,
    steps: Tensor,
) -> Tensor:  # fmt: skip
    """See `step_reference.delta_step`."""
    batch, heads, key_dim, value_dim = state.shape
    out, taps, channels = mixed.new_empty(batch, heads * value_dim), window.shape[1], window.shape[2]
    sizes = {"G": key_heads, "H": heads, "K": key_dim, "V": value_dim, "TAPS": taps}
    blocks = {"BLOCK_K": padded(key_dim), "BLOCK_V": padded(value_dim)}
    # Four warps, Triton's default: with eight the compiler would rather load q and k again in each thread.
    _delta_step[(heads, batch)](
        mixed, weights.conv, weights.A_log, weights.dt_bias, weights.norm, window, state, steps, out,
        channels, eps, key_dim**-0.5, **sizes, **blocks, **options(mixed),
    )  # fmt: skip
    return out
