"""Many steps of a busy engine: random requests, forks, cancels, evictions and errors, against an oracle.

    python -m bench soak [--steps 100000] [--out bench/results]

A random sample of the finished replies is checked by one pass of the network that knows no cache, batch,
guess or chunk: not one token may be wrong. Memory must not grow by more than 5 % after the warm-up.
"""

import argparse
import gc
import json
import random
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from saccade.errors import SaccadeError
from saccade.model.chat import Prompt
from saccade.model.engine import Engine, Generation, Limits
from saccade.model.mtp import MultiTokenPredictor
from saccade.model.sampling import Sampling

from ._checkpoint import make_checkpoint

CALLERS, TALKS, WORDS = 6, 12, "buy the red lamp and go back to the list of all".split()
CHECKED = 0.2  # share of the finished replies that the oracle writes again
ROUNDING = 1e-3  # of a logit
GREEDY = Sampling()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--steps", type=int, default=100_000)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--out", type=Path, default=Path("bench/results"))
    chosen = options.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        engine = tiny_engine(Path(folder))
        result = Soak(engine, chosen.seed).run(chosen.steps)
    print(json.dumps(result))
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "soak.json").write_text(json.dumps(result, indent=2) + "\n")
    if result["wrong"] or result["growth"] > 0.05:
        raise SystemExit("the soak failed")


def tiny_engine(folder: Path) -> Engine:
    """The checkpoint of the comparison at its smallest, with a prediction head, and room for little."""
    shape = {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2, "num_key_value_heads": 1}
    shape |= {"head_dim": 64, "moe_intermediate_size": 8, "shared_expert_intermediate_size": 8}
    shape |= {"linear_key_head_dim": 8, "linear_value_head_dim": 8}
    shape |= {"layer_types": ["linear_attention"] * 3 + ["full_attention"], "max_position_embeddings": 2048}
    vision = {"depth": 1, "hidden_size": 32, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": 32}
    checkpoint = make_checkpoint(folder, shape, vision)
    limits = Limits(running=4, waiting=4, chunk_tokens=48, prefix_bytes=2**20, picture_bytes=2**15)
    plain = Engine.from_pretrained(checkpoint)
    torch.manual_seed(1)
    head = MultiTokenPredictor(replace(plain.model.config.text, mtp_num_hidden_layers=1))
    plain.model.mtp = head.requires_grad_(False)
    return Engine(plain.model, plain.chat, plain.processor, limits=limits, guesses=2)


class Soak:
    def __init__(self, engine: Engine, seed: int):
        self.engine, self.random = engine, random.Random(seed)
        self.talks = [[] for _ in range(TALKS)]
        self.counts = {"finished": 0, "cancelled": 0, "refused": 0, "checked": 0, "wrong": 0}

    def run(self, steps: int) -> dict[str, float]:
        start, warm, begin = time.perf_counter(), 0, self.engine.scheduler.steps
        peak = 0
        while (done := self.engine.scheduler.steps - begin) < steps:
            self.round()
            if done < steps * 0.2:
                warm = max(warm, resident_bytes())
            else:
                peak = max(peak, resident_bytes())
        while self.engine.scheduler.busy:  # it tells the end of a reply before it lets go of it
            time.sleep(0.01)
        self.engine.prefixes.shrink(0)
        gc.collect()
        growth = peak / warm - 1 if warm else 0.0
        facts = {"steps": done, "seconds": round(time.perf_counter() - start, 1), "growth": round(growth, 4)}
        return {**facts, **self.counts, "warm_mb": warm // 10**6, "peak_mb": peak // 10**6}

    def round(self) -> None:
        """A few callers at once; some of them leave, some ask for what cannot be."""
        generations = [self.ask() for _ in range(self.random.randint(1, CALLERS))]
        pieces = [(talk, g, iter(g)) for talk, g in generations]
        written: dict[int, list[int]] = {}
        while pieces:
            talk, generation, iterator = pieces.pop(self.random.randrange(len(pieces)))
            try:
                piece = next(iterator)
            except StopIteration:
                self.finish(talk, generation, written.get(id(generation), []))
                continue
            except SaccadeError:
                self.counts["refused"] += 1
                continue
            if piece.token is not None:
                written.setdefault(id(generation), []).append(piece.token)
            if self.random.random() < 0.02:
                iterator.close()
                self.counts["cancelled"] += 1
                continue
            pieces.append((talk, generation, iterator))

    def ask(self) -> tuple[list[dict], Generation]:
        """The next turn of some conversation, which may be cut back to an earlier one first."""
        talk = self.talks[self.random.randrange(TALKS)]
        if len(talk) > 12 or self.random.random() < 0.1:
            del talk[self.random.randrange(0, len(talk) + 1) // 2 * 2 :]
        words = " ".join(self.random.choices(WORDS, k=self.random.randint(1, 12)))
        content: list[dict] = [{"type": "text", "text": words}]
        if self.random.random() < 0.3:
            content.insert(0, {"type": "image", "image": screenshot(self.random.randrange(8))})
        if self.random.random() < 0.02:
            content = [{"type": "text", "text": "x" * 3000}]  # does not fit
        messages = [*talk, {"role": "user", "content": content}]
        limit = self.random.randint(1, 24)
        return messages, self.engine.generate(messages, thinking="fast", max_tokens=limit, sampling=GREEDY)

    def finish(self, messages: list[dict], generation: Generation, written: list[int]) -> None:
        assert generation.reply is not None
        self.counts["finished"] += 1
        talk = self.talks[self.random.randrange(TALKS)]
        talk[:] = [*messages, {"role": "assistant", "content": generation.reply.text or "."}]
        if self.random.random() < CHECKED:
            self.counts["checked"] += 1
            forced = generation.reply.usage.thinking_tokens  # the end of an empty thought: no choice
            self.counts["wrong"] += oracle(self.engine, generation.prompt, written, forced)


@torch.inference_mode()
def oracle(engine: Engine, prompt: Prompt, written: list[int], forced: int) -> int:
    """How many of the tokens, but for the first `forced`, one uncached pass over all would not choose.

    Two logits within rounding of each other are both right.
    """
    if not written:
        return 0
    prefill = engine.prefill(prompt)
    features = prefill._features(0, prefill.length, engine.pictures)
    said = torch.tensor([written[:-1]], dtype=torch.long)  # placeholders among them are words like any other
    x, taps = engine.model.embed(prefill.ids, features)
    x = torch.cat((x, engine.model.embed(said)[0]), dim=1)
    taps = [torch.nn.functional.pad(tap, (0, 0, 0, said.shape[1])) for tap in taps]
    after = prefill.next_position + torch.arange(said.shape[1])
    positions = torch.cat((prefill.positions, after.expand(3, 1, -1)), dim=-1)
    hidden = engine.model.language_model(x, positions, engine.model.empty_cache(), taps)
    logits = engine.model.logits(hidden[0, -len(written) :])
    chosen = logits.gather(1, torch.tensor(written)[:, None])[:, 0]
    return int((logits.amax(-1) - chosen > ROUNDING)[forced:].sum())


def screenshot(seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((96, 64), Image.Resampling.NEAREST)


def resident_bytes() -> int:
    """Of this process, now (Linux)."""
    with open("/proc/self/statm", encoding="ascii") as fields:
        return int(fields.read().split()[1]) * 4096


if __name__ == "__main__":
    main()
