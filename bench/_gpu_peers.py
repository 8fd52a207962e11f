"""`transformers` on our tensors, for the rows of the table that it can fill: SDPA attention, the faster of
its two ways with experts, one logit per prompt, its own cache between steps, `fla` where installed."""

import statistics
from collections.abc import Callable
from typing import Any

import torch
from saccade.vision.processor import Processor
from torch import Tensor

from bench._gpu_engine import screen
from bench._gpu_lab import Lab, Wrong, say
from bench._gpu_models import peer_of, tower_of
from bench._gpu_parts import random_ids, wall

WARM = 1024  # tokens of the prompt that loads its kernels
SKIPPED = ("1k", "1M")  # `decode` measures the first; the last is beyond what it was made for
NEW = 1200  # tokens of an agent's step: a screenshot and some words


@torch.inference_mode()
def peers(lab: Lab) -> dict[str, Any]:
    """Each on its own: what one cannot do keeps no other from being measured."""
    failed, done = {}, []
    for work in (_picture, _prompts, _rows, _long, _agent):
        name = work.__name__.strip("_")
        try:
            work(lab)
            done.append(name)
        except (RuntimeError, ValueError, TypeError, AttributeError, ImportError) as error:
            failed[name] = f"{type(error).__name__}: {error}"[:200]
            say(f"peer, {name}: {failed[name]}")
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    if failed:
        raise Wrong(f"of the peer failed: {failed}")
    return {"peers": done}


def _peer(lab: Lab, experts: str = "grouped_mm") -> Any:
    return peer_of(lab.model, lab.text, experts)


def _picture(lab: Lab) -> None:
    tower = tower_of(lab.model, lab.vision)
    pixels, grid = Processor()([screen(lab, 0)], lab.model.device)
    pixels = pixels.to(lab.model.visual.pos_embed.weight.dtype)
    sizes = grid.to(lab.model.device)
    lab.note("picture, 1280 x 800", peer=_median(lambda: tower(pixels, sizes), 10) * 1e3)


def _prompts(lab: Lab) -> None:
    peer = _peer(lab)
    _read(peer, random_ids(lab.model, min(WARM, *lab.sizes.prompts.values()), 1))
    for name, tokens in lab.sizes.prompts.items():
        ids = random_ids(lab.model, tokens, 2)
        lab.note(f"prompt of {name}", peer=tokens / _median(lambda ids=ids: _read(peer, ids), 2))


def _rows(lab: Lab) -> None:
    """All rows behind the same prompt: its own loop over prompts would take too long."""
    rows, seconds = lab.sizes.rows, []
    ids = random_ids(lab.model, lab.sizes.rows_seen, 3)
    fed = random_ids(lab.model, rows, 4)[:, None]
    for experts in ("grouped_mm", "batched_mm"):
        peer = _peer(lab, experts)
        cache = _read(_peer(lab), ids)
        cache.reorder_cache(torch.zeros(rows, dtype=torch.long, device=lab.model.device))
        seconds.append(_decode(peer, cache, fed, 8))
    lab.note("decode, 32 rows, 4k before", peer=rows / min(seconds))


def _long(lab: Lab) -> None:
    """Behind keys and values of random numbers, as ours."""
    fed = random_ids(lab.model, 1, 5)[:, None]
    for name, tokens in lab.sizes.long.items():
        if name not in SKIPPED:
            cache, peer = _filled(lab, tokens), _peer(lab, "batched_mm")
            lab.note(f"decode, {name} before", peer=1 / _decode(peer, cache, fed, 8))


def _agent(lab: Lab) -> None:
    """Its encoder, the new tokens behind the history in its cache, then the written ones."""
    _picture(lab)
    tower_s = lab.rows["picture, 1280 x 800"]["peer"] / 1e3
    seen, times = lab.sizes.pictures * NEW, []
    new, fed = random_ids(lab.model, min(NEW, seen), 6), random_ids(lab.model, 1, 7)[:, None]
    reader, writer = _peer(lab), _peer(lab, "batched_mm")
    for _ in range(2):  # the first one warms up
        cache = _filled(lab, seen)
        times.append(wall(lambda cache=cache: _read(reader, new, cache)))
    token_s = _decode(writer, cache, fed, 8)
    lab.note("agent step, first token", peer=(tower_s + times[-1]) * 1e3)
    lab.note("agent step, 64 tokens", peer=(tower_s + times[-1] + (lab.sizes.written - 1) * token_s) * 1e3)


def _read(peer: Any, ids: Tensor, cache: Any = None) -> Any:
    """The cache after a prompt [T]."""
    out = peer(input_ids=ids[None], past_key_values=cache, use_cache=True, logits_to_keep=1)
    return out.past_key_values


def _decode(peer: Any, cache: Any, fed: Tensor, tokens: int) -> float:
    """Seconds of a step of fed [B, 1], greedily, the first two apart."""

    def step() -> None:
        nonlocal fed
        out = peer(input_ids=fed, past_key_values=cache, use_cache=True)
        fed = out.logits[:, -1:].argmax(-1)

    for _ in range(2):
        wall(step)
    return wall(lambda: [step() for _ in range(tokens)]) / tokens


def _filled(lab: Lab, tokens: int) -> Any:
    """The peer's cache after a short prompt, its keys and values made longer by random numbers."""
    from transformers.cache_utils import DynamicLayer

    cache = _read(_peer(lab), random_ids(lab.model, min(WARM, tokens), 8))
    for layer in cache.layers:
        if isinstance(layer, DynamicLayer):
            layer.keys, layer.values = (_longer(x, tokens) for x in (layer.keys, layer.values))
    return cache


def _longer(x: Any, tokens: int) -> Tensor:
    """x [B, G, S, D] with as many slots more as make `tokens`."""
    batch, groups, seen, dim = x.shape
    return torch.cat((x, 0.1 * x.new_empty(batch, groups, tokens - seen, dim).normal_()), dim=2)


def _median(work: Callable[[], Any], times_over: int) -> float:
    wall(work)
    return statistics.median(wall(work) for _ in range(times_over))
