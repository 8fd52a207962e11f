"""How many bytes the state of a sequence takes, and how many there are. Knows sizes, not contents."""

import os

import torch

from .cache import slots
from .vlm import VisionLanguageModel


def state_bytes(model: VisionLanguageModel, tokens: int) -> int:
    """The most that the state after so many tokens takes: buffers have room to grow, states of DeltaNet do
    not."""
    text = model.config.text
    attention = text.layer_types.count("full_attention") + text.mtp_num_hidden_layers
    columns = text.linear_conv_kernel_dim - 1
    return _row_bytes(model, attention, slots(tokens), columns)


def static_bytes(model: VisionLanguageModel, rows: int, capacity: int) -> int:
    """A static cache (`stepping.StaticCache`), its table of angles included."""
    text = model.config.text
    attention = text.layer_types.count("full_attention")
    row = _row_bytes(model, attention, capacity, text.linear_conv_kernel_dim)
    return rows * row + capacity * text.rotary_dim * 4


def _row_bytes(model: VisionLanguageModel, attention: int, slots: int, columns: int) -> int:
    """One sequence: keys and values in so many layers, windows of so many columns, recurrent states."""
    text, width = model.config.text, model.language_model.embed_tokens.weight.dtype.itemsize
    keys = 2 * text.num_key_value_heads * text.head_dim * width * slots
    k, v = (
        text.linear_num_key_heads * text.linear_key_head_dim,
        text.linear_num_value_heads * text.linear_value_head_dim,
    )
    recurrent = 4 * text.linear_key_head_dim * v + columns * (2 * k + v) * width
    return attention * keys + text.layer_types.count("linear_attention") * recurrent


def free_bytes(device: torch.device) -> int:
    """Memory of the device that nobody uses now."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):  # not every system says
        return 4 * 2**30


def human(nbytes: float) -> str:
    """1536 -> "1.5 KiB"."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if nbytes < 1024 or unit == "GiB":
            break
        nbytes /= 1024
    return f"{nbytes:.0f} {unit}" if unit == "B" else f"{nbytes:.1f} {unit}"
