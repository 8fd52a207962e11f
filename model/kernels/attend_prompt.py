"""Attention of many tokens on a GPU: which of two ways computes it, and cuDNN in parts of few shapes.

Knows nothing of caches: the last T of S positions look back, as in `reference.causal_attention`. Shapes: B
batch, H query heads, G key and value heads, T new tokens, S all tokens, D head dim.
"""

from functools import cache
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from . import attend_tiles
from .attend_tiles import join

Choice = Literal["flash", "cudnn", "triton"]
CHOICE: Choice = "flash"  # torch's own, by `kernels.causal_attention`, until both have been timed on a card
BLOCK = 8192  # keys of a prefix that cuDNN takes at once
FEW = 64  # new tokens up to which cuDNN would mostly compute padding
SHARED = 226 * 1024  # bytes that a program must be allowed to hold: those of an H100 or H200


def fits(q: Tensor, k: Tensor, v: Tensor) -> bool:
    """Whether `attend` takes these."""
    return (
        CHOICE != "flash"
        and q.is_cuda
        and q.dtype in (torch.bfloat16, torch.float16)
        and q.shape[3] in (64, 128, 256)
        and q.shape[2] > (FEW if CHOICE == "cudnn" else 1)
        and q.shape[2] <= k.shape[2]
        and all(x.stride(3) == 1 and x.dtype is q.dtype for x in (q, k, v))
        and _has_room(q.device)
    )


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """See `reference.causal_attention`."""
    return in_parts(q, k, v) if CHOICE == "cudnn" else attend_tiles.attend(q, k, v)


def in_parts(q: Tensor, k: Tensor, v: Tensor, block: int = BLOCK) -> Tensor:
    """Whole blocks of the prefix and the new tokens among themselves by cuDNN, the prefix's rest by flash.

    cuDNN plans each combination of sizes and strides anew, which takes long: so queries are padded to few
    lengths, and keys are copied, for the strides of a buffer change with its capacity.
    """
    new = q.shape[2]
    before = k.shape[2] - new
    whole = before // block * block
    padding = padded_tokens(new) - new
    q_wide, k_own, v_own = (F.pad(x, (0, 0, 0, padding)) for x in (q, k[:, :, before:], v[:, :, before:]))
    q_wide = q_wide.contiguous()
    # Blocks last: what Triton compiles depends on which strides stand where, not on how many there are.
    parts = [cudnn(q_wide, k_own.contiguous(), v_own.contiguous(), causal=True)]
    if whole < before:
        parts.append(flash(q, k[:, :, whole:before], v[:, :, whole:before]))
    for start in range(0, whole, block):
        k_block, v_block = (x[:, :, start : start + block].contiguous() for x in (k, v))
        parts.append(cudnn(q_wide, k_block, v_block))
    return join([out[:, :, :new] for out, _ in parts], [total[:, :, :new] for _, total in parts])


def padded_tokens(new: int) -> int:
    step = 256 if new <= 2048 else 2048
    return -(-new // step) * step


def cudnn(q: Tensor, k: Tensor, v: Tensor, causal: bool = False) -> tuple[Tensor, Tensor]:
    """out [B, H, T, D] and log-sum-exps [B, H, T]; causal from the first token on, whatever the lengths."""
    rule = torch.ops.aten._scaled_dot_product_cudnn_attention
    out, total, *_ = rule(q, k, v, None, True, 0.0, causal)
    return out, total.reshape(
        q.shape[:3]
    )  # torch had a last dim of 1 there, and has it no longer in some versions


def flash(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    out, total, *_ = torch.ops.aten._scaled_dot_product_flash_attention(q, k, v, 0.0, False)
    return out, total


@cache
def _has_room(device: torch.device) -> bool:
    return torch.cuda.get_device_properties(device).shared_memory_per_block_optin >= SHARED
