"""The network on a GPU: `python -m bench gpu`, at the shape of Qwen3.5-35B-A3B with random weights.

All parts, or those named by `--only`. Of the network's pieces: kernels, each of a decode step; prefill, the
delta rule in chunks, experts and attention of many tokens; greedy, 200 tokens of a graph against the ordinary
forward; decode, one sequence's tokens per second. Of the whole, for the table of targets at
the end: rows, 32 sequences at a time; long, up to a million tokens before; prompts; image, one screenshot;
agent, a step of it in the engine; peers, `transformers` on the same tensors; start, the first request of a
process; memory, int4 weights.

A part first says whether it is right, against its reference; what is wrong is not timed, and ends the
program with status 1 once the other parts have run. Times stand beside what this card's own speed of copying
and multiplying allows. One JSON line for each part is appended to bench/results/gpu.jsonl as soon as it ends.
`--quick` is for the first look at a card: the first four parts, fewer shapes, 8 of the 40 layers, no
`transformers`. `--plot FILE` draws the last `long` part, beside lines that are computed from shapes.

`--weights bf16 fp8 int8 int4` names the formats in which kernels are run and the network decodes (bf16 alone
where nothing is said); a part of its own for each.
"""

import argparse
import gc
import json
import platform
import shutil
import subprocess
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import triton
from rich.console import Console
from rich.table import Table
from saccade.model.cache import HybridCache
from saccade.model.graphs import DecodeGraphs
from saccade.model.kernels import attend_prompt, has_triton, launch
from saccade.model.quantise import Kind
from saccade.model.vlm import VisionLanguageModel
from torch import Tensor

from bench import _gpu_prefill as chunks
from bench._gpu_lab import START, Lab, Wrong, copy_speed, matmul_speed, say, table_of, timed
from bench._gpu_models import (
    BITS,
    SMALL,
    TEXT,
    VISION,
    network,
    peer_of,
    prefill,
    random_model,
    step_bytes,
    without_network,
)
from bench._gpu_parts import allowed_error, long_contexts, many_rows
from bench._gpu_plot import plot
from bench._kernel_cases import A3B, MANY_CASES, PROMPT_CASES, TOLERANCE, Case, Make, Noise, Shape, cases_of

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
QUICK = ("kernels", "prefill", "greedy", "decode")
Part = Callable[[Lab], dict[str, Any]]


def late(module: str, name: str) -> Part:
    """A part whose imports are its own trouble: where a package is missing, the others still run."""
    return lambda lab: getattr(import_module(f"bench.{module}"), name)(lab)


TABLE: dict[str, Part] = {
    "rows": many_rows,
    "long": long_contexts,
    "prompts": late("_gpu_engine", "prompts"),
    "image": late("_gpu_engine", "picture"),
    "agent": late("_gpu_engine", "agent"),
    "start": without_network(late("_gpu_start", "start")),
    "memory": without_network(late("_gpu_engine", "memory")),
    "peers": late("_gpu_peers", "peers"),
}
PARTS = (*QUICK, *TABLE)
COMPILERS = 8  # threads: most of a compilation runs outside Python's lock
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
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw long contexts as measured; no GPU")
    args = parser.parse_args()
    if args.plot:
        raise SystemExit(print(plot(RESULTS, args.plot)))
    if not torch.cuda.is_available() or not has_triton():
        raise SystemExit("needs a CUDA GPU and triton")
    layers = args.layers or (8 if args.quick else 40)
    shapes = {name: CHECKED[name] for name in ("odd", "35B-A3B")} if args.quick else CHECKED
    cases = cases_of(args.weights) | MANY_CASES
    copy, matmul, alone = copy_speed(), matmul_speed(), args.quick or args.skip_peer
    about = {**facts(), "copy_TB_s": copy / 1e12, "matmul_TFLOP_s": matmul / 1e12}
    say(f"{about['gpu']}: copy {copy / 1e12:.2f} TB/s, product {matmul / 1e12:.0f} TFLOP/s")
    lab = Lab(lambda: network(layers), {**TEXT, "num_hidden_layers": layers}, VISION, copy, matmul)
    parts: dict[str, Part] = {
        "kernels": lambda lab: {
            "errors": check_kernels(cases, shapes) | check_kernels(prompt_cases(), shapes),
            "kernels": time_kernels(cases, copy),
        },
        "prefill": lambda lab: {"delta_rule": time_delta_rule(copy), **time_layers()},
        "greedy": lambda lab: {"differ": check_greedy()},
        **{f"decode {kind}": decode_part(layers, copy, alone, kind) for kind in args.weights},
        **TABLE,
    }
    usual = QUICK if args.quick else [name for name in PARTS if name != "peers" or not alone]
    chosen = [name for name in parts if name.split()[0] in (args.only or usual)]
    try:
        good = [run_part(name, parts[name], lab, about) for name in chosen]
    finally:  # an interrupt as well: whoever lends the card may want it back
        console.print(table_of(lab.rows))
    if not all(good):
        raise SystemExit(1)


