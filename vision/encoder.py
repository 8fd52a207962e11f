"""The vision encoder: patches -> visual tokens for the language model, with DeepStack taps on the way.

Shapes: P patches of all frames (in merge-block order), D vision dim, H heads, n = P / merge^2 tokens, M model
dim.
Attention is full within one frame, so no mask is ever built.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class VisionFeatures:
    tokens: Tensor  # [n, M]
    deepstack: tuple[Tensor, ...] = ()  # each [n, M], one per tap


def linear_gelu(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.gelu(F.linear(x, weight, bias), approximate="tanh")


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """(a, b) -> (a cos - b sin, b cos + a sin) of the halves of x [P, H, D / H], in fp32."""
    a, b = x.float().chunk(2, dim=-1)
    cos, sin = (t[:, None, : a.shape[-1]] for t in (cos, sin))  # the halves share their angles
    left = torch.addcmul(a * cos, b, sin, value=-1)
    right = torch.addcmul(b * cos, a, sin)
    return torch.cat((left, right), dim=-1).to(x.dtype)


class Operations(NamedTuple):
    """What a caller may know faster ways for, with the same meaning."""

    linear_gelu: Callable[[Tensor, Tensor, Tensor], Tensor] = linear_gelu
    rotate: Callable[[Tensor, Tensor, Tensor], Tensor] = rotate
    attention: Callable[[Tensor, Tensor, Tensor], Tensor] = F.scaled_dot_product_attention


PLAIN = Operations()


class VisionEncoder(nn.Module):
    """`config` is any object with the fields of `model.config.VisionConfig`."""

    def __init__(self, config: Any, operations: Operations = PLAIN):
        super().__init__()
        self.config = config
        self.patch_embed = PatchEmbedding(config)
        self.pos_embed = nn.Embedding(config.num_position_embeddings, config.hidden_size)
        self.blocks = nn.ModuleList(VisionBlock(config, operations) for _ in range(config.depth))
        self.merger = PatchMerger(config, norm_after_merge=False)
        self.deepstack_merger_list = nn.ModuleList(
            PatchMerger(config, norm_after_merge=True) for _ in config.deepstack_visual_indexes
        )

    def forward(self, pixel_values: Tensor, grid_thw: Tensor) -> VisionFeatures:
        """pixel_values [P, C*T*p*p]; grid_thw [images, 3] in patches. Shapes are the caller's care."""
        x_PD, taps = self.encode_patches(pixel_values, grid_thw)
        deepstack = [merge(tap) for merge, tap in zip(self.deepstack_merger_list, taps, strict=True)]
        return VisionFeatures(self.merger(x_PD), tuple(deepstack))

    def encode_patches(self, pixel_values: Tensor, grid_thw: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The states of all patches after the last block, and after each DeepStack block."""
        grids = [tuple(int(n) for n in grid) for grid in grid_thw.tolist()]
        x_PD = self.patch_embed(pixel_values) + self._positions(grids)
        rotary = self._rotary(grids, x_PD.device)
        frames = [h * w for t, h, w in grids for _ in range(t)]
        taps = []
        for i, block in enumerate(self.blocks):
            x_PD = block(x_PD, rotary, frames)
            if i in self.config.deepstack_visual_indexes:
                taps.append(x_PD)
        return x_PD, taps

    def _positions(self, grids: list[tuple[int, ...]]) -> Tensor:
        """Learned positions, resampled bilinearly (corners aligned) to each grid, repeated for each frame."""
        side = int(self.config.num_position_embeddings**0.5)
        # As channels last, which torch must recognise by the strides: fifty times as fast on a GPU.
        table = self.pos_embed.weight.view(1, side, side, -1).permute(0, 3, 1, 2).float()
        merge, sizes = self.config.spatial_merge_size, {}
        for t, *size in dict.fromkeys(grids):  # pictures of one size share their positions
            resampled = F.interpolate(table, size=size, mode="bilinear", align_corners=True)[0]
            sizes[t, *size] = _merge_order(resampled.permute(1, 2, 0), merge).repeat(t, 1)
        return torch.cat([sizes[grid] for grid in grids]).to(self.pos_embed.weight.dtype)

    def _rotary(self, grids: list[tuple[int, ...]], device: torch.device) -> tuple[Tensor, Tensor]:
        """Angles [h | w | h | w] of each patch, theta 1e4, fp32: cos, sin [P, D / H]."""
        head_dim = self.config.hidden_size // self.config.num_heads
        quarter = torch.arange(head_dim // 4, device=device, dtype=torch.float32)
        inv_freq = 1e4 ** -(quarter / (head_dim // 4))
        merge = self.config.spatial_merge_size
        rows = {(t, h, w): _patch_coordinates(h, w, merge, device).repeat(t, 1) for t, h, w in set(grids)}
        angles = (torch.cat([rows[t, h, w] for t, h, w in grids])[:, :, None] * inv_freq).flatten(1)
        angles = torch.cat((angles, angles), dim=-1)
        return angles.cos(), angles.sin()


class PatchEmbedding(nn.Module):
    """A 3D convolution whose stride is its kernel, run as the matrix product it is."""

    def __init__(self, config: Any):
        super().__init__()
        kernel = (config.temporal_patch_size, config.patch_size, config.patch_size)
        self.proj = nn.Conv3d(config.in_channels, config.hidden_size, kernel, stride=kernel)

    def forward(self, pixel_values: Tensor) -> Tensor:
        weight = self.proj.weight.flatten(1)
        return F.linear(pixel_values.to(weight.dtype), weight, self.proj.bias)


class VisionBlock(nn.Module):
    def __init__(self, config: Any, operations: Operations):
        super().__init__()
        self.norm1 = nn.LayerNorm(config.hidden_size, eps=1e-6)
        self.norm2 = nn.LayerNorm(config.hidden_size, eps=1e-6)
        self.attn = VisionAttention(config.hidden_size, config.num_heads, operations)
        self.mlp = VisionMLP(config.hidden_size, config.intermediate_size, operations)

    def forward(self, x_PD: Tensor, rotary: tuple[Tensor, Tensor], frames: list[int]) -> Tensor:
        x_PD = x_PD + self.attn(self.norm1(x_PD), rotary, frames)
        return x_PD + self.mlp(self.norm2(x_PD))


class VisionAttention(nn.Module):
    def __init__(self, hidden_size: int, num_heads: int, operations: Operations):
        super().__init__()
        self.operations = operations
        self.num_heads = num_heads
        self.qkv = nn.Linear(hidden_size, 3 * hidden_size)
        self.proj = nn.Linear(hidden_size, hidden_size)

    def forward(self, x_PD: Tensor, rotary: tuple[Tensor, Tensor], frames: list[int]) -> Tensor:
        heads = self.num_heads
        qk, v = self.qkv(x_PD).unflatten(-1, (3 * heads, -1)).split((2 * heads, heads), dim=1)
        q, k = self.operations.rotate(qk, *rotary).split(heads, dim=1)
        return self.proj(_attend_within_frames(q, k, v, frames, self.operations.attention).flatten(-2))


class VisionMLP(nn.Module):
    def __init__(self, hidden_size: int, intermediate_size: int, operations: Operations):
        super().__init__()
        self.operations = operations
        self.linear_fc1 = nn.Linear(hidden_size, intermediate_size)
        self.linear_fc2 = nn.Linear(intermediate_size, hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear_fc2(self.operations.linear_gelu(x, self.linear_fc1.weight, self.linear_fc1.bias))


class PatchMerger(nn.Module):
    """Concatenates merge x merge patches into one token. DeepStack mergers norm after the concatenation."""

    def __init__(self, config: Any, norm_after_merge: bool):
        super().__init__()
        self.merged_size = config.hidden_size * config.spatial_merge_size**2
        self.norm = nn.LayerNorm(self.merged_size if norm_after_merge else config.hidden_size, eps=1e-6)
        self.linear_fc1 = nn.Linear(self.merged_size, self.merged_size)
        self.linear_fc2 = nn.Linear(self.merged_size, config.out_hidden_size)

    def forward(self, x_PD: Tensor) -> Tensor:
        shaped = x_PD.view(-1, *self.norm.normalized_shape)
        merged = self.norm(shaped).view(-1, self.merged_size)
        return self.linear_fc2(F.gelu(self.linear_fc1(merged)))


def _attend_within_frames(q: Tensor, k: Tensor, v: Tensor, frames: list[int], attention) -> Tensor:
    """q, k, v [P, H, D / H]; neighbouring frames of one size go through attention as one batch."""
    out, start = [], 0
    for size, run in groupby(frames):
        count = len(list(run))
        batch = slice(start, start + count * size)
        q_h, k_h, v_h = (x[batch].unflatten(0, (count, size)).transpose(1, 2) for x in (q, k, v))
        out.append(attention(q_h, k_h, v_h).transpose(1, 2).flatten(0, 1))
        start += count * size
    return out[0] if len(out) == 1 else torch.cat(out)


def _merge_order(grid: Tensor, merge: int) -> Tensor:
    """[h, w, D] -> [h * w, D] in the order (block-row, block-column, in-row, in-column)."""
    h, w, dim = grid.shape
    blocks = grid.view(h // merge, merge, w // merge, merge, dim)
    return blocks.transpose(1, 2).reshape(h * w, dim)


def _patch_coordinates(h: int, w: int, merge: int, device: torch.device) -> Tensor:
    rows, columns = torch.meshgrid(
        torch.arange(h, device=device), torch.arange(w, device=device), indexing="ij"
    )
    return _merge_order(torch.stack((rows, columns), dim=-1), merge).float()
