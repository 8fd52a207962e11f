"""The network on a GPU: `python -m bench gpu`, at the shape of Qwen3.5-35B-A3B with random weights.

Four parts, or those named by `--only`. kernels: each of a decode step. prefill: the delta rule in chunks and
the experts of many tokens. greedy: 200 tokens of a graph against the ordinary forward. decode: tokens per
second. A part first says whether it is right, against its reference; what is wrong is not timed, and ends the
program with status 1 once the other parts have run. Times stand beside those that the bytes take at this
card's own copy speed, and beside peers: torch, `fla` where installed, `transformers` on the same tensors.

`--weights bf16 fp8 int8 int4` names the formats in which kernels are run and the network decodes (bf16 alone
where nothing is said); a part of its own for each.

Tables, and one JSON line for each part, which is also appended to bench/results/gpu.jsonl. `--quick` is for
the first look at a card: fewer shapes, 8 of the 40 layers, no `transformers`.
"""

import argparse
import gc
import json
import platform
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import triton
from rich.console import Console
from rich.table import Table
from saccade.model.cache import HybridCache
from saccade.model.graphs import DecodeGraphs
from saccade.model.kernels import has_triton, launch
from saccade.model.quantise import Kind
from saccade.model.vlm import VisionLanguageModel
from torch import Tensor

from bench import _gpu_prefill as chunks
from bench._gpu_models import BITS, SMALL, TEXT, peer_of, prefill, random_model, step_bytes
from bench._kernel_cases import A3B, TOLERANCE, Case, Make, Noise, Shape, cases_of

RESULTS = Path(__file__).parent / "results" / "gpu.jsonl"
ODD = Shape(3, 200, 2, 6, 24, 40, 6, 2, 40, 20, 37, 3, 72, 56, 333)
CHECKED = {
    "odd": ODD,
    "plain": replace(ODD, norm_offset=0.0, gated=False, shared=0, rotary=40),
    "35B-A3B": A3B,
    "35B-A3B, 5 rows": replace(A3B, batch=5),
}
COPIES = 8  # of a kernel's inputs in turn: more than the cache holds
SEEN, GREEDY, CAPACITY = 1024, 200, 32768
FORMATS: dict[str, Kind | None] = {"bf16": None, "fp8": "fp8", "int8": "int8", "int4": "int4"}
LOGITS = 0.1  # of |graph - forward| / |forward| in bf16, through all layers and their routers
PARTS = ("kernels", "prefill", "greedy", "decode")
COMPILERS = 8  # threads: most of a compilation runs outside Python's lock
START = time.perf_counter()
console = Console(width=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", action="append", choices=PARTS, help="this part; may be given again")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--layers", type=int, help="of the network that decodes")
    parser.add_argument(
        "--weights",
        nargs="+",
        choices=BITS,
        default=["bf16"],
        help="formats: of the network that decodes, and of the kernels besides bf16",
    )
    parser.add_argument("--skip-peer", action="store_true", help="no transformers")
    args = parser.parse_args()
    if not torch.cuda.is_available() or not has_triton():
        raise SystemExit("needs a CUDA GPU and triton")
    layers = args.layers or (8 if args.quick else 40)
    shapes = {name: CHECKED[name] for name in ("odd", "35B-A3B")} if args.quick else CHECKED
    cases = cases_of(args.weights)
    copy, alone = copy_speed(), args.quick or args.skip_peer
    about = {**facts(), "copy_TB_s": copy / 1e12}
    say(f"{about['gpu']}: copy {copy / 1e12:.2f} TB/s")
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "kernels": lambda: {"errors": check_kernels(cases, shapes), "kernels": time_kernels(cases, copy)},
        "prefill": lambda: {"delta_rule": time_delta_rule(copy), **time_layers()},
        "greedy": lambda: {"differ": check_greedy()},
        **{f"decode {kind}": partial(time_decode, layers, copy, alone, kind) for kind in args.weights},
    }
    chosen = args.only or PARTS
    good = [run_part(name, part, about) for name, part in parts.items() if name.split()[0] in chosen]
    if not all(good):
        raise SystemExit(1)


