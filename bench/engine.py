"""The engine against `transformers`: same random checkpoint, same threads, a process each, rounds in turn.

    python -m bench engine [--threads 2] [--rounds 5] [--steps 40] [--out bench/results]

Reports the best of all rounds for each side, so that other work on the machine counts for neither. The peer
is at its best: SDPA attention, the fastest of its experts implementations, one logit per prompt, a loop
without `generate`. Then the shape of an agent: each step adds a screenshot and about 200 tokens.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from saccade.model.engine import Engine
from saccade.vision.still import Still

from ._checkpoint import make_checkpoint

PROMPT, WRITTEN = 1024, 64  # tokens
SCREEN = (640, 400)
EXPERTS = ("grouped_mm", "eager")  # "batched_mm" gathers the weights of every token: 20 times as slow here
WALKS = 3  # of ours through all steps; the best of them counts
PEER_STEPS = (1, 2, 5, 10, 20, 30, 40)  # it reads the whole history in each, so a few will do


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--steps", type=int, default=40)
    options.add_argument("--out", type=Path, default=Path("bench/results"))
    options.add_argument("--side", choices=("ours", "theirs"), help=argparse.SUPPRESS)
    options.add_argument("--memory", choices=("ours", "theirs"), help=argparse.SUPPRESS)
    options.add_argument("--walk", choices=("ours", "theirs"), help=argparse.SUPPRESS)
    options.add_argument("--checkpoint", type=Path, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    if chosen.side:
        serve_side(chosen.side, chosen.checkpoint)
        return
    if chosen.memory:
        print(peak_bytes(chosen.memory, chosen.checkpoint))
        return
    if chosen.walk:
        print(json.dumps(WALKERS[chosen.walk](chosen.checkpoint, chosen.steps)))
        return
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = make_checkpoint(Path(folder))
        speeds = compare_speed(checkpoint, chosen.threads, chosen.rounds)
        fresh = ["--checkpoint", checkpoint, "--threads", chosen.threads, "--steps", chosen.steps]
        memory = {side: in_a_process("--memory", side, *fresh) for side in ("ours", "theirs")}
        ours, theirs = (in_a_process("--walk", side, *fresh) for side in ("ours", "theirs"))
        steps = [row | theirs.get(str(row["step"]), {}) for row in ours]
    report(speeds, memory, steps, chosen)


def plain_engine(checkpoint: Path) -> Engine:
    """Token by token: a random network repeats itself, which guesses from earlier text would profit from."""
    return Engine.from_pretrained(checkpoint, lookups=0)


def load_peers(checkpoint: Path) -> dict[str, Any]:
    import transformers

    transformers.logging.set_verbosity_error()
    load = transformers.Qwen3_5MoeForConditionalGeneration.from_pretrained
    shared = {"dtype": torch.float32, "attn_implementation": "sdpa"}
    return {name: load(checkpoint, experts_implementation=name, **shared).eval() for name in EXPERTS}


def screenshot(seed: int) -> Image.Image:
    """Blocks of colour: as many pixels as a page, none of them alike in two steps."""
    blocks = np.random.default_rng(seed).integers(0, 256, (20, 32, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize(SCREEN, Image.Resampling.NEAREST)


def ours_text(engine: Engine, seed: int) -> dict[str, float]:
    """Seconds for a prompt that nothing is known of, and for each token written after it."""
    letters = np.random.default_rng(seed).integers(97, 123, PROMPT - 20, dtype=np.uint8)
    talk = [{"role": "user", "content": letters.tobytes().decode()}]
    reply = engine.generate(talk, max_tokens=WRITTEN, thinking="fast").finish()
    usage = reply.usage  # a random network may end its turn early
    assert usage.answer_tokens > WRITTEN // 4
    prefill = reply.timings["prefill"] / (usage.prompt_tokens - usage.cached_tokens)
    # What closes an empty thought is fed at once, no step of its own; else the prompt gives the first token.
    written = usage.answer_tokens - (usage.thinking_tokens == 0)
    return {"prefill": prefill * PROMPT, "decode": reply.timings["decode"] / written}


@torch.inference_mode()
def theirs_text(peer: Any, seed: int) -> dict[str, float]:
    ids = torch.randint(97, 123, (1, PROMPT), generator=torch.Generator().manual_seed(seed))
    start = time.perf_counter()
    out = peer(input_ids=ids, use_cache=True, logits_to_keep=1)
    token = out.logits[:, -1:].argmax(-1)
    prefill = time.perf_counter() - start
    start = time.perf_counter()
    for _ in range(WRITTEN - 1):
        out = peer(input_ids=token, past_key_values=out.past_key_values, use_cache=True)
        token = out.logits[:, -1:].argmax(-1)
        token.item()
    return {"prefill": prefill, "decode": (time.perf_counter() - start) / (WRITTEN - 1)}


def ours_image(engine: Engine, image: Image.Image) -> dict[str, float]:
    """Patches and features, where the engine computes them."""
    talk = [{"role": "user", "content": [{"type": "image", "image": image}]}]
    reply = engine.generate(talk, max_tokens=1, thinking="fast").finish()
    return {"image": reply.timings["vision"]}


@torch.inference_mode()
def theirs_image(peer: Any, processor: Any, image: Image.Image) -> dict[str, float]:
    start = time.perf_counter()
    cut = processor(images=[image], return_tensors="pt")
    peer.model.get_image_features(cut["pixel_values"], cut["image_grid_thw"])
    return {"image": time.perf_counter() - start}


def peer_processor() -> Any:
    from transformers import Qwen2VLImageProcessor

    size = {"shortest_edge": 65536, "longest_edge": 16777216}
    half = [0.5] * 3
    return Qwen2VLImageProcessor(patch_size=16, merge_size=2, size=size, image_mean=half, image_std=half)


class Side:
    """One of the two in a process of its own: the threads of one would take the cores of the other."""

    def __init__(self, name: str, checkpoint: Path, threads: int):
        command = [sys.executable, "-m", "bench", "engine", "--side", name, "--threads", str(threads)]
        self._process = subprocess.Popen(
            [*command, "--checkpoint", checkpoint],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def run(self, seed: int) -> dict[str, float]:
        """Seconds by measure."""
        assert self._process.stdin
        assert self._process.stdout
        print(seed, file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()


def serve_side(name: str, checkpoint: Path) -> None:
    """What `Side` starts: a seed in, seconds out."""
    engine = plain_engine(checkpoint) if name == "ours" else None
    peers, processor = ({}, None) if engine else (load_peers(checkpoint), peer_processor())
    for line in sys.stdin:
        seed, image = int(line), screenshot(1000 + int(line))
        if engine:
            measured = ours_text(engine, seed) | ours_image(engine, image)
        else:
            tries = [theirs_text(peer, seed) for peer in peers.values()]
            measured = {key: min(each[key] for each in tries) for key in tries[0]}
            measured |= theirs_image(peers[EXPERTS[0]], processor, image)
        print(json.dumps(measured), flush=True)


def compare_speed(checkpoint: Path, threads: int, rounds: int) -> dict[str, dict[str, float]]:
    """Best seconds of each side for each measure, in turn; the first round warms up."""
    best: dict[str, dict[str, float]] = {"ours": {}, "theirs": {}}
    sides = {name: Side(name, checkpoint, threads) for name in best}
    for seed in range(rounds + 1):
        for name, side in sides.items():
            for key, seconds in side.run(seed).items():
                best[name][key] = min(best[name].get(key, float("inf")), seconds) if seed else float("inf")
    for side in sides.values():
        side.close()
    return best


def peak_bytes(side: str, checkpoint: Path) -> int:
    """Of a process that loads one side alone, sees a picture, reads a prompt and writes."""
    image = screenshot(1)
    if side == "ours":
        engine = plain_engine(checkpoint)
        ours_text(engine, 1)
        ours_image(engine, image)
    else:
        peer = load_peers(checkpoint)[EXPERTS[0]]
        theirs_text(peer, 1)
        theirs_image(peer, peer_processor(), image)
    status = Path("/proc/self/status").read_text("ascii")  # getrusage would count the parent's peak too
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def in_a_process(*options: Any) -> Any:
    """What this program says with these options, in a process of its own: see `Side`."""
    command = [sys.executable, "-m", "bench", "engine", *map(str, options)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def conversation(steps: int) -> list[dict]:
    """As the agent's memory holds it: the screenshot of a step is the same object in all later ones."""
    talk = []
    for step in range(steps):
        seen = {"type": "image", "image": Still.of(screenshot(step))}
        told = {"type": "text", "text": f"Step {step}. " + "What the page says now. " * 4}
        done = f"I did step {step}. " + "And this is why. " * 3
        talk += [{"role": "user", "content": [seen, told]}, {"role": "assistant", "content": done}]
    return talk[:-1]


