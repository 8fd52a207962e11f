"""A checkpoint that answers: the network, its chat format and its picture processor under one roof.

Knows files and threads; knows nothing of browsers or of what a call means.
"""

import time
from collections.abc import Callable
from collections.abc import Sequence as Many
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from ..errors import CheckpointError, ContextError, InputError
from ..vision.processor import Processor
from .chat import ChatFormat, Prompt, read_json
from .config import ModelConfig, VisionConfig
from .generation import Generation
from .hub import find_checkpoint
from .memory import free_bytes
from .pictures import Picture, PictureCache
from .prefill import Prefill
from .prefixes import PrefixCache
from .quantise import Kind
from .request import Action, Done, Limits, ModelReply, Piece, Request, Signal, Usage
from .sampling import Sampling
from .scheduler import Scheduler
from .sequence import Sequence
from .vlm import VisionLanguageModel
from .weights import load_model

__all__ = [
    "Action",
    "Done",
    "Engine",
    "Generation",
    "Limits",
    "ModelReply",
    "Piece",
    "Preferences",
    "Usage",
]

MEMORY_SHARE, PREFIX_SHARE = 0.5, 0.25  # of the memory that is free when the engine starts


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
    """Satisfies the agent's ChatModel protocol. Any number of callers, in threads or tasks, share one engine.

    `guesses`: how many tokens the prediction head drafts at a time, 0 for none; the text stays the same.
    """

    def __init__(
        self,
        model: VisionLanguageModel,
        chat: ChatFormat,
        processor: Processor,
        sampling: Sampling | None = None,
        preferences: Preferences | None = None,
        name: str = "local",
        limits: Limits | None = None,
        guesses: int = 0,
    ):
        if guesses and model.mtp is None:
            raise InputError(f"{name} has no multi-token prediction head: use guesses=0")
        self.model, self.chat, self.processor, self.name = model, chat, processor, name
        self.sampling, self.preferences = sampling or Sampling(), preferences or Preferences()
        self.limits = limits or Limits()
        self.max_context = model.config.text.max_context
        free = free_bytes(model.device)
        self.pictures = PictureCache(model, processor, self.limits.picture_bytes)
        self.prefixes = PrefixCache(_or_share(self.limits.prefix_bytes, free, PREFIX_SHARE))
        self.scheduler = Scheduler(
            model, self.pictures, self.prefixes, self.limits,
            _or_share(self.limits.memory_bytes, free, MEMORY_SHARE), guesses,
        )  # fmt: skip

    @classmethod
    def from_pretrained(
        cls,
        path: str | Path,
        device: str | torch.device = "cpu",
        dtype: torch.dtype | None = None,
        threads: int | None = None,
        quantise: Kind | None = None,
        limits: Limits | None = None,
        guesses: int = 0,
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
        return cls(model, chat, processor, sampling, preferences, name, limits, guesses)

    async def reply(self, messages: list[dict], tools: list[dict], thinking: str = "auto") -> ModelReply:
        """One whole reply. A cancelled caller stops the computation."""
        return await self.generate(messages, tools, thinking=thinking).result()

    def generate(
        self,
        messages: Many[dict],
        tools: Many[dict] | None = None,
        *,
        thinking: str = "auto",
        max_tokens: int = 4096,
        thinking_tokens: int | None = None,
        sampling: Sampling | None = None,
        stop: Many[str] = (),
        logprobs: bool = False,
    ) -> Generation:
        """A reply in the making: iterate over it, or call `finish()` for the whole.

        `thinking`: "fast" (none), "deep", or "auto" (the checkpoint's preference). `thinking_tokens` closes a
        longer thought; it never cuts into a call. `stop`: strings that end the reply and are no part of it.
        The work begins with the iteration: ContextError when the prompt does not fit, InputError when the
        messages cannot be read, CapacityError when memory or queue are full.
        """
        if thinking not in ("fast", "deep", "auto"):
            raise InputError(f"thinking {thinking!r} is unknown: use fast, deep or auto")
        if max_tokens < 1:
            raise InputError(f"max_tokens {max_tokens} is too small: give at least 1")
        deep = (self.preferences.thinking if thinking == "auto" else thinking) == "deep"
        request = Request(
            messages, tools or (), deep, max_tokens, thinking_tokens, sampling or self.sampling,
            tuple(stop), logprobs,
        )  # fmt: skip
        return Generation(partial(self._start, request), self.scheduler.cancel)

    def encode(self, messages: Many[dict], tools: Many[dict], thinking: bool) -> Prompt:
        """The prompt as ids, with as many placeholders as each picture has tokens."""
        return self.chat.encode(messages, tools, thinking, self.processor.tokens, self.processor.load_video)

    def prefill(self, prompt: Prompt) -> Prefill:
        """The work that this prompt needs, as if nothing were known of earlier ones."""
        pictures = [Picture.of(image, self.processor) for image in prompt.images]
        return Prefill(self.model, prompt.ids, pictures, self.chat.stop_ids)

    def _start(self, request: Request, emit: Callable[[Signal], None], streamed: bool) -> Sequence:
        """Read the messages, here in the caller's thread, and queue them for the network."""
        born = time.perf_counter()
        prompt = self.encode(request.messages, request.tools, request.thinking)
        room = self.max_context - len(prompt.ids)
        if room < 1:
            raise ContextError(
                f"the prompt has {len(prompt.ids)} tokens and the model takes {self.max_context}: "
                "send fewer or smaller pictures, or shorten the history"
            )
        if len(prompt.images) > self.limits.pictures:
            raise ContextError(
                f"the prompt has {len(prompt.images)} pictures and the engine takes {self.limits.pictures}: "
                "send fewer, or raise Limits.pictures"
            )
        request = replace(request, max_tokens=min(request.max_tokens, room))
        sequence = Sequence(request, prompt, self.prefill(prompt), self.chat, emit, streamed, born)
        self.scheduler.submit(sequence)
        return sequence


def _or_share(nbytes: int | None, free: int, share: float) -> int:
    return int(free * share) if nbytes is None else nbytes


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
