"""What the Triton kernels of a decode step share: how they are launched, and the norm before a product.

Overlap ("programmatic dependent launch", Hopper and later): a kernel starts while the one before it ends,
loads what no kernel shortly before it writes (its weights), and only then waits for its inputs. It lets the
next one start after its own wait, so whatever is older than the kernel before it is complete when it begins.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

TILE = 8192  # weights that one program of four warps reads at once: 16 KB in bf16
OVERLAP = [True]  # one cell, so that a benchmark can measure what overlap gives


@triton.jit
def begin(OVERLAP: tl.constexpr):
    """From here on, what earlier kernels wrote may be read, and the next kernel may start."""
    if OVERLAP:
        gdc_wait()
        gdc_launch_dependents()


@triton.jit
def normalise(b_x, b_w, dim, eps, OFFSET: tl.constexpr, DTYPE: tl.constexpr):
    """Row b_x in fp32, zero beyond `dim` -> its RMSNorm, rounded to DTYPE where the reference rounds."""
    b_x = b_x * tl.rsqrt(tl.sum(b_x * b_x) / dim + eps)
    if OFFSET:
        return (b_x * (1.0 + b_w)).to(DTYPE).to(tl.float32)
    return (b_x.to(DTYPE).to(tl.float32) * b_w).to(DTYPE).to(tl.float32)


def padded(size: int) -> int:
    """A block has a power of two of elements."""
    return int(triton.next_power_of_2(size))


def tile(rows_dim: int) -> tuple[int, int]:
    """Rows and columns of the weights that one program reads at once, for rows of so many numbers."""
    columns = min(padded(rows_dim), TILE)
    return min(max(TILE // columns, 1), 64), columns


def options(x: Tensor) -> dict[str, Any]:
    """The last arguments of every kernel."""
    if x.is_cuda and OVERLAP[0] and torch.cuda.get_device_capability(x.device) >= (9, 0):
        return {"OVERLAP": True, "launch_pdl": True}
    return {"OVERLAP": False}