def run_part(name: str, part: Callable[[], dict[str, Any]], about: dict[str, Any]) -> bool:
    """Whether it was right. Its line is written at once, for a card may be gone before the next part."""
    say(f"{name} ...")
    try:
        result = part()
    except (Wrong, RuntimeError, triton.TritonError) as error:
        result = {"wrong": str(error)[:500]}
    line = json.dumps({**about, "part": name, "until_s": round(time.perf_counter() - START), **result})
    with open(RESULTS, "a", encoding="utf-8") as lines:
        lines.write(line + "\n")
    say(line)
    gc.collect()
    torch.cuda.empty_cache()
    return "wrong" not in result


class Wrong(Exception):
    """A part of the network does not compute what its reference does."""


def say(text: str) -> None:
    """With the seconds since the start: whoever waits for a card sees where they go."""
    print(f"[{time.perf_counter() - START:5.1f} s] {text}", flush=True)


def facts() -> dict[str, Any]:
    git = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True).stdout.strip() if shutil.which("git") else ""
    return {
        "date": date.today().isoformat(), "gpu": torch.cuda.get_device_name(), "torch": torch.__version__,
        "triton": triton.__version__, "python": platform.python_version(), "commit": commit,
        "peer_has_fla": find_spec("fla") is not None,
    }  # fmt: skip


def check_kernels(cases: dict[str, Make], shapes: dict[str, Shape]) -> dict[str, float]:
    """Relative errors by kernel, shape and format."""
    table, errors, wrong = Table("kernel", "shape", "fp32", "bf16"), {}, []
    compile_kernels(cases, shapes)
    for name, make in cases.items():
        for shape_name, shape in shapes.items():
            row = []
            for dtype, limit in TOLERANCE.items():
                error = make(Noise("cuda", dtype, seed=1), shape).error()
                errors[f"{name}, {shape_name}, {dtype}"] = error
                row.append(f"{error:.1e}")
                if not error < limit:
                    wrong.append(f"{name} at {shape_name} in {dtype}: {error:.2e}, allowed {limit:.0e}")
            table.add_row(name, shape_name, *row)
    console.print(table)
    say("kernels are checked")
    if wrong:
        raise Wrong("; ".join(wrong))
    return errors


def compile_kernels(cases: dict[str, Make], shapes: dict[str, Shape]) -> None:
    """All that `check_kernels` and `time_kernels` run, side by side."""
    jobs = [
        (make, dtype, shape) for make in cases.values() for dtype in TOLERANCE for shape in shapes.values()
    ]
    jobs_alone = [(make, torch.bfloat16, A3B) for make in cases.values()]
    with ThreadPoolExecutor(COMPILERS) as pool:
        for overlap, each in ((True, jobs), (False, jobs_alone)):
            launch.OVERLAP[0] = overlap
            list(pool.map(lambda job: job[0](Noise("cuda", job[1], seed=1), job[2]).run(), each))
    launch.OVERLAP[0] = True
    say(f"{len(jobs) + len(jobs_alone)} cases are compiled")


@torch.inference_mode()
def check_greedy() -> int:
    """How many of the tokens that a graph writes on its own in fp32 are not those of the ordinary forward."""
    model = random_model(SMALL, "cuda", torch.float32)
    ids = torch.randint(SMALL["vocab_size"], (50,), device="cuda")
    cache, logits = prefill(model, ids)
    token, different = logits.argmax(-1, keepdim=True), 0
    graphs = chain(DecodeGraphs(model, 1, 512, chained=True), cache, int(token))
    for _ in range(GREEDY):
        token = ordinary(model, token, cache).argmax(-1)
        different += int(graphs.step(1).argmax() != token)
    if different:
        raise Wrong(f"{different} of {GREEDY} greedy tokens differ from the ordinary forward")
    say(f"{GREEDY} greedy tokens are those of the ordinary forward")
    return different


def copy_speed() -> float:
    """Bytes per second, read and written."""
    source = torch.randn(2**30, device="cuda")
    target = torch.empty_like(source)
    return 2 * source.nbytes / timed(lambda: target.copy_(source), 1)


def timed(work: Callable[[], Any], pieces: int, times_over: int = 30) -> float:
    """Median seconds of one of the `pieces` of a piece of work, by the device's own clock."""
    work()
    times = []
    for _ in range(times_over):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        work()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) / 1e3 / pieces)
    return statistics.median(times)


