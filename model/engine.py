"""A checkpoint that answers: the network, its chat format and its picture processor under one roof.

Knows files and threads; knows nothing of browsers or of what a call means.
"""

import asyncio
import math
import time
from collections.abc import Callable
from collections.abc import Sequence as Many
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, cast

import torch
from pydantic import BaseModel

from ..errors import CheckpointError, ContextError, InputError
from ..vision.processor import Processor
from ..vision.sent import SentPictures
from . import kernels
from .alternatives import Fork, forks, logprob_of, weighed
from .calls import CLOSE_THINK, OPEN_CALL
from .chat import ChatFormat, Prompt, read_json
from .config import ModelConfig, VisionConfig
from .constraint import Constraint, FreeText
from .deliberation import Deliberation
from .generation import Generation
from .grammar import Grammars
from .hub import find_checkpoint
from .layout import for_decoding
from .memory import free_bytes
from .pictures import Picture, PictureCache
from .precision import usual_dtype
from .prefill import Prefill
from .prefixes import PrefixCache
from .prompt_graphs import PromptGraphs
from .quantise import Kind
from .request import Action, Done, Limits, ModelReply, Phase, Piece, Request, Signal, Usage
from .sampling import Sampling
from .scheduler import Scheduler
from .sequence import Sequence
from .thinking import Mode, Thinking
from .vlm import VisionLanguageModel
from .vocabulary import Vocabulary
from .weights import load_model
from .wire import AFTER_THINK

__all__ = [
    "Action",
    "Done",
    "Engine",
    "Generation",
    "Limits",
    "ModelReply",
    "Piece",
    "Preferences",
    "Thinking",
    "Usage",
]

AT_ONCE = 4  # of the alternatives to one reply: others want the queue, too
MEMORY_SHARE, PREFIX_SHARE = 0.5, 0.25  # of the memory that is free when the engine starts


