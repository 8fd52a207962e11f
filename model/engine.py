"""A checkpoint that answers: the network, its chat format and its picture processor under one roof.

Knows files and threads; knows nothing of browsers or of what a call means.
"""

import asyncio
import hashlib
import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

import torch

from ..errors import CheckpointError, InputError
from ..vision.encoder import VisionFeatures
from ..vision.processor import Processor, Visual
from ..vision.video import Video
from .chat import ChatFormat, Prompt, read_json
from .config import ModelConfig, VisionConfig
from .generation import Generation, ModelReply, Piece, Request, Usage
from .hub import find_checkpoint
from .prefill import PictureSlot, Prefill, PrefixCache
from .quantise import Kind
from .sampling import Sampling
from .vlm import VisionLanguageModel
from .weights import load_model

__all__ = ["Engine", "Generation", "ModelReply", "Piece", "Preferences", "Usage"]

KEPT_PICTURES = 16


@dataclass(frozen=True)
class Preferences:
    """What the checkpoint was trained on (`saccade.json`); `thinking` is what "auto" means."""

    viewport: tuple[int, int] | None = None
    memory: Literal["conversation", "snapshot"] = "conversation"
    thinking: Literal["fast", "deep"] = "deep"

    @classmethod
    def from_pretrained(cls, folder: Path) -> "Preferences":
        """Read the optional `saccade.json`; raises CheckpointError for keys or values that are not known."""
        path = folder / "saccade.json"
        raw = read_json(path)
        unknown = sorted(set(raw) - {field.name for field in fields(cls)})
        if unknown:
            raise CheckpointError(f"{path} has unknown keys {', '.join(unknown)}: remove them")
        allowed = {"memory": ("conversation", "snapshot"), "thinking": ("fast", "deep")}
        for key, values in allowed.items():
            if key in raw and raw[key] not in values:
                raise CheckpointError(f"{path}: {key} {raw[key]!r} is not one of {', '.join(values)}")
        viewport = raw.get("viewport")
        if viewport is None:
            return cls(**raw)
        if not (
            isinstance(viewport, list)
            and len(viewport) == 2
            and all(type(n) is int and n > 0 for n in viewport)
        ):
            raise CheckpointError(f"{path}: viewport {viewport!r} is not [width, height] in px")
        return cls(**{**raw, "viewport": (viewport[0], viewport[1])})


