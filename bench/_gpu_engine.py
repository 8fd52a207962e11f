"""Parts of `bench gpu` that go through the engine and what it needs: prompts, pictures, an agent's step, int4
weights. As those of `_gpu_parts.py`; apart from them, for a card's machine may lack a tokenizer or Pillow."""

import statistics
import time
from typing import Any

import numpy as np
import torch
from saccade.model.cache import HybridCache
from saccade.model.chat import ChatFormat
from saccade.model.engine import Engine
from saccade.model.graphs import DecodeGraphs
from saccade.model.hub import BUILTIN
from saccade.model.pictures import Picture, PictureCache
from saccade.model.prefill import Forward, Prefill
from saccade.model.prompt_graphs import PromptGraphs
from saccade.model.request import Limits, ModelReply
from saccade.model.sampling import Sampling
from saccade.model.scheduler import ALONE
from saccade.model.seats import Seats
from saccade.model.tower import TowerGraphs
from saccade.model.vlm import VisionLanguageModel
from saccade.vision.encoder import VisionFeatures
from saccade.vision.processor import Processor
from saccade.vision.still import Still
from torch import Tensor

from bench._gpu_forward import check_prompt_graphs, host_and_card
from bench._gpu_lab import Lab, Wrong, timed
from bench._gpu_limits import prompt_flops, row_bytes, tower_flops, weight_bytes
from bench._gpu_models import prefill, random_model, step_bytes
from bench._gpu_parts import allowed_error, apart, forget, forward, random_cache, random_ids, used_bytes, wall

CHUNK = Limits().chunk("cuda") * ALONE  # of a prompt, when nobody else waits for the engine


