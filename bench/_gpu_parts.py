"""Parts of `bench gpu` that fill the table of targets: many rows, long contexts, prompts, pictures, the
agent's step, memory. Each takes the lab, notes its rows there, and returns what else it saw; it first says
whether what it measures is right, where that can be said by another way of computing it."""

import gc
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image
from saccade.model.cache import HybridCache
from saccade.model.chat import ChatFormat
from saccade.model.engine import Engine
from saccade.model.graphs import DecodeGraphs
from saccade.model.hub import BUILTIN
from saccade.model.pictures import Picture, PictureCache
from saccade.model.prefill import Prefill
from saccade.model.request import Limits, ModelReply
from saccade.model.sampling import Sampling
from saccade.model.scheduler import ALONE
from saccade.model.seats import Seats
from saccade.model.stepping import DeltaSlots, StaticCache
from saccade.model.tower import TowerGraphs
from saccade.model.vlm import VisionLanguageModel
from saccade.vision.encoder import VisionFeatures
from saccade.vision.processor import Processor
from saccade.vision.still import Still
from torch import Tensor

from bench._gpu_lab import Lab, Wrong, say, timed
from bench._gpu_limits import prompt_flops, row_bytes, rows_bytes, tower_flops, weight_bytes
from bench._gpu_models import prefill, random_model, step_bytes

LOGITS = 0.1  # of |ours - reference| / |reference| in bf16, through all layers and their routers
CHUNK = Limits().chunk_tokens * ALONE  # of a prompt, when nobody else waits for the engine


@torch.inference_mode()
def many_rows(lab: Lab) -> dict[str, Any]:
    """Tokens per second of all rows together, each behind a prompt of its own."""
    model, sizes = lab.model, lab.sizes
    graphs = DecodeGraphs(model, sizes.rows, sizes.rows_seen + 64 * sizes.steps, chained=True)
    checked, counters = [], []
    for row in range(sizes.rows):
        cache, logits = prefill(model, random_ids(model, sizes.rows_seen, row))
        graphs.cache.load(row, cache)
        counters.append([int(logits.argmax()), cache.length, cache.length])
        if row in (0, sizes.rows - 1):
            checked.append(forward(model, counters[-1][0], cache))
    say(f"{sizes.rows} prompts of {sizes.rows_seen} tokens are read")
    graphs.cache.counters.copy_(torch.tensor(counters).mT)
    ours = graphs.step(sizes.rows)  # the first: what it fed is known
    error = max(apart(ours[row], expected) for row, expected in zip((0, -1), checked, strict=True))
    if not error < LOGITS:
        raise Wrong(f"logits of {sizes.rows} rows: {error:.1e}, allowed {LOGITS}")
    seconds = timed(lambda: [graphs.step(sizes.rows) for _ in range(sizes.steps)], sizes.steps, 10)
    limit = rows_bytes(lab.text, sizes.rows_seen, sizes.rows) / lab.copy
    lab.note("decode, 32 rows, 4k before", ours=sizes.rows / seconds, limit=sizes.rows / limit)
    return {"ms_a_step": seconds * 1e3, "logits_error": error}


@torch.inference_mode()
def long_contexts(lab: Lab) -> dict[str, Any]:
    """Tokens per second and memory behind states of random numbers: their values take no time."""
    points, steps = [], lab.sizes.steps
    for name, tokens in lab.sizes.long.items():
        _forget()
        graphs = DecodeGraphs(lab.model, 1, tokens + 64 * steps, chained=True)
        fill(graphs.cache)
        graphs.cache.counters.copy_(torch.tensor([[7], [tokens], [tokens]]))
        seconds = timed(lambda graphs=graphs: [graphs.step(1) for _ in range(steps)], steps, 10)
        limit = lab.copy / step_bytes(lab.text, tokens)
        lab.note(f"decode, {name} before", ours=1 / seconds, limit=limit)
        points.append({"tokens": tokens, "tokens_s": 1 / seconds, "bytes": _used_bytes()})
        del graphs
    return {"points": points, "copy": lab.copy}


