"""DeepStack for references that have none: the hybrids of `transformers`, with Qwen3-VL's taps added."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from saccade.vision.encoder import VisionEncoder
from torch import Tensor


@contextmanager
def added_taps(reference: Any, ours: VisionEncoder, pixels: Tensor, grid: Tensor, visual: Tensor) -> Iterator:
    """Within it the reference's decoder layers add the taps of these pictures at `visual` [B, T, 1].

    The mergers are those of `transformers`' Qwen3-VL, with the weights of ours.
    """
    from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLVisionPatchMerger

    taps: list[Tensor] = []
    blocks = ours.config.deepstack_visual_indexes

    def tap(module: Any, args: Any, x: Tensor) -> None:
        merger = Qwen3VLVisionPatchMerger(reference.config.vision_config, use_postshuffle_norm=True)
        merger.load_state_dict(ours.deepstack_merger_list[len(taps)].state_dict())
        features = merger(x)
        blank = torch.zeros(*visual.shape[:2], features.shape[-1])
        taps.append(blank.masked_scatter(visual, features))

    with ExitStack() as hooks:
        for block in blocks:
            hooks.callback(reference.model.visual.blocks[block].register_forward_hook(tap).remove)
        reference.model.visual(pixels, grid_thw=grid)
    with ExitStack() as hooks:
        for layer, added in zip(reference.model.language_model.layers, taps, strict=False):
            hooks.callback(layer.register_forward_hook(lambda _, __, x, added=added: x + added).remove)
        yield
