"""What a CPU does better in another way than the plain references, with the same meaning.

Shapes: B batch, H query heads, G key/value heads, T new tokens, S all tokens, D head dim.
"""

import torch
from torch import Tensor


def attention_behind_prefix(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """`reference.causal_attention` for T < S without a mask: a mask of T x S costs as much as the rest.

    All queries see the whole prefix, and the queries of a group share its keys, so to the kernel they are the
    rows of one matrix; among themselves they are causal. Two softmaxes join by the logarithms of their sums.
    """
    batch, heads, new, dim = q.shape
    groups, before = k.shape[1], k.shape[2] - new
    flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    shared = q.reshape(batch, groups, -1, dim)
    seen, seen_log = (
        x.reshape(batch, heads, new, -1) for x in flash(shared, k[:, :, :before], v[:, :, :before])
    )
    k_new, v_new = (x[:, :, before:].repeat_interleave(heads // groups, dim=1) for x in (k, v))
    own, own_log = (x.reshape(batch, heads, new, -1) for x in flash(q, k_new, v_new, 0.0, True))
    return own.lerp(seen, torch.sigmoid(seen_log - own_log).to(own.dtype))
