"""Decoding many sequences with one forward: those that take in equally many tokens share it.

The states of a group stay joined while its members stay the same, so that a step copies nothing; a group of
one is never joined at all. On a GPU they sit in a static cache instead, where graphs feed them (`seats.py`).
"""

from collections.abc import Sequence as Many

import torch

from .cache import HybridCache
from .seats import Seats
from .sequence import Sequence
from .vlm import VisionLanguageModel

Group = tuple[Sequence, ...]


class Batches:
    def __init__(self, model: VisionLanguageModel):
        self.model = model
        self.seats = Seats(model) if Seats.suit(model) else None
        self._joined: dict[Group, HybridCache] = {}

    @property
    def nbytes(self) -> int:
        """What is held beside the states of sequences."""
        return self.seats.nbytes if self.seats else 0

    def clear(self) -> None:
        """Drop what nobody uses now."""
        if self.seats:
            self.seats.clear()

    def step(self, group: Group, spare_bytes: int) -> None:
        """Feed what each member plans, as many tokens in all of them, and let it choose what follows.

        A static cache for them may take `spare_bytes`; where it would take more, the forward decodes.
        """
        if self.seats and self.seats.take(group, spare_bytes):
            self._part(group)
            for sequence, rows in zip(group, self.seats.step(group), strict=True):
                sequence.consume(rows)
            return
        cache, tokens = self._cache(group), len(group[0].feed)
        device = self.model.device
        ids = torch.tensor([sequence.feed for sequence in group], device=device)
        starts = torch.tensor([sequence.position for sequence in group], device=device)
        positions = (starts[:, None] + torch.arange(tokens, device=device)).expand(3, -1, -1)
        x, _ = self.model.embed(ids)
        hidden = self.model.language_model(x, positions, cache)
        logits = self.model.logits(hidden[:, tokens - group[0].guessed - 1 :])
        wrong = [sequence.consume(rows) for sequence, rows in zip(group, logits, strict=True)]
        self._keep(group, cache.without(wrong))
        for i, (sequence, n) in enumerate(zip(group, wrong, strict=True)):
            if sequence.draft:
                kept = slice(tokens - n)
                rows = x[i : i + 1, kept], hidden[i : i + 1, kept], positions[:, i : i + 1, kept]
                sequence.draft.hold(self.model, *rows)

    def dissolve(self, members: Many[Sequence]) -> None:
        """Give each of these its own state back, and all that share a batch with one of them."""
        if self.seats:
            self.seats.leave(members)
        self._part(members)

    def _part(self, members: Many[Sequence]) -> None:
        for group in [group for group in self._joined if not set(group).isdisjoint(members)]:
            rows = self._joined.pop(group).split([sequence.length for sequence in group])
            for sequence, row in zip(group, rows, strict=True):
                sequence.cache = row

    def _cache(self, group: Group) -> HybridCache:
        if group not in self._joined:
            self.dissolve(group)
            caches = [sequence.cache for sequence in group if sequence.cache]
            assert len(caches) == len(group)
            if len(group) == 1:
                return caches[0]
            self._joined[group] = HybridCache.joined(caches)
            for sequence in group:
                sequence.cache = None
        return self._joined[group]

    def _keep(self, group: Group, cache: HybridCache) -> None:
        if len(group) == 1:
            group[0].cache = cache
        else:
            self._joined[group] = cache