@torch.inference_mode()
def prompts(lab: Lab) -> dict[str, Any]:
    """Tokens per second of a prompt, in the engine's chunks; and in larger ones, which take others' turns."""
    seen: dict[str, Any] = {}
    for name, tokens in lab.sizes.prompts.items():
        ids = random_ids(lab.model, tokens, 1)
        whole, parts = (read(lab.model, ids, chunk) for chunk in (4 * CHUNK, CHUNK))
        error = apart(parts, whole)
        if not error < LOGITS:
            raise Wrong(f"logits after chunks of {CHUNK} and {4 * CHUNK} tokens: {error:.1e} apart")
        rates = {
            chunk: tokens / timed(lambda ids=ids, chunk=chunk: read(lab.model, ids, chunk), 1, 5)
            for chunk in (CHUNK, 4 * CHUNK)
        }
        limit = tokens / prompt_limit(lab, tokens)
        lab.note(f"prompt of {name}", ours=rates[CHUNK], limit=limit)
        seen[name] = {"tokens_s": rates, "logits_error": error}
    return seen


def prompt_limit(lab: Lab, tokens: int, seen: int = 0) -> float:
    """Seconds: its products, or all weights once, whichever takes longer."""
    return max(prompt_flops(lab.text, tokens, seen) / lab.matmul, weight_bytes(lab.text) / lab.copy)


@torch.inference_mode()
def picture(lab: Lab) -> dict[str, Any]:
    """The encoder on patches that lie on the card, in its graph; and from the picture, as the engine does."""
    model, processor = lab.model, Processor()
    pixels, grid = processor([screen(lab, 0)], model.device)
    graphs, plain = TowerGraphs(model), model.visual(pixels, grid).tokens
    for _ in range(3):
        ours = graphs(pixels, grid).tokens
    error = apart(ours, plain)
    if not error < 1e-2:
        raise Wrong(f"the vision encoder's graph: {error:.1e} from the encoder, allowed 1e-2")
    seconds, without = timed(lambda: graphs(pixels, grid), 1), timed(lambda: model.visual(pixels, grid), 1)
    limit = tower_flops(lab.vision, model.config.text.hidden_size, len(pixels)) / lab.matmul
    lab.note("picture, 1280 x 800", ours=seconds * 1e3, limit=limit * 1e3)
    cache = PictureCache(model, processor, 0)
    pictures = [Picture.of(screen(lab, seed), processor) for seed in range(8)]
    whole = [wall(lambda each=each: cache(each)) for each in pictures]
    return {
        "without_graph_ms": without * 1e3, "graphs": len(graphs.grids), "error": error,
        "from_pixels_ms": statistics.median(whole[3:]) * 1e3,
    }  # fmt: skip


def agent(lab: Lab) -> dict[str, Any]:
    """A step of an agent in the engine: a new screenshot behind many, then tokens, greedily and without a
    grammar. What the model wrote is not what the next prompt repeats, so that is read again as well."""
    engine, sizes = engine_of(lab), lab.sizes
    endless = Sampling(logit_bias=tuple((token, -1e9) for token in engine.chat.stop_ids))
    talk = [message for i in range(sizes.pictures) for message in turn(lab, i)]
    replies: list[tuple[float, ModelReply]] = []
    for step in range(6):
        talk += turn(lab, sizes.pictures + step)[:1]
        start = time.perf_counter()
        reply = engine.generate(talk, max_tokens=sizes.written, thinking="fast", sampling=endless).finish()
        replies.append((time.perf_counter() - start, reply))
        written = reply.usage.thinking_tokens + reply.usage.answer_tokens
        if written != sizes.written:
            raise Wrong(f"{written} tokens were written, not {sizes.written}")
        talk += turn(lab, sizes.pictures + step)[1:]
    usages = [reply.usage for _, reply in replies[2:]]  # the first ones read the history and capture graphs
    new = [usage.prompt_tokens - usage.cached_tokens for usage in usages]
    seen = usages[-1].prompt_tokens
    first = statistics.median(reply.timings["first_token"] for _, reply in replies[2:])
    whole = statistics.median(seconds for seconds, _ in replies[2:])
    least = prompt_limit(lab, new[-1], seen - new[-1]) + _tower_limit(lab)
    writing = (sizes.written - 1) * step_bytes(lab.text, seen) / lab.copy
    lab.note("agent step, first token", ours=first * 1e3, limit=least * 1e3)
    lab.note("agent step, 64 tokens", ours=whole * 1e3, limit=(least + writing) * 1e3)
    return {"prompt_tokens": seen, "new_tokens": new, "timings": replies[-1][1].timings}


def _tower_limit(lab: Lab) -> float:
    patches = int(np.prod(Processor().grid(screen(lab, 0))))
    return tower_flops(lab.vision, lab.text["hidden_size"], patches) / lab.matmul


def engine_of(lab: Lab) -> Engine:
    """The random network behind the built-in model's tokenizer and chat template."""
    chat = ChatFormat.from_pretrained(BUILTIN, lab.model.config)
    return Engine(lab.model, chat, Processor(), name="random")