@dataclass(frozen=True)
class Preferences:
    """What the checkpoint was trained on (`saccade.json`); `thinking` is what "auto" means. `quotes_task`:
    thoughts of several lines begin with words of the task."""

    viewport: tuple[int, int] | None = None
    memory: Literal["conversation", "snapshot"] = "conversation"
    thinking: Literal["fast", "deep"] = "deep"
    quotes_task: bool = False

    @classmethod
    def from_pretrained(cls, folder: Path) -> "Preferences":
        """Read the optional `saccade.json`; raises CheckpointError for keys or values that are not known."""
        path = folder / "saccade.json"
        raw = read_json(path)
        unknown = sorted(set(raw) - {field.name for field in fields(cls)})
        if unknown:
            raise CheckpointError(f"{path} has unknown keys {', '.join(unknown)}: remove them")
        allowed = {
            "memory": ("conversation", "snapshot"),
            "thinking": ("fast", "deep"),
            "quotes_task": (True, False),
        }
        for key, values in allowed.items():
            if key in raw and raw[key] not in values:
                raise CheckpointError(
                    f"{path}: {key} {raw[key]!r} is not one of {', '.join(map(str, values))}"
                )
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
    `lookups`: how many are taken at a time from where the last ones stood before; None: 7 on a CPU, where few
    tokens take hardly longer than one, and 0 on a GPU, where graphs write one.
    `graphs`: whether prompts go through CUDA graphs where they can (`prompt_graphs.py`).
    """

    def __init__(
        self,
        model: VisionLanguageModel,
        chat: ChatFormat,
        processor: Processor,
        sampling: dict[str, Sampling] | None = None,
        preferences: Preferences | None = None,
        name: str = "local",
        limits: Limits | None = None,
        guesses: int = 0,
        graphs: bool = True,
        lookups: int | None = None,
    ):
        if guesses and model.mtp is None:
            raise InputError(f"{name} has no multi-token prediction head: use guesses=0")
        most = kernels.SHORT - 1
        if lookups is None:
            lookups = most if model.device.type == "cpu" else 0
        for what, count in {"guesses": guesses, "lookups": lookups}.items():
            if not 0 <= count <= most:
                raise InputError(f"{what} {count} is out of range: give 0 to {most}")
        self.model, self.chat, self.processor, self.name = model, chat, processor, name
        self.sampling = sampling or {"fast": Sampling(), "deep": Sampling()}
        self.preferences = preferences or Preferences()
        self.limits = limits or Limits()
        self.max_context = model.config.text.max_context
        free = free_bytes(model.device)
        self.sent = SentPictures(self.limits.sent_bytes)
        self.pictures = PictureCache(model, processor, self.limits.picture_bytes)
        self.prompts = PromptGraphs(model) if graphs else None
        self.prefixes = PrefixCache(_or_share(self.limits.prefix_bytes, free, PREFIX_SHARE))
        self.scheduler = Scheduler(
            model, self.pictures, self.prefixes, self.limits,
            _or_share(self.limits.memory_bytes, free, MEMORY_SHARE), guesses, lookups,
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
        graphs: bool = True,
        lookups: int | None = None,
    ) -> "Engine":
        """Load a local checkpoint folder, a hub id, or the built-in one by the name "builtin".

        `dtype` None: see `usual_dtype`. `threads` sets torch's threads, for the
        whole process. `quantise` "int8" or "int4" keeps the large matrices as integers, "fp8" as
        official FP8 checkpoints have them.
        Raises CheckpointError for a checkpoint that is missing, incomplete or corrupt.
        """
        folder = find_checkpoint(path)
        device = _device(device)
        if threads is not None:
            torch.set_num_threads(threads)
        config = ModelConfig.from_pretrained(folder)
        chat, processor = ChatFormat.from_pretrained(folder, config), _processor(folder, config.vision)
        sampling = {mode: Sampling.from_pretrained(folder, mode) for mode in ("fast", "deep")}
        preferences = Preferences.from_pretrained(folder)
        name = folder.resolve().name if Path(path).is_dir() else Path(path).name
        model = _apart(lambda: _load(folder, device, dtype, quantise))
        return cls(model, chat, processor, sampling, preferences, name, limits, guesses, graphs, lookups)

    async def reply(
        self, messages: list[dict], tools: list[dict], thinking: str | Thinking = "auto"
    ) -> ModelReply:
        """One whole reply, with exactly one valid call where there are tools. Cancelling stops the work."""
        return await self.generate(messages, tools, thinking=thinking).result()

    def generate(
        self,
        messages: Many[dict],
        tools: Many[dict] | None = None,
        *,
        thinking: str | Thinking = "auto",
        tool_choice: str = "required",
        schema: dict[str, Any] | type[BaseModel] | None = None,
        max_tokens: int = 4096,
        sampling: Sampling | None = None,
        stop: Many[str] = (),
        logprobs: bool = False,
        top_logprobs: int = 0,
        parallel: bool = False,
        opening: Many[int] = (),
    ) -> Generation:
        """A reply in the making: iterate over it, or call `finish()` for the whole.

        `thinking`: "fast" (none), "deep", or "auto", the checkpoint's preference; a string with an attribute
        `max_tokens` has that budget. `Thinking("auto")` thinks where an action without a thought was unsure,
        and its `max_tokens` close a longer thought.
        `tool_choice` "required": exactly one call of one of the tools; "auto": calls or text; "none"; or the
        tool's name; `parallel` allows several calls in one reply. `schema`: the reply is JSON that fits it.
        `stop`: strings that end the reply and are no part of it. `logprobs`: pieces tell how likely their
        token was, with `top_logprobs` also which others were likely. `opening`: tokens that it begins with.

        The work begins with the iteration: ContextError when the prompt does not fit, InputError when
        messages or schemas cannot be used, CapacityError when memory or queue are full.
        """
        if max_tokens < 1:
            raise InputError(f"max_tokens {max_tokens} is too small: give at least 1")
        if not isinstance(thinking, Thinking):
            budget: int | None = getattr(thinking, "max_tokens", None)
            mode = self.preferences.thinking if thinking == "auto" else str(thinking)
            thinking = Thinking(cast("Mode", mode), budget)
        request = Request(
            messages, tools or (), tool_choice, schema, thinking, max_tokens, sampling, tuple(stop), logprobs,
            top_logprobs, parallel, tuple(opening),
        )  # fmt: skip
        return Generation(partial(self._start, request), self.scheduler.cancel)

    async def alternatives(
        self,
        messages: list[dict],
        tools: list[dict],
        thinking: str = "auto",
        count: int = 8,
        least: float = 1e-3,
        max_tokens: int = 512,
    ) -> list[ModelReply]:
        """Up to `count` other replies that the model was near to (see `alternatives.py`), the likeliest
        first, none less probable than `least`."""
        options = {"thinking": thinking, "max_tokens": max_tokens, "logprobs": True}
        ask = partial(self.generate, messages, tools, **options)
        first = [event async for event in ask(top_logprobs=count + 1) if isinstance(event, Piece)]
        phase, turn = weighed(first), asyncio.Semaphore(AT_ONCE)

        async def scored(fork: Fork) -> tuple[float, ModelReply]:
            async with turn:
                return await _scored(ask(opening=fork.opening), fork, phase)

        pairs = await asyncio.gather(*(scored(fork) for fork in forks(first, phase, count)))
        likely = [pair for pair in pairs if math.exp(pair[0]) >= least]
        return [reply for _, reply in sorted(likely, key=lambda pair: -pair[0])]

    def forget(self) -> None:
        """Let the next request begin as the first one did, with no prompt and no picture known."""
        self.scheduler.forget()

    def encode(self, messages: Many[dict], tools: Many[dict], thinking: bool) -> Prompt:
        """The prompt as ids, with as many placeholders as each picture has tokens."""
        read = self.processor.load_video, self.sent
        return self.chat.encode(messages, tools, thinking, self.processor.tokens, *read)

    def prefill(self, prompt: Prompt) -> Prefill:
        """The work that this prompt needs, as if nothing were known of earlier ones."""
        pictures = [Picture.of(image, self.processor) for image in prompt.images]
        return Prefill(self.model, prompt.ids, pictures, self.chat.stop_ids, self.prompts)

    @cached_property
    def grammars(self) -> Grammars:
        size = self.model.config.text.vocab_size
        return Grammars(Vocabulary(self.chat.tokenizer, size, self.chat.stop_ids))

    @cached_property
    def _closed_at_once(self) -> list[int]:
        """How a prompt closes an empty thought, for a checkpoint with a token that begins with the blank line
        after it and goes on: such a prompt ends within what training knew as one token. [] for others."""
        joined = self.grammars.vocabulary.has_longer(f"{AFTER_THINK}{OPEN_CALL}".encode())
        return self.chat.encode_text(f"\n{CLOSE_THINK}{AFTER_THINK}") if joined else []

    def _start(self, request: Request, emit: Callable[[Signal], None], streamed: bool) -> list[Sequence]:
        """Read the messages, here in the caller's thread, and queue them for the network."""
        born, mode = time.perf_counter(), request.thinking.mode
        if mode != "auto":
            sequences = [self._sequence(request, mode == "deep", emit, streamed, born)]
        else:
            quick, deep = (self._sequence(request, deep, emit, streamed, born) for deep in (False, True))
            Deliberation(quick, deep, request.thinking, self.scheduler.submit, emit)
            sequences = [quick, deep]
        self.scheduler.submit(sequences[0])
        return sequences

    def _sequence(
        self, request: Request, deep: bool, emit: Callable[[Signal], None], streamed: bool, born: float
    ) -> Sequence:
        prompt, closed = self.encode(request.messages, request.tools, deep), self._closed_at_once
        if closed and not deep and prompt.ids[-len(closed) :].tolist() == closed:
            prompt = replace(prompt, ids=prompt.ids[: -len(closed)], thinking=True, empty=True)
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
        sampling = request.sampling or self.sampling["deep" if deep else "fast"]
        request = replace(request, max_tokens=min(request.max_tokens, room), sampling=sampling)
        constraint = self._constraint(request, prompt)
        return Sequence(request, prompt, self.prefill(prompt), self.chat, constraint, emit, streamed, born)

    def _constraint(self, request: Request, prompt: Prompt) -> Constraint | FreeText:
        thinking, budget = prompt.thinking, 0 if prompt.empty else request.thinking.max_tokens
        if request.schema is not None:
            return Constraint(self.grammars.answer(request.schema, thinking=thinking), budget)
        if not request.tools:
            return FreeText(self.grammars.vocabulary, thinking, budget)
        grammar = self.grammars.calls(
            request.tools,
            choice=request.choice,
            form=self.chat.form,
            thinking=thinking,
            parallel=request.parallel,
        )
        return Constraint(grammar, budget)


