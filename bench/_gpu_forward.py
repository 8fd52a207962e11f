"""The forward of a prompt in graphs (`model/prompt_graphs.py`) beside the ordinary one: first whether it is
right, on small networks, then how long the host and the card take."""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from saccade.model.cache import AttentionState, DeltaState, HybridCache
from saccade.model.decoder import LAST
from saccade.model.prompt_graphs import PromptGraphs
from saccade.model.vlm import VisionLanguageModel
from torch import Tensor

from bench._gpu_lab import Wrong, say
from bench._gpu_models import SMALL, SMALL_VISION, TEXT, random_model
from bench._gpu_parts import LOGITS, apart, random_cache

# Layers as they are in 35B-A3B, but few; small ones in fp32, with no more experts than a token gets: with
# sixteen, some choice of experts hung on a rounding in 3 random networks of 60, an error of up to 4%.
NETWORKS: dict[str, tuple[dict[str, Any], torch.dtype, float]] = {
    "small, fp32": ({**SMALL, "num_experts": SMALL["num_experts_per_tok"]}, torch.float32, 1e-4),
    "35B-A3B, 8 layers, bf16": ({**TEXT, "vocab_size": 512, "num_hidden_layers": 8}, torch.bfloat16, LOGITS),
}
BEFORE = 1000
# Tokens, and where a state is kept: a size before it has graphs, replays, another size, the first again.
RUNS = ((200, 190), (200, 190), (256, 1), (129, 0), (1197, 1190), (1200, 64), (199, 150))
REPLAYED = 5  # of them

Forward = Callable[..., Tensor]


@torch.inference_mode()
def check_prompt_graphs(device: str = "cuda") -> dict[str, dict[str, float]]:
    """Errors of what a forward gives and of the states that it leaves, in the worst of the runs: of `graphs`,
    and of the ordinary forward in `halves`, which says what hangs on roundings."""
    errors, on_card = {}, device == "cuda"
    for name, (text, dtype, least) in list(NETWORKS.items())[: None if on_card else 1]:
        model = random_model(text, device, dtype, vision=SMALL_VISION)
        graphs = PromptGraphs(model, None if on_card else lambda work: work)
        before, worst = random_cache(model, BEFORE), {"graphs": 0.0, "halves": 0.0}
        for seed, (tokens, cut) in enumerate(RUNS):
            ours, theirs, halves = (before.fork() for _ in range(3))
            x = embeddings(model, tokens, seed)
            given, expected = (
                run_once(run, x, cache, cut)
                for run, cache in ((graphs, ours), (model.language_model, theirs))
            )
            run_once(model.language_model, x[:, : tokens // 2], halves, 0)
            again = run_once(model.language_model, x[:, tokens // 2 :], halves, 0)
            noise = farthest([again, *states(halves)], [expected, *states(theirs)])  # of the forward itself
            pairs = [given, *states(ours), *kept(ours)], [expected, *states(theirs), *kept(theirs)]
            error = farthest(*pairs)
            allowed = max(least, 2 * noise)  # which is one draw of many
            if not error < allowed:
                raise Wrong(f"prompt graphs, {name}, {tokens} tokens: {error:.1e}, allowed {allowed:.1e}")
            worst = {"graphs": max(worst["graphs"], error), "halves": max(worst["halves"], noise)}
        errors[name] = worst
        far, halves = (f"{error:.1e}" for error in worst.values())
        replayed = f"{graphs.replayed} of {len(RUNS)} replayed"
        say(f"prompt graphs, {name}: {far} from the forward (its halves {halves}), {replayed}")
        if graphs.replayed != REPLAYED:
            raise Wrong(f"prompt graphs, {name}: {graphs.replayed} of {len(RUNS)} forwards were replayed")
    return errors


@torch.inference_mode()
def host_and_card(
    model: VisionLanguageModel, graphs: PromptGraphs, tokens: int, before: int
) -> dict[str, dict[str, float]]:
    """Medians in ms: `host`, until the forward of new tokens behind others is launched, and `whole`, until
    the card is done."""
    seen, x = random_cache(model, before), embeddings(model, tokens, 1)
    run_once(model.language_model, embeddings(model, 2, 2), seen, 0)  # from now on its buffers have room
    result = {}
    for name, run in (("ordinary", model.language_model), ("graphs", graphs)):
        times = [clocked(run, x, seen.fork()) for _ in range(8)][3:]
        host, whole = (statistics.median(each) * 1e3 for each in zip(*times, strict=True))
        result[name] = {"host_ms": host, "whole_ms": whole}
        say(f"forward of {tokens} behind {before}, {name}: {host:.1f} ms to launch, {whole:.1f} ms in all")
    return result


def clocked(run: Forward, x: Tensor, cache: HybridCache) -> tuple[float, float]:
    synchronise()
    start = time.perf_counter()
    run_once(run, x, cache, x.shape[1] - 9)
    launched = time.perf_counter() - start
    synchronise()
    return launched, time.perf_counter() - start


def run_once(run: Forward, x: Tensor, cache: HybridCache, cut: int) -> Tensor:
    """The state of the last token [1, 1, D]."""
    at = torch.arange(cache.length, cache.length + x.shape[1], device=x.device).expand(3, 1, -1)
    return run(x, at, cache, (), LAST, cut)


def embeddings(model: VisionLanguageModel, tokens: int, seed: int) -> Tensor:
    weight = model.language_model.embed_tokens.weight
    generator = torch.Generator(weight.device).manual_seed(seed)
    ids = torch.randint(len(weight), (1, tokens), generator=generator, device=weight.device)
    return model.language_model.embed_tokens(ids)


def states(cache: HybridCache) -> Iterator[Tensor]:
    """All that it holds in the end; of keys and values those that are new."""
    for state in cache.layers:
        if isinstance(state, AttentionState):
            yield from (state.keys[:, :, BEFORE:], state.values[:, :, BEFORE:])
        else:
            yield from (state.conv, state.recurrent)


def kept(cache: HybridCache) -> Iterator[Tensor]:
    """What it keeps of the way."""
    for state in cache.layers:
        if isinstance(state, DeltaState) and state.midway:
            yield from (state.midway.conv, state.midway.recurrent)


def farthest(ours: list[Tensor], theirs: list[Tensor]) -> float:
    return max(apart(a, b) for a, b in zip(ours, theirs, strict=True))


def synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
