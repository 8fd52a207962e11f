"""Which number format the weights get where nobody says.

A GPU takes what the checkpoint has. A CPU takes fp32, except for a large bf16 checkpoint on a processor that
multiplies bf16 itself and adds up in fp32: there half the bytes pay off, see docs/LOG.md. Keeping bf16 and
widening before each product was measured as well, and is slower than either everywhere.
"""

from pathlib import Path

import torch

LARGE_BYTES = 10**9  # of weights: below, a token costs calls rather than bytes


def usual_dtype(folder: Path, device: torch.device) -> torch.dtype | None:
    """The format for the checkpoint in `folder`; None is the checkpoint's own."""
    if device.type != "cpu":
        return None
    large = sum(file.stat().st_size for file in folder.glob("*.safetensors")) > LARGE_BYTES
    # fp16 sums overflow, and no CPU of today multiplies it faster; an FP8 checkpoint becomes bf16.
    return torch.bfloat16 if large and multiplies_bfloat16() else torch.float32


def multiplies_bfloat16() -> bool:
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