class Engine:
    """Satisfies the agent's ChatModel protocol. One generation runs at a time; others wait for `lock`."""

    def __init__(
        self,
        model: VisionLanguageModel,
        chat: ChatFormat,
        processor: Processor,
        sampling: Sampling | None = None,
        preferences: Preferences | None = None,
        name: str = "local",
    ):
        self.model, self.chat, self.processor, self.name = model, chat, processor, name
        self.sampling, self.preferences = sampling or Sampling(), preferences or Preferences()
        self.max_context = model.config.text.max_context
        self.device = model.language_model.embed_tokens.weight.device
        self.lock = threading.Lock()
        self._pictures: OrderedDict[str, VisionFeatures] = OrderedDict()
        self._prefixes = PrefixCache()

    @classmethod
    def from_pretrained(
        cls,
        path: str | Path,
        device: str | torch.device = "cpu",
        dtype: torch.dtype | None = None,
        threads: int | None = None,
        quantise: Kind | None = None,
    ) -> "Engine":
        """Load a local checkpoint folder, a hub id, or the built-in one by the name "builtin".

        `dtype` None: fp32 on a CPU, otherwise the checkpoint's own. `threads` sets torch's threads, for the
        whole process. `quantise` "int8" or "int4" keeps the large matrices as integers. Raises
        CheckpointError for a checkpoint that is missing, incomplete or corrupt.
        """
        folder = find_checkpoint(path)
        device = _device(device)
        if threads is not None:
            torch.set_num_threads(threads)
        config = ModelConfig.from_pretrained(folder)
        chat, processor = ChatFormat.from_pretrained(folder, config), _processor(folder, config.vision)
        sampling, preferences = Sampling.from_pretrained(folder), Preferences.from_pretrained(folder)
        name = folder.resolve().name if Path(path).is_dir() else Path(path).name
        dtype = dtype or (torch.float32 if device.type == "cpu" else None)
        model = load_model(folder, device, dtype, quantise)
        return cls(model, chat, processor, sampling, preferences, name)

    async def reply(self, messages: list[dict], tools: list[dict], thinking: str = "auto") -> ModelReply:
        """One whole reply, computed in a worker thread. A cancelled caller stops the computation."""
        generation = self.generate(messages, tools, thinking=thinking)
        try:
            return await asyncio.to_thread(generation.finish)
        except asyncio.CancelledError:
            generation.stop()
            raise

    def generate(
        self,
        messages: Sequence[dict],
        tools: Sequence[dict] | None = None,
        *,
        thinking: str = "auto",
        max_tokens: int = 4096,
        thinking_tokens: int | None = None,
        sampling: Sampling | None = None,
    ) -> Generation:
        """A reply in the making: iterate over its pieces, or call `finish()` for the whole.

        `thinking`: "fast" (none), "deep", or "auto" (the checkpoint's preference). `thinking_tokens` closes a
        longer thought; it never cuts into a call. The work begins with the iteration: ContextError when the
        prompt does not fit, InputError when the messages cannot be read.
        """
        if thinking not in ("fast", "deep", "auto"):
            raise InputError(f"thinking {thinking!r} is unknown: use fast, deep or auto")
        if max_tokens < 1:
            raise InputError(f"max_tokens {max_tokens} is too small: give at least 1")
        deep = (self.preferences.thinking if thinking == "auto" else thinking) == "deep"
        sampling = sampling or self.sampling
        return Generation(self, Request(messages, tools or (), deep, max_tokens, thinking_tokens, sampling))

    def encode(self, messages: Sequence[dict], tools: Sequence[dict], thinking: bool) -> Prompt:
        """The prompt as ids, with as many placeholders as each picture has tokens."""
        return self.chat.encode(messages, tools, thinking, self.processor.tokens, self.processor.load_video)

    def prefill(self, prompt: Prompt) -> Prefill:
        """The work that this prompt needs, given what is still known of earlier ones."""
        pictures = [
            PictureSlot(_fingerprint(image), grid, math.prod(grid) // self.processor.images.merge_size**2)
            for image, grid in ((image, self.processor.grid(image)) for image in prompt.images)
        ]
        turn = max((i + 1 for i, token in enumerate(prompt.ids) if token in self.chat.stop_ids), default=0)
        return Prefill(self.model, self._prefixes, prompt.ids, pictures, turn)

    @torch.inference_mode()
    def features(self, images: Sequence[Visual]) -> list[VisionFeatures]:
        """Visual tokens of each picture; a picture seen lately costs nothing."""
        names = [_fingerprint(image) for image in images]
        for image, name in zip(images, names, strict=True):
            if name not in self._pictures:
                self._pictures[name] = self._encode_image(image)
            self._pictures.move_to_end(name)
        features = [self._pictures[name] for name in names]
        while len(self._pictures) > KEPT_PICTURES:
            self._pictures.popitem(last=False)
        return features

    def _encode_image(self, image: Visual) -> VisionFeatures:
        pixel_values, grid_thw = self.processor([image])
        return self.model.encode_images(pixel_values.to(self.device), grid_thw)


def _fingerprint(visual: Visual) -> str:
    """Equal for equal pixels; a video and its own single frame differ."""
    frames = visual.frames if isinstance(visual, Video) else (visual,)
    content = hashlib.blake2b(digest_size=16)
    for frame in frames:
        content.update(frame.tobytes())
    kind = f"video of {len(frames)}" if isinstance(visual, Video) else "picture"
    return f"{kind} {frames[0].width} {content.hexdigest()}"


def _device(device: str | torch.device) -> torch.device:
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise InputError(f"device {device!r} is unknown: use cpu or cuda") from None
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise InputError(f"torch sees no GPU for device {str(device)!r}: use cpu")
    return chosen


def _processor(folder: Path, vision: VisionConfig) -> Processor:
    """The checkpoint's processors, checked against the encoder that takes their patches."""
    processor = Processor.from_pretrained(folder)
    for each in (processor.images, processor.videos):
        ours = (each.patch_size, each.temporal_patch_size, each.merge_size)
        if ours != (vision.patch_size, vision.temporal_patch_size, vision.spatial_merge_size):
            raise CheckpointError(
                f"{folder}: {each.file} and config.json differ in patch or merge size: "
                "check that both belong together"
            )
    return processor