def graph_of(work: Callable[[], Any]) -> torch.cuda.CUDAGraph:
    work()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph


def time_kernels(cases: dict[str, Make], copy: float) -> dict[str, dict[str, float]]:
    """Each in one graph over several sets of inputs, back to back, as in a step; with overlap and without."""
    table, rows = Table("kernel, 35B-A3B, 1 row", "MB", "µs", "limit", "share", "no overlap, µs"), {}
    for name, make in cases.items():
        sets = [make(Noise("cuda", torch.bfloat16, seed), A3B) for seed in range(COPIES)]
        seconds, alone = (timed(_all_of(sets, overlap).replay, COPIES) for overlap in (True, False))
        limit = sets[0].moved / copy
        rows[name] = {
            "MB": sets[0].moved / 1e6, "us": seconds * 1e6, "limit_us": limit * 1e6,
            "share": limit / seconds, "no_overlap_us": alone * 1e6,
        }  # fmt: skip
        table.add_row(name, *(f"{value:.2f}" for value in rows[name].values()))
    console.print(table)
    return rows


def time_delta_rule(copy: float) -> dict[str, dict[str, float]]:
    """In chunks, ours and others, with what its inputs and outputs would take alone."""
    table, rows = Table("delta rule", "rule", "ms", "limit", "share", "error"), {}
    for name, heads in chunks.SHAPES.items():
        runs, limit = chunks.delta_runs(heads), chunks.delta_bytes(heads) / copy
        expected = runs["torch"]()
        for rule, run in runs.items():
            error = chunks.worst(run(), expected)
            if rule == "saccade" and not error < chunks.ALLOWED:
                raise Wrong(f"delta rule, {name}: {error:.1e}, allowed {chunks.ALLOWED:.0e}")
            seconds = timed(run, 1, 5)
            values = {"ms": seconds * 1e3, "limit_ms": limit * 1e3, "share": limit / seconds, "error": error}
            rows[f"{name}, {rule}"] = values
            table.add_row(name, rule, *(f"{value:.2g}" for value in values.values()))
            say(f"{rule}: {seconds * 1e3:.2f} ms, delta rule, {name}")
    console.print(table)
    return rows


@torch.inference_mode()
def time_layers() -> dict[str, dict[str, float]]:
    """Prompts of 35B-A3B in one layer: a DeltaNet layer between its projections, and the routed experts."""
    heads = chunks.SHAPES["prompt of 4,096, 35B-A3B"]
    works = {"a DeltaNet layer, 4,096 tokens": (chunks.layer_runs(heads), 0.0, chunks.ALLOWED_LAYER)}
    for tokens in (512, 4096):
        flops = chunks.expert_flops(tokens, TEXT)
        works[f"experts, {tokens} tokens"] = chunks.expert_runs(tokens, TEXT), flops, chunks.ALLOWED
    rows = {}
    for name, (runs, flops, allowed) in works.items():
        expected = runs["torch"]()
        for rule, run in runs.items():
            error, seconds = chunks.worst(run(), expected), timed(run, 1, 5)
            if not error < allowed:
                raise Wrong(f"{name}: {error:.1e}, allowed {allowed:.0e}")
            row = {"ms": seconds * 1e3, "TFLOP_s": flops / seconds / 1e12, "error": error}
            rows[f"{name}, {rule}"] = row
            say(f"{rule}: {seconds * 1e3:.2f} ms, {name} ({row['TFLOP_s']:.0f} TFLOP/s)")
    return rows


def _all_of(cases: list[Case], overlap: bool) -> torch.cuda.CUDAGraph:
    launch.OVERLAP[0] = overlap
    try:
        return graph_of(lambda: [(case.launch or case.run)() for case in cases])
    finally:
        launch.OVERLAP[0] = True