def run_part(name: str, part: Part, lab: Lab, about: dict[str, Any]) -> bool:
    """Whether it was right. Its line is written at once, for a card may be gone before the next part."""
    say(f"{name} ...")
    known = {case: dict(row) for case, row in lab.rows.items()}
    try:
        result = dict(part(lab))
    except Exception as error:  # the other parts have their turn, and the program its status
        result = {"wrong": f"{type(error).__name__}: {error}"[:500]}
        if not isinstance(error, Wrong):
            traceback.print_exc()
    table = {case: row for case, row in lab.rows.items() if row != known.get(case)}
    layers, until = lab.text["num_hidden_layers"], round(time.perf_counter() - START)
    line = json.dumps({**about, "part": name, "until_s": until, "layers": layers, **result, "table": table})
    with open(RESULTS, "a", encoding="utf-8") as lines:
        lines.write(line + "\n")
    say(line)
    gc.collect()
    torch.cuda.empty_cache()
    return "wrong" not in result


def facts() -> dict[str, Any]:
    git = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True).stdout.strip() if shutil.which("git") else ""
    return {
        "date": date.today().isoformat(), "gpu": torch.cuda.get_device_name(), "torch": torch.__version__,
        "triton": triton.__version__, "python": platform.python_version(), "commit": commit,
        "peer_has_fla": find_spec("fla") is not None,
    }  # fmt: skip


def prompt_cases() -> dict[str, Make]:
    """None on a card that keeps torch's flash for prompts."""
    return PROMPT_CASES if attend_prompt.has_room(torch.device("cuda")) else {}


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
    jobs_alone = [(make, torch.bfloat16, timed_shape(name)) for name, make in cases.items()]
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


def graph_of(work: Callable[[], Any]) -> torch.cuda.CUDAGraph:
    work()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph


def timed_shape(case: str) -> Shape:
    return replace(A3B, batch=32) if case in MANY_CASES else A3B


def time_kernels(cases: dict[str, Make], copy: float) -> dict[str, dict[str, float]]:
    """Each in one graph over several sets of inputs, back to back, as in a step; with overlap and without."""
    columns = "kernel, 35B-A3B, 1 row (many: 32)", "MB", "µs", "limit", "share", "no overlap, µs"
    table, rows = Table(*columns), {}
    for name, make in cases.items():
        shape = timed_shape(name)
        sets = [make(Noise("cuda", torch.bfloat16, seed), shape) for seed in range(COPIES)]
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
            if rule.startswith("saccade") and not error < chunks.ALLOWED:
                raise Wrong(f"delta rule, {name}, {rule}: {error:.1e}, allowed {chunks.ALLOWED:.0e}")
            seconds = timed(run, 1, 5)
            values = {"ms": seconds * 1e3, "limit_ms": limit * 1e3, "share": limit / seconds, "error": error}
            rows[f"{name}, {rule}"] = values
            table.add_row(name, rule, *(f"{value:.2g}" for value in values.values()))
            say(f"{rule}: {seconds * 1e3:.2f} ms, delta rule, {name}")
    console.print(table)
    return rows


@torch.inference_mode()
def time_layers() -> dict[str, dict[str, float]]:
    """Prompts of 35B-A3B in one layer: a DeltaNet layer between its projections, experts, attention."""
    heads = chunks.SHAPES["prompt of 4,096, 35B-A3B"]
    works = {"a DeltaNet layer, 4,096 tokens": (chunks.layer_runs(heads), 0.0, chunks.ALLOWED_LAYER)}
    for tokens in (512, 4096):
        flops = chunks.expert_flops(tokens, TEXT)
        works[f"experts, {tokens} tokens"] = chunks.expert_runs(tokens, TEXT), flops, chunks.ALLOWED
    for new, before in ((1197, 31000), (8192, 0), (8192, 24576), (300, 31000)):
        runs = chunks.attention_runs(new, before, TEXT)
        flops = chunks.attention_flops(new, before, TEXT)
        works[f"attention, {new} tokens behind {before}"] = runs, flops, chunks.ALLOWED
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
    model = network(layers) if kind is None else random_model(text, "cuda", torch.bfloat16, kind)
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
    expected = ordinary(model, logits.argmax(-1, keepdim=True), cache.fork())[0]
    allowed = allowed_error(model, ids, int(logits.argmax()), expected)
    if not error < allowed:
        raise Wrong(f"logits of the graph: {error:.1e}, allowed {allowed:.1e}")
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


def decode_part(layers: int, copy: float, alone: bool, weights: str) -> Part:
    def part(lab: Lab) -> dict[str, Any]:
        return note_decode(lab, time_decode(layers, copy, alone, weights))

    return part if FORMATS[weights] is None else without_network(part)


def note_decode(lab: Lab, rows: dict[str, Any]) -> dict[str, Any]:
    """Its line of the table, which has none for integers."""
    values = {"ours": rows["saccade"], "limit": rows["limit"]}
    if "transformers" in rows:
        values["peer"] = rows["transformers"]
    case = {"bf16": "decode, 1k before", "fp8": "decode, fp8, 1k before"}.get(rows["weights"])
    if case:
        lab.note(case, **values)
    return rows


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
