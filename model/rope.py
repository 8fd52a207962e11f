"""Interleaved multimodal rotary positions (mRoPE). Knows angles and positions; knows nothing of layers.

Shapes: B batch, T tokens, R rotary dims (head_dim * partial_rotary_factor), 3 axes (time, height, width).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import ContextError
from .config import TextConfig, YarnConfig

Rotary = tuple[Tensor, Tensor]  # cos, sin [B, T, R]


class RotaryEmbedding(nn.Module):
    """Cos and sin tables for positions [3, B, T].

    Frequency i of R/2 turns by the height if i % 3 == 1 and i < 3 * section[1], by the width if i % 3 == 2
    and i < 3 * section[2], otherwise by time.
    """

    axis: Tensor

    def __init__(self, config: TextConfig):
        super().__init__()
        self.num_frequencies, self.theta = config.rotary_dim // 2, config.rope.theta
        self.yarn = config.rope.yarn
        self.register_buffer(
            "axis", _frequency_axes(self.num_frequencies, config.rope.mrope_section), persistent=False
        )

    def forward(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """positions [3, B, T] -> cos, sin, each [B, T, R] in fp32."""
        per_frequency = positions.permute(1, 2, 0).float()[..., self.axis]
        angles = per_frequency * self.inv_freq(positions.device)
        angles = torch.cat((angles, angles), dim=-1)
        scale = self.yarn.attention_scale if self.yarn else 1.0
        return angles.cos() * scale, angles.sin() * scale

    def inv_freq(self, device: torch.device) -> Tensor:
        """[R/2] in fp32. Not a buffer: a cast of the whole module to bf16 would round the frequencies."""
        index = torch.arange(self.num_frequencies, device=device, dtype=torch.float32)
        inv_freq = self.theta ** -(index / self.num_frequencies)
        return _stretched(inv_freq, self.theta, self.yarn) if self.yarn else inv_freq


def _stretched(inv_freq: Tensor, theta: float, yarn: YarnConfig) -> Tensor:
    """YaRN (Peng et al., 2023): slow frequencies are divided by the factor, fast ones kept, ramp between."""
    half, turns = len(inv_freq), yarn.original_max_position_embeddings / (2 * math.pi)
    low, high = (half * math.log(turns / beta) / math.log(theta) for beta in (yarn.beta_fast, yarn.beta_slow))
    if yarn.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, 2 * half - 1)
    width = high - low or 0.001
    index = torch.arange(half, device=inv_freq.device, dtype=torch.float32)
    slow = ((index - low) / width).clamp(0, 1)
    return inv_freq / yarn.factor * slow + inv_freq * (1 - slow)


def _frequency_axes(half: int, section: tuple[int, ...]) -> Tensor:
    axes = torch.zeros(half, dtype=torch.long, device="cpu")  # real even when the module is built on "meta"
    for axis in (1, 2):
        axes[axis : 3 * section[axis] : 3] = axis
    return axes


def rotate_half(x: Tensor) -> Tensor:
    a, b = x.chunk(2, dim=-1)
    return torch.cat((-b, a), dim=-1)


def apply_rotary(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate the first R of the last dim of x [B, T, H, D] by cos, sin [B, T, R]; the rest pass."""
    rotary_dim = cos.shape[-1]
    cos, sin = cos.unsqueeze(-2).to(x.dtype), sin.unsqueeze(-2).to(x.dtype)
    turned, passed = x[..., :rotary_dim], x[..., rotary_dim:]
    return torch.cat((turned * cos + rotate_half(turned) * sin, passed), dim=-1)


def mrope_positions(
    input_ids: Tensor, visual_token_ids: tuple[int, ...], grid_thw: Tensor, merge_size: int
) -> tuple[Tensor, int]:
    """Positions [3, T] of one sequence, and the position of the token after it.

    Text advances all three axes. A visual block that starts at p has time p, height p + row, width p + column
    on the merged grid, and the next position is p + max(h, w). Frames of a video are separate blocks.
    `grid_thw` [pictures and videos, 3] in reading order. Raises ContextError unless it fits the tokens.
    """
    ids, grids = input_ids.cpu().numpy(), grid_thw.cpu().numpy()
    sides = grids[:, 1:].repeat(grids[:, 0], axis=0) // merge_size  # [frames, 2]
    is_visual = np.any([ids == token for token in visual_token_ids], axis=0)
    places, area = np.flatnonzero(is_visual), sides.prod(1)
    ends = area.cumsum()
    if len(places) != area.sum() or (places[ends - 1] - places[ends - area] + 1 != area).any():
        raise _misfit(len(places), area)
    positions, end, start = np.empty((3, len(ids)), np.int64), 0, 0
    for first, (h, w) in zip(places[ends - area].tolist(), sides.tolist(), strict=True):
        positions[:, end:first] = np.arange(start, start + first - end)
        start, end = start + first - end, first + h * w
        positions[:, first:end] = start + _grid_positions(h, w)
        start += max(h, w)
    positions[:, end:] = np.arange(start, start + len(ids) - end)
    return torch.from_numpy(positions).to(input_ids.device), start + len(ids) - end


@dataclass(frozen=True)
class PaddedBatch:
    """Sequences of different lengths as one batch, with pads at the left, whose positions are 0."""

    input_ids: Tensor  # [B, T]
    positions: Tensor  # [3, B, T]
    next_positions: Tensor  # [B], the position of the token after the last
    padding: Tensor  # [B], for `HybridCache`


def left_padded(
    sequences: Sequence[Tensor], visual_token_ids: tuple[int, ...], grids: Sequence[Tensor], merge_size: int
) -> PaddedBatch:
    """sequences: ids [T_i]; grids: the `grid_thw` of each. A pad is token 0, which nothing reads."""
    length = max(len(ids) for ids in sequences)
    padding = [length - len(ids) for ids in sequences]
    rows = [
        mrope_positions(ids, visual_token_ids, grid, merge_size)
        for ids, grid in zip(sequences, grids, strict=True)
    ]
    device = sequences[0].device
    return PaddedBatch(
        torch.stack([F.pad(ids, (pads, 0)) for ids, pads in zip(sequences, padding, strict=True)]),
        torch.stack([F.pad(row, (pads, 0)) for (row, _), pads in zip(rows, padding, strict=True)], dim=1),
        torch.tensor([after for _, after in rows], device=device),
        torch.tensor(padding, device=device),
    )


def _misfit(tokens: int, area: np.ndarray) -> ContextError:
    return ContextError(
        f"the prompt has {tokens} picture tokens, but its {len(area)} pictures and video frames take "
        f"{area.sum()}: give each picture once, and write one unbroken run of placeholders for it"
    )


@lru_cache(maxsize=64)  # a conversation's screenshots are of one size; nobody writes into the result
def _grid_positions(h: int, w: int) -> np.ndarray:
    return np.indices((1, h, w)).reshape(3, -1)