@torch.inference_mode()
def time_decode(layers: int, copy: float, alone: bool, weights: str) -> dict[str, Any]:
    """Tokens per second of one sequence behind 1,024 tokens, with room for CAPACITY."""
    text, kind = {**TEXT, "num_hidden_layers": layers}, FORMATS[weights]
    model = random_model(text, "cuda", torch.bfloat16, kind)
    held = torch.cuda.memory_allocated() / 2**30
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    say(f"{layers} layers are made in {weights}: {held:.1f} GiB")
    ids = torch.randint(text["vocab_size"] - 1, (SEEN,), device="cuda")
    cache, logits = prefill(model, ids)
    torch.cuda.synchronize()
    say(f"{SEEN} tokens are read")
    error = logits_error(model, cache, int(logits.argmax()))
    say(f"logits of the graph against those of the ordinary forward: {error:.1e}")
    if not error < LOGITS:
        raise Wrong(f"logits of the graph: {error:.1e}, allowed {LOGITS}")
    token, limit = int(logits.argmax()), copy / step_bytes(text, SEEN, weights)
    rows = {"limit": limit, "saccade": step_speed(model, cache, token)}
    say(f"{rows['saccade']:.1f} tokens/s")
    launch.OVERLAP[0] = False
    rows["saccade, no overlap"] = step_speed(model, cache, token)
    launch.OVERLAP[0] = True
    say(f"{rows['saccade, no overlap']:.1f} tokens/s without overlap")
    peak = torch.cuda.max_memory_allocated() / 2**30
    say(f"{peak:.1f} GiB at the peak, with room for {CAPACITY} tokens")
    if not (alone or kind):
        rows["transformers"] = 1 / peer_seconds(model, text, ids)
        say(f"{rows['transformers']:.1f} tokens/s of transformers")
    table = Table(
        f"decode, 1 row, {SEEN} tokens before, {layers} layers, {weights}", "tokens/s", "share of limit"
    )
    for name, value in rows.items():
        table.add_row(name, f"{value:.1f}", f"{value / limit:.2f}")
    console.print(table)
    memory = {"weights_GiB": held, "peak_GiB": peak}
    return {"weights": weights, "layers": layers, **rows, "logits_error": error, **memory}


def step_speed(model: VisionLanguageModel, cache: HybridCache, token: int, steps: int = 20) -> float:
    graphs = chain(DecodeGraphs(model, 1, CAPACITY, chained=True), cache, token)
    return 1 / timed(lambda: [graphs.step(1) for _ in range(steps)], steps)


def chain(graphs: DecodeGraphs, cache: HybridCache, token: int) -> DecodeGraphs:
    """Ready to write what follows `token` on its own."""
    graphs.cache.load(0, cache)
    graphs.cache.counters.copy_(torch.tensor([[token], [cache.length], [cache.length]]))
    return graphs


def logits_error(model: VisionLanguageModel, cache: HybridCache, token: int) -> float:
    """|graph - ordinary| / |ordinary| of one token's logits, both in bf16."""
    ours = chain(DecodeGraphs(model, 1, 2 * SEEN), cache, token).step(1).double()
    theirs = ordinary(model, torch.tensor([token], device="cuda"), cache.fork()).double()
    return float((ours - theirs).norm() / theirs.norm())


def ordinary(model: VisionLanguageModel, token: Tensor, cache: HybridCache) -> Tensor:
    """Logits [1, V] after one more token [1], by the forward that everything else uses."""
    place = torch.full((3, 1, 1), cache.length, device="cuda")
    return model.logits(model(token[None], place, cache))[0]


def peer_seconds(model: VisionLanguageModel, text: dict[str, Any], ids: Tensor, tokens: int = 8) -> float:
    """Of one token, greedily, the better of the two ways that the experts of `transformers` can run."""
    peers = [peer_of(model, text, experts) for experts in ("grouped_mm", "batched_mm")]
    out = peers[0](input_ids=ids[None], use_cache=True, logits_to_keep=1)
    seconds = []
    for peer in peers:
        for count in (2, tokens):  # the first ones warm up
            torch.cuda.synchronize()
            start = time.perf_counter()
            for _ in range(count):
                fed = out.logits[:, -1:].argmax(-1)
                out = peer(input_ids=fed, past_key_values=out.past_key_values, use_cache=True)
            torch.cuda.synchronize()
        seconds.append((time.perf_counter() - start) / tokens)
    return min(seconds)


if __name__ == "__main__":
    main()
