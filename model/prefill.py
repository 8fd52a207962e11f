"""Prompt -> the logits of its last token, starting from the longest prefix whose state is still known.

A DeltaNet state cannot be cut back, so states are kept where the next prompt is likely to branch off: where
this prompt left the last one, and where the turn begins that the model is to write.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from ..vision.encoder import VisionFeatures
from .cache import HybridCache
from .rope import mrope_positions
from .vlm import VisionLanguageModel

PIECE_TOKENS = 4096  # in one forward: bounds the memory of a long prompt
KEPT_PREFIXES = 3

Key = tuple[int | str, ...]  # one entry per token: its id, or the fingerprint of its picture


@dataclass(frozen=True)
class PictureSlot:
    """A picture of the prompt: its fingerprint, its grid (time, height, width) in patches, its tokens."""

    name: str
    grid: tuple[int, int, int]
    tokens: int


class PrefixCache:
    """The states after prefixes of earlier prompts, the most recently used last."""

    def __init__(self) -> None:
        self.last: Key = ()
        self._entries: list[tuple[Key, HybridCache]] = []

    def longest(self, key: Key) -> tuple[int, HybridCache | None]:
        """Length and state of the longest known prefix of `key`."""
        fitting = [entry for entry in self._entries if key[: len(entry[0])] == entry[0]]
        if not fitting:
            return 0, None
        best = max(fitting, key=lambda entry: len(entry[0]))
        self.add(*best)
        return len(best[0]), best[1].fork()

    def branch(self, key: Key) -> int:
        """How many tokens `key` shares with the last prompt."""
        pairs = enumerate(zip(key, self.last, strict=False))
        return next((i for i, (a, b) in pairs if a != b), min(len(key), len(self.last)))

    def add(self, key: Key, cache: HybridCache) -> None:
        others = [entry for entry in self._entries if entry[0] != key]
        self._entries = [*others[1 - KEPT_PREFIXES :], (key, cache)]


class Prefill:
    """One prompt on its way through the network."""

    def __init__(
        self,
        model: VisionLanguageModel,
        prefixes: PrefixCache,
        ids: Sequence[int],
        pictures: Sequence[PictureSlot],
        turn: int,
    ):
        self.model, self.prefixes, self.turn = model, prefixes, turn
        device = model.language_model.embed_tokens.weight.device
        config = model.config
        self.ids = torch.tensor([ids], device=device)
        grid_thw = torch.tensor([picture.grid for picture in pictures], dtype=torch.long).view(-1, 3)
        visual = (config.image_token_id, config.video_token_id)
        positions, self.next_position = mrope_positions(
            self.ids[0], visual, grid_thw, config.vision.spatial_merge_size
        )
        self.positions = positions[:, None]
        names = (picture.name for picture in pictures for _ in range(picture.tokens))
        self.key: Key = tuple(next(names) if token in visual else token for token in ids)
        self.start, self._cache = prefixes.longest(self.key[:-1])
        self.first_new = sum(end <= self._visual(0, self.start) for end in _ends(pictures))

    def run(self, features: Sequence[VisionFeatures]) -> tuple[Tensor, HybridCache]:
        """Logits [V] and the cache after the prompt. `features`: of the pictures from `first_new` on."""
        visual, length = _joined(features), len(self.key)
        keep = {at for at in (self.prefixes.branch(self.key), self.turn) if self.start < at < length}
        cache = self._cache or self.model.empty_cache()
        for begin, end in pairwise(
            sorted({self.start, length, *keep, *range(self.start, length, PIECE_TOKENS)})
        ):
            hidden = self._forward(begin, end, cache, visual)
            if end in keep:
                self.prefixes.add(self.key[:end], cache.fork())
        self.prefixes.last = self.key
        return self.model.logits(hidden[0, -1]), cache

    def _forward(self, begin: int, end: int, cache: HybridCache, visual: VisionFeatures | None) -> Tensor:
        before, inside = self._visual(self.start, begin), self._visual(begin, end)
        features = _cut(visual, slice(before, before + inside)) if visual and inside else None
        return self.model(self.ids[:, begin:end], self.positions[..., begin:end], cache, features)

    def _visual(self, begin: int, end: int) -> int:
        """How many visual tokens stand in [begin, end)."""
        return int(self.model.visual_mask(self.ids[:, begin:end]).sum())


def _ends(pictures: Sequence[PictureSlot]) -> list[int]:
    return list(accumulate(picture.tokens for picture in pictures))


def _joined(features: Sequence[VisionFeatures]) -> VisionFeatures | None:
    if not features:
        return None
    taps = zip(*(each.deepstack for each in features), strict=True)
    return VisionFeatures(
        torch.cat([each.tokens for each in features]), tuple(torch.cat(tap) for tap in taps)
    )


def _cut(features: VisionFeatures, part: slice) -> VisionFeatures:
    return VisionFeatures(features.tokens[part], tuple(tap[part] for tap in features.deepstack))