def walk_ours(checkpoint: Path, steps: int) -> list[dict[str, float]]:
    """Time to the first token at each step, through the engine."""
    engine, talk = plain_engine(checkpoint), conversation(steps)
    rows: list[dict[str, float]] = []
    for run in range(WALKS):  # by an engine that knows nothing of the last walk
        engine = Engine(engine.model, engine.chat, engine.processor, lookups=0)
        for step in range(1, steps + 1):
            reply = engine.generate(talk[: 2 * step - 1], max_tokens=1, thinking="fast").finish()
            usage, seconds = reply.usage, reply.timings["first_token"]
            if run == 0:
                rows.append({"step": step, "tokens": usage.prompt_tokens, "cached": usage.cached_tokens})
            rows[step - 1]["ours"] = min(rows[step - 1].get("ours", seconds), seconds)
    return rows


def walk_theirs(checkpoint: Path, steps: int) -> dict[int, dict[str, float]]:
    """The same from the whole history, at some of the steps."""
    engine, peer = plain_engine(checkpoint), load_peers(checkpoint)[EXPERTS[0]]
    talk, processor = conversation(steps), peer_processor()
    return {
        step: {"theirs": their_step(engine, peer, processor, talk[: 2 * step - 1])}
        for step in PEER_STEPS
        if step <= steps
    }


