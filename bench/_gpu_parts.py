"""Parts of `bench gpu` for the table of targets that need torch alone: many rows, long contexts; and what
those of `_gpu_engine.py` share with them. Each takes the lab, notes its rows there, and returns what else it
saw; it first says whether what it measures is right, where another way of computing it can say that."""

import gc
import time
from collections.abc import Callable
from typing import Any

import torch
from saccade.model.cache import HybridCache
from saccade.model.graphs import DecodeGraphs
from saccade.model.stepping import DeltaSlots, StaticCache
from saccade.model.vlm import VisionLanguageModel
from torch import Tensor

from bench._gpu_lab import Lab, Wrong, say, timed
from bench._gpu_limits import rows_bytes
from bench._gpu_models import prefill, step_bytes

LOGITS = 0.1  # of |ours - reference| / |reference| in bf16, through all layers and their routers


@torch.inference_mode()
def many_rows(lab: Lab) -> dict[str, Any]:
    """Tokens per second of all rows together, each behind a prompt of its own."""
    model, sizes = lab.model, lab.sizes
    graphs = DecodeGraphs(model, sizes.rows, sizes.rows_seen + 64 * sizes.steps, chained=True)
    checked, counters, allowed = [], [], LOGITS
    for row in range(sizes.rows):
        ids = random_ids(model, sizes.rows_seen, row)
        cache, logits = prefill(model, ids)
        graphs.cache.load(row, cache)
        counters.append([int(logits.argmax()), cache.length, cache.length])
        if row in (0, sizes.rows - 1):
            checked.append(forward(model, counters[-1][0], cache))
            allowed = max(allowed, allowed_error(model, ids, counters[-1][0], checked[-1]))
    say(f"{sizes.rows} prompts of {sizes.rows_seen} tokens are read")
    graphs.cache.counters.copy_(torch.tensor(counters).mT)
    ours = graphs.step(sizes.rows)  # the first: what it fed is known
    error = max(apart(ours[row], expected) for row, expected in zip((0, -1), checked, strict=True))
    if not error < allowed:
        raise Wrong(f"logits of {sizes.rows} rows: {error:.1e}, allowed {allowed:.1e}")
    seconds = timed(lambda: [graphs.step(sizes.rows) for _ in range(sizes.steps)], sizes.steps, 10)
    limit = rows_bytes(lab.text, sizes.rows_seen, sizes.rows) / lab.copy
    lab.note("decode, 32 rows, 4k before", ours=sizes.rows / seconds, limit=sizes.rows / limit)
    return {"ms_a_step": seconds * 1e3, "logits_error": error, "allowed": allowed}


def allowed_error(model: VisionLanguageModel, ids: Tensor, token: int, expected: Tensor) -> float:
    """LOGITS, or half again what the forward is from itself: ids [T] and the token read at once, against
    `expected`, the logits of the token read alone. 40 random routers make a third of bf16's last bit."""
    whole = prefill(model, torch.cat((ids, ids.new_tensor([token]))))[1]
    return max(LOGITS, 1.5 * apart(whole, expected))


@torch.inference_mode()
def long_contexts(lab: Lab) -> dict[str, Any]:
    """Tokens per second and memory behind states of random numbers: their values take no time."""
    points, steps = [], lab.sizes.steps
    for name, tokens in lab.sizes.long.items():
        forget()
        graphs = DecodeGraphs(lab.model, 1, tokens + 64 * steps, chained=True)
        fill(graphs.cache)
        graphs.cache.counters.copy_(torch.tensor([[7], [tokens], [tokens]]))
        seconds = timed(lambda graphs=graphs: [graphs.step(1) for _ in range(steps)], steps, 10)
        limit = lab.copy / step_bytes(lab.text, tokens)
        lab.note(f"decode, {name} before", ours=1 / seconds, limit=limit)
        points.append({"tokens": tokens, "tokens_s": 1 / seconds, "bytes": used_bytes()})
        del graphs
    return {"points": points, "copy": lab.copy}


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


def apart(ours: Tensor, theirs: Tensor) -> float:
    return float((ours.double() - theirs.double()).norm() / theirs.double().norm())


def wall(work: Callable[[], Any]) -> float:
    """Seconds until the device is done."""
    start = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def used_bytes() -> int:
    """The most so far, since `forget`."""
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0


def forget() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