def turn(lab: Lab, number: int) -> list[dict]:
    """A screenshot with some words, and what was answered."""
    said = f"The page after step {number}: the button was clicked and the list is sorted by price. " * 2
    content = [{"type": "image", "image": screen(lab, number)}, {"type": "text", "text": said}]
    return [{"role": "user", "content": content}, {"role": "assistant", "content": f"Step {number} is done."}]


@torch.inference_mode()
def memory(lab: Lab, device: str = "cuda") -> dict[str, Any]:
    """The most that int4 weights, the state of a long sequence and one more chunk of its prompt take."""
    _forget()
    before = _used_bytes()
    model = random_model(lab.text, device, torch.bfloat16, "int4", lab.vision)
    weights, sizes = _used_bytes() - before, lab.sizes
    cache = random_cache(model, sizes.memory - CHUNK - 4)
    logits = forward(model, random_ids(model, CHUNK, 1), cache)
    in_steps = Seats.suit(model)
    logits = (after_steps if in_steps else after_forward)(model, int(logits.argmax()), cache)
    if not logits.isfinite().all():
        raise Wrong("logits of int4 weights are not finite")
    limit = weights + row_bytes(lab.text, sizes.memory)
    lab.note("int4, 32k before", ours=(_used_bytes() - before) / 1e9, limit=limit / 1e9)
    return {"weights_GB": weights / 1e9, "in_steps": in_steps}


def after_forward(model: VisionLanguageModel, token: int, cache: HybridCache, tokens: int = 4) -> Tensor:
    """Logits [V] after a few more tokens, greedily."""
    for _ in range(tokens):
        logits = forward(model, token, cache)
        token = int(logits.argmax())
    return logits


def after_steps(model: VisionLanguageModel, token: int, cache: HybridCache, tokens: int = 4) -> Tensor:
    """The same in a graph, in a cache of the size that the engine would take."""
    capacity = 1 << (cache.length + tokens - 1).bit_length()
    graphs = DecodeGraphs(model, 1, capacity, chained=True)
    graphs.cache.load(0, cache)
    graphs.cache.counters.copy_(torch.tensor([[token], [cache.length], [cache.length]]))
    for _ in range(tokens):
        logits = graphs.step(1)
    return logits[0]


def random_cache(model: VisionLanguageModel, tokens: int) -> HybridCache:
    static = StaticCache.empty(model, 1, tokens)
    fill(static)
    return static.state(0, tokens)


def fill(cache: StaticCache) -> None:
    """With random numbers of the size that keys, values and states have."""
    for slots in cache.layers:
        for x in (
            (slots.window, slots.recurrent) if isinstance(slots, DeltaSlots) else (slots.keys, slots.values)
        ):
            x.normal_(std=0.1)


def read(model: VisionLanguageModel, ids: Tensor, chunk: int) -> Tensor:
    """Logits [V] after a prompt [T] of text."""
    work = Prefill(model, ids.tolist(), (), frozenset())
    while not work.done:
        work.advance(chunk, _no_pictures)
    assert work.logits is not None
    return work.logits


def forward(model: VisionLanguageModel, ids: Tensor | int, cache: HybridCache) -> Tensor:
    """Logits [V] after these tokens [T], by the forward; the cache advances."""
    ids = torch.as_tensor(ids, device=model.device).view(1, -1)
    places = torch.arange(cache.length, cache.length + ids.shape[1], device=model.device).expand(3, 1, -1)
    return model.logits(model(ids, places, cache)[0, -1])


def random_ids(model: VisionLanguageModel, tokens: int, seed: int) -> Tensor:
    """[T] above the special tokens of the built-in model's tokenizer."""
    generator = torch.Generator(model.device).manual_seed(seed)
    high = model.config.text.vocab_size
    return torch.randint(300, high, (tokens,), generator=generator, device=model.device)


def screen(lab: Lab, seed: int) -> Image.Image:
    width, height = lab.sizes.screen
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Still.of(Image.fromarray(noise))


def apart(ours: Tensor, theirs: Tensor) -> float:
    return float((ours.double() - theirs.double()).norm() / theirs.double().norm())


def wall(work: Callable[[], Any]) -> float:
    """Seconds until the device is done."""
    start = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _no_pictures(picture: Picture) -> VisionFeatures:
    raise AssertionError("a prompt of text has no pictures")


def _used_bytes() -> int:
    """The most so far, since `_forget`."""
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0


def _forget() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