WALKERS = {"ours": walk_ours, "theirs": walk_theirs}


@torch.inference_mode()
def their_step(engine: Engine, peer: Any, processor: Any, messages: list[dict]) -> float:
    """Patches and ids of the same prompt; only the network and the picture processor are timed."""
    prompt = engine.encode(messages, [], False)
    ids = torch.from_numpy(prompt.ids)[None]
    start = time.perf_counter()
    cut = processor(images=prompt.images, return_tensors="pt")
    kinds = (ids == engine.model.config.image_token_id).int()
    out = peer(input_ids=ids, mm_token_type_ids=kinds, use_cache=True, logits_to_keep=1, **cut)
    out.logits[0, -1].argmax().item()
    return time.perf_counter() - start


def report(speeds: dict, memory: dict[str, int], steps: list[dict], chosen: argparse.Namespace) -> None:
    ours, theirs = speeds["ours"], speeds["theirs"]
    rows = [
        ("decode, tokens/s", 1 / ours["decode"], 1 / theirs["decode"], theirs["decode"] / ours["decode"]),
        ("prefill, tokens/s", PROMPT / ours["prefill"], PROMPT / theirs["prefill"],
         theirs["prefill"] / ours["prefill"]),
        ("image 640x400, ms", ours["image"] * 1e3, theirs["image"] * 1e3, theirs["image"] / ours["image"]),
        ("peak memory, MB", memory["ours"] / 1e6, memory["theirs"] / 1e6, memory["theirs"] / memory["ours"]),
    ]  # fmt: skip
    print(f"\n{'':20}{'saccade':>12}{'transformers':>14}{'ratio':>8}")
    for name, a, b, ratio in rows:
        print(f"{name:20}{a:12.1f}{b:14.1f}{ratio:8.2f}")
    first, last = steps[1]["ours"], steps[-1]["ours"]
    print(f"first token at step {len(steps)} / at step 2: {last / first:.2f}")
    chosen.out.mkdir(parents=True, exist_ok=True)
    facts = {"date": time.strftime("%Y-%m-%d"), "cpu": platform.processor(), "threads": chosen.threads}
    table = {name: {"saccade": a, "transformers": b, "ratio": ratio} for name, a, b, ratio in rows}
    with open(chosen.out / "engine.jsonl", "w", encoding="utf-8") as lines:
        for line in ({**facts, **table}, *steps):
            lines.write(json.dumps(line) + "\n")
    draw(steps, chosen.out / "engine.png")


def draw(steps: list[dict], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    theirs = [row for row in steps if "theirs" in row]
    axes.plot([r["step"] for r in theirs], [r["theirs"] for r in theirs], "o-", label="transformers")
    axes.plot([r["step"] for r in steps], [r["ours"] for r in steps], "o-", label="saccade")
    axes.set(xlabel="step, each with one 640x400 screenshot and ~200 tokens", ylabel="first token, s")
    axes.set_ylim(bottom=0)
    axes.legend()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
