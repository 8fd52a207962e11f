"""Interleaved multimodal rotary positions (mRoPE). Knows angles and positions; knows nothing of layers.

Shapes: B batch, T tokens, R rotary dims (head_dim * partial_rotary_factor), 3 axes (time, height, width).
"""

import torch
from torch import Tensor, nn

from .config import TextConfig


class RotaryEmbedding(nn.Module):
    """Cos and sin tables for positions [3, B, T].

    Frequency i of R/2 turns by the height if i % 3 == 1 and i < 3 * section[1], by the width if i % 3 == 2
    and i < 3 * section[2], otherwise by time.
    """

    axis: Tensor

    def __init__(self, config: TextConfig):
        super().__init__()
        self.num_frequencies, self.theta = config.rotary_dim // 2, config.rope.theta
        self.register_buffer(
            "axis", _frequency_axes(self.num_frequencies, config.rope.mrope_section), persistent=False
        )

    def forward(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """positions [3, B, T] -> cos, sin, each [B, T, R] in fp32."""
        per_frequency = positions.permute(1, 2, 0).float()[..., self.axis]
        angles = per_frequency * self.inv_freq(positions.device)
        angles = torch.cat((angles, angles), dim=-1)
        return angles.cos(), angles.sin()

    def inv_freq(self, device: torch.device) -> Tensor:
        """[R/2] in fp32. Not a buffer: a cast of the whole module to bf16 would round the frequencies."""
        exponent = (
            torch.arange(self.num_frequencies, device=device, dtype=torch.float32) / self.num_frequencies
        )
        return self.theta**-exponent


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
    """
    grids = [(h // merge_size, w // merge_size) for t, h, w in grid_thw.tolist() for _ in range(t)]
    is_visual = torch.isin(input_ids.cpu(), torch.tensor(visual_token_ids)).tolist()
    blocks, start, index, frame = [], 0, 0, 0
    while index < len(is_visual):
        if is_visual[index]:
            h, w = grids[frame]
            blocks.append(_grid_positions(start, h, w))
            index, start, frame = index + h * w, start + max(h, w), frame + 1
        else:
            run = _text_run(is_visual, index)
            blocks.append(torch.arange(start, start + run).expand(3, run))
            index, start = index + run, start + run
    return torch.cat(blocks, dim=1).to(input_ids.device), start


def _grid_positions(start: int, h: int, w: int) -> Tensor:
    rows = torch.arange(h).repeat_interleave(w)
    columns = torch.arange(w).repeat(h)
    return start + torch.stack((torch.zeros_like(rows), rows, columns))


def _text_run(is_visual: list[bool], index: int) -> int:
    end = index
    while end < len(is_visual) and not is_visual[end]:
        end += 1
    return end - index