async def _scored(generation: Generation, fork: Fork, phase: Phase) -> tuple[float, ModelReply]:
    """The natural log of how likely all of a reply's phase was, and the reply."""
    pieces = [event async for event in generation if isinstance(event, Piece)]
    assert generation.reply is not None
    return fork.logprob + logprob_of(pieces, phase), generation.reply


def _or_share(nbytes: int | None, free: int, share: float) -> int:
    return int(free * share) if nbytes is None else nbytes


def _load(
    folder: Path, device: torch.device, dtype: torch.dtype | None, quantise: Kind | None
) -> VisionLanguageModel:
    model = load_model(folder, device, dtype or usual_dtype(folder, device), quantise)
    if device.type == "cpu" and not kernels.fused(model.language_model.embed_tokens.weight.dtype):
        for_decoding(model)
    return model


def _apart(load: Callable[[], VisionLanguageModel]) -> VisionLanguageModel:
    """In a thread that ends with it, and its OpenMP threads with it.

    Those of a caller's thread would stay, idle. With more of them than cores, GNU's OpenMP lets every thread
    sleep at once instead of spinning for a moment, and each small product of the engine's own thread waits
    for wake-ups: tokens were measured four times as slow.
    """
    with ThreadPoolExecutor(1, "saccade-load") as thread:
        return thread.submit(load).result()


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