@torch.inference_mode()
def prompts(lab: Lab) -> dict[str, Any]:
    """Tokens per second of a prompt, in an engine's chunks when it has no other, when it has, and in larger
    ones, which fill the experts better and need more memory."""
    seen: dict[str, Any] = {}
    graphs = PromptGraphs(lab.model)
    for name, tokens in lab.sizes.prompts.items():
        ids = random_ids(lab.model, tokens, 1)
        whole, parts = (read(lab.model, ids, chunk, graphs) for chunk in (CHUNK, CHUNK // ALONE))
        error, alone = apart(parts, whole), forward(lab.model, int(ids[-1]), prefill(lab.model, ids[:-1])[0])
        allowed = allowed_error(lab.model, ids[:-1], int(ids[-1]), alone)
        if not error < allowed:
            raise Wrong(
                f"after chunks of {CHUNK // ALONE} and {CHUNK} tokens: {error:.1e}, allowed {allowed:.1e}"
            )
        larger = [chunk for chunk in (2 * CHUNK, 4 * CHUNK) if chunk <= tokens]
        rates = {
            chunk: tokens / timed(lambda ids=ids, chunk=chunk: read(lab.model, ids, chunk, graphs), 1, 5)
            for chunk in (CHUNK // ALONE, CHUNK, *larger)
        }
        limit = tokens / prompt_limit(lab, tokens)
        lab.note(f"prompt of {name}", ours=rates[CHUNK], limit=limit)
        seen[name] = {"tokens_s": rates, "logits_error": error, "allowed": allowed}
    return {**seen, "forwards_replayed": graphs.replayed}


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
    errors = check_prompt_graphs(lab.model.device.type)
    forget()
    engine, sizes = engine_of(lab), lab.sizes
    endless = Sampling(logit_bias=tuple((token, -1e9) for token in engine.chat.stop_ids))
    talk = [message for i in range(sizes.pictures) for message in turn(lab, i)]
    replies: list[tuple[float, ModelReply]] = []
    for step in range(8):
        talk += turn(lab, sizes.pictures + step)[:1]
        start = time.perf_counter()
        reply = engine.generate(talk, max_tokens=sizes.written, thinking="fast", sampling=endless).finish()
        replies.append((time.perf_counter() - start, reply))
        written = reply.usage.thinking_tokens + reply.usage.answer_tokens
        if written != sizes.written:
            raise Wrong(f"{written} tokens were written, not {sizes.written}")
        talk += turn(lab, sizes.pictures + step)[1:]
    timed_ones = replies[4:]  # the first ones read the history and capture graphs
    usages = [reply.usage for _, reply in timed_ones]
    new = [usage.prompt_tokens - usage.cached_tokens for usage in usages]
    seen = usages[-1].prompt_tokens
    first = statistics.median(reply.timings["first_token"] for _, reply in timed_ones)
    whole = statistics.median(seconds for seconds, _ in timed_ones)
    least = prompt_limit(lab, new[-1], seen - new[-1]) + _tower_limit(lab)
    writing = (sizes.written - 1) * step_bytes(lab.text, seen) / lab.copy
    lab.note("agent step, first token", ours=first * 1e3, limit=least * 1e3)
    lab.note("agent step, 64 tokens", ours=whole * 1e3, limit=(least + writing) * 1e3)
    assert engine.prompts is not None
    return {
        "prompt_tokens": seen, "new_tokens": new, "timings": replies[-1][1].timings,
        "first_tokens_s": [reply.timings["first_token"] for _, reply in replies],
        "graph_sizes": engine.prompts.sizes, "forwards_replayed": engine.prompts.replayed,
        "graph_errors": errors, "forward": host_and_card(lab.model, engine.prompts, new[-1], seen - new[-1]),
    }  # fmt: skip


@torch.inference_mode()
def memory(lab: Lab, device: str = "cuda") -> dict[str, Any]:
    """The most that int4 weights, the state of a long sequence and one more chunk of its prompt take."""
    forget()
    before = used_bytes()
    model = random_model(lab.text, device, torch.bfloat16, "int4", lab.vision)
    weights, sizes = used_bytes() - before, lab.sizes
    cache = random_cache(model, sizes.memory - CHUNK - 4)
    logits = forward(model, random_ids(model, CHUNK, 1), cache)
    in_steps = Seats.suit(model)
    logits = (after_steps if in_steps else after_forward)(model, int(logits.argmax()), cache)
    if not logits.isfinite().all():
        raise Wrong("logits of int4 weights are not finite")
    limit = weights + row_bytes(lab.text, sizes.memory)
    lab.note("int4, 32k before", ours=(used_bytes() - before) / 1e9, limit=limit / 1e9)
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
    graphs = DecodeGraphs(model, 1, capacity, chained=True, first=cache)
    graphs.cache.counters.copy_(torch.tensor([[token], [cache.length], [cache.length]]))
    for _ in range(tokens):
        logits = graphs.step(1)
    return logits[0]


def engine_of(lab: Lab) -> Engine:
    """The random network behind the built-in model's tokenizer and chat template."""
    chat = ChatFormat.from_pretrained(BUILTIN, lab.model.config)
    return Engine(lab.model, chat, Processor(), name="random")


def turn(lab: Lab, number: int) -> list[dict]:
    """A screenshot with some words, and what was answered."""
    said = f"The page after step {number}: the button was clicked and the list is sorted by price. " * 2
    content = [{"type": "image", "image": screen(lab, number)}, {"type": "text", "text": said}]
    return [{"role": "user", "content": content}, {"role": "assistant", "content": f"Step {number} is done."}]


def prompt_limit(lab: Lab, tokens: int, seen: int = 0) -> float:
    """Seconds: its products, or all weights once, whichever takes longer."""
    return max(prompt_flops(lab.text, tokens, seen) / lab.matmul, weight_bytes(lab.text) / lab.copy)


def _tower_limit(lab: Lab) -> float:
    patches = int(np.prod(Processor().grid(screen(lab, 0))))
    return tower_flops(lab.vision, lab.text["hidden_size"], patches) / lab.matmul


def read(model: VisionLanguageModel, ids: Tensor, chunk: int, forward: Forward | None = None) -> Tensor:
    """Logits [V] after a prompt [T] of text."""
    work = Prefill(model, ids.cpu().numpy(), (), frozenset(), forward)
    while not work.done:
        work.advance(chunk, _no_pictures)
    assert work.logits is not None
    return work.logits


def screen(lab: Lab, seed: int) -> Still:
    """As a browser's look hands it over (`vision.screen.decoded`)."""
    width, height = lab.sizes.screen
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Still.from_array(noise).named()


def _no_pictures(picture: Picture) -> VisionFeatures:
    raise AssertionError("a prompt of text has no pictures")
