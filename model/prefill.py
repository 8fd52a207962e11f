"""A prompt on its way through the network, chunk by chunk, from the longest prefix whose state is known.

The state is kept where a later prompt is likely to branch off: where this prompt left an earlier one, after a
message, and where the turn begins that the model is to write. Chunks end there, but for the last such place
of the prompt: behind it are few tokens, and on a GPU a forward of few takes as long as one of hundreds.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ..vision.encoder import VisionFeatures
from .decoder import ALL, LAST
from .pictures import Picture
from .prefixes import Key, PrefixCache, Snapshot
from .rope import mrope_positions
from .speculation import DraftState
from .vlm import VisionLanguageModel

RUN_TOKENS = 4096  # in one forward: bounds the memory of a long prompt
WORTH = 64  # tokens: a state that saves a later prompt fewer is not worth a forward that ends there

Encode = Callable[[Picture], VisionFeatures]
Forward = Callable[..., Tensor]  # see `Decoder.forward`


class Prefill:
    """Knows one prompt of ids [T], int64; `logits` [V] are there once `done`.

    `forward`: another way to compute what `model.language_model` does, such as `PromptGraphs`.
    """

    def __init__(
        self,
        model: VisionLanguageModel,
        ids: np.ndarray,
        pictures: Sequence[Picture],
        stop_ids: frozenset[int],
        forward: Forward | None = None,
    ):
        self.model, self.pictures, self._forward = model, pictures, forward or model.language_model
        config = model.config
        self.ids = torch.from_numpy(ids)[None]  # on the host, as `positions`
        grid_thw = torch.tensor([picture.grid for picture in pictures], dtype=torch.long).view(-1, 3)
        visual = (config.image_token_id, config.video_token_id)
        positions, self.next_position = mrope_positions(
            self.ids[0], visual, grid_thw, config.vision.spatial_merge_size
        )
        self.positions = positions[:, None]
        self.key, self._visual = _key(ids, pictures, visual)
        self._messages = (np.flatnonzero(np.any([ids == stop for stop in stop_ids], axis=0)) + 1).tolist()
        self._cuts: set[int] = set(self._messages[-1:])
        self._prefixes: PrefixCache | None = None
        self.start = self.position = 0
        self.snapshot: Snapshot | None = None
        self.logits: Tensor | None = None

    @property
    def length(self) -> int:
        return len(self.key)

    @property
    def turn(self) -> int:
        """Where the last message ends, and the turn begins that the model is to write."""
        return self._messages[-1] if self._messages else 0

    @property
    def done(self) -> bool:
        return self.position == self.length

    def release(self) -> None:
        """Forget what only the computation needed; the counts stay."""
        self.snapshot = self.logits = None
        self.pictures = ()

    def resume(self, prefixes: PrefixCache) -> None:
        """Start from what `prefixes` knows, and leave states there for later prompts."""
        self._prefixes = prefixes
        self.snapshot = prefixes.longest(self.key[:-1])
        if self.snapshot:
            self.start = self.position = self.snapshot.cache.length
        branch = prefixes.branch(self.key)
        if branch - self.start >= WORTH:
            self._cuts.add(branch)

    def run(self, encode: Encode) -> Tensor:
        """All of it at once: the logits [V] after the prompt."""
        while not self.done:
            self.advance(RUN_TOKENS, encode)
        assert self.logits is not None
        return self.logits

    def advance(self, tokens: int, encode: Encode, drafts: bool = False) -> None:
        """Compute a chunk of at most so many tokens. `drafts`: the prediction head reads along."""
        begin, (end, cut) = self.position, self._end(tokens)
        if self.snapshot is None:
            draft = DraftState.empty(self.model) if drafts else None
            self.snapshot = Snapshot(self.model.empty_cache(), draft)
        cache, draft = self.snapshot.cache, self.snapshot.draft
        positions = self.positions[..., begin:end].to(self.model.device, non_blocking=True)
        x, taps = self.model.embed(self.ids[:, begin:end], self._features(begin, end, encode))
        hidden = self._forward(x, positions, cache, taps, ALL if draft else LAST, cut)
        for part in (slice(0, cut), slice(cut, None)) if cut else (ALL,):
            if draft:
                draft.read(self.model, x[:, part], hidden[:, part], positions[..., part])
            if cut and part.stop and self._prefixes is not None:
                self._prefixes.add(
                    self.key[: begin + cut], Snapshot(cache.split_off(end - begin - cut), draft)
                )
        self.position = end
        if self.done:
            self.logits = self.model.logits(hidden[0, -1])
        elif self._prefixes is not None:
            self._prefixes.add(self.key[:end], self.snapshot)

    def _end(self, tokens: int) -> tuple[int, int]:
        """Where the next chunk ends: at a cut, after the last message within reach, or as far as it goes. And
        after how many of its tokens the state is kept on the way, 0 for nowhere."""
        begin, limit = self.position, min(self.position + tokens, self.length)
        cuts = sorted(at for at in self._cuts if begin < at < limit)
        if limit == self.length and len(cuts) == 1 and self._prefixes is not None:
            return limit, cuts[0] - begin
        if cuts:
            return cuts[0], 0
        if limit == self.length:
            return limit, 0
        return max((at for at in self._messages if begin < at <= limit), default=limit), 0

    def _features(self, begin: int, end: int, encode: Encode) -> VisionFeatures | None:
        """Those of the visual tokens in [begin, end)."""
        parts, start, seen = [], 0, np.searchsorted(self._visual, (begin, end)).tolist()
        for picture in self.pictures:
            first, last = (min(max(at - start, 0), picture.tokens) for at in seen)
            start += picture.tokens
            if first < last:
                features = encode(picture)
                taps = tuple(tap[first:last] for tap in features.deepstack)
                parts.append(VisionFeatures(features.tokens[first:last], taps))
        return _joined(parts)


def _key(ids: np.ndarray, pictures: Sequence[Picture], visual: tuple[int, ...]) -> tuple[Key, np.ndarray]:
    """Names of the tokens [T], pictures by content; and where the visual ones are, in order."""
    key = ids.copy()
    is_visual = np.any([ids == token for token in visual], axis=0)
    names = np.array([picture.key() for picture in pictures], dtype=np.int64)
    key[is_visual] = names.repeat([picture.tokens for picture in pictures])
    return key, np.flatnonzero(is_visual)


def _joined(parts: Sequence[VisionFeatures]) -> VisionFeatures | None:
    if len(parts) < 2:
        return parts[0] if parts else None
    taps = zip(*(part.deepstack for part in parts), strict=True)
    return VisionFeatures(torch.cat([p.tokens for p in parts]), tuple(torch.cat(tap) for tap in taps))
