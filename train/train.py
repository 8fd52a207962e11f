"""Trains the built-in model in units of minutes: `python -m train.train --minutes 8.5 --of 25 --state DIR --out DIR`.

State (weights, optimizers, progress) lives in --state and is picked up by the next unit; --out receives what comes
home: bf16 weights in shards of at most 15 MiB, the log, the curves, and compiled graphs for the next fresh machine
(--graphs). `--of` is the whole time budget, which sets the learning rate and the curriculum; `--init` starts from
weights that came home earlier. The data is a function of the seed, the unit and the process.
"""

import argparse
import json
import lzma
import time
from contextlib import nullcontext
from importlib import import_module
from multiprocessing import Value
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from .ablation import PARTS, shape_without, weights_without
from .average import Average
from .branches import branch_layer
from .capture import Captured, Compute
from .data import PAGES, PageStream, ahead, batches, loader, to_device
from .model import Batch, Trainee, balance_routers
from .optim import make_optimizers, schedule
from .shape import SHAPES
from .team import Team, start
from .tokenizer import make_tokenizer
from .weights import load_checkpoint, save_shards
from .words import WORD_LIST, word_list

WEIGHTS = {"token": 1.0, "x": 0.5, "y": 0.5, "point": 0.5, "look": 0.5, "find": 0.3}
WEIGHTS |= {"read": 1.5, "role": 0.2, "mtp": 0.1}
AGREE_EVERY = 20  # steps between looks at the clock, which all processes share
PROFILED_STEPS = range(300, 304)  # when every shape of batch has been captured


def main() -> None:
    args = _arguments()
    start(train, args, args.gpus, args.device)


def train(team: Team, args: argparse.Namespace) -> None:
    torch.set_float32_matmul_precision("high")
    torch.manual_seed(args.seed)
    balance_routers()
    trainee = Trainee(make_tokenizer(), shape_without(SHAPES[args.shape], args.without)).to(team.device)
    trainee.trains_mtp, trainee.shares_prefix = args.mtp, args.shared
    optimizers = make_optimizers(trainee, args.lr)
    average = Average(trainee, args.average) if args.average else None
    state = _resume(args, team, trainee, optimizers, average)
    if args.compile:
        _compile(trainee, args.graphs)
    size = sum(p.numel() for p in trainee.model.parameters()) / 1e6
    words = (
        f"{len(word_list())} words of {WORD_LIST}"
        if word_list()
        else "no word list (apt-get install wamerican)"
    )
    _say(team, f"{size:.2f} M parameters, {team.size} processes, unit {state['unit']}, {words}")
    _train(args, team, trainee, optimizers, state, average)
    state["unit"] += 1
    if team.rank == 0:
        _save(args, trainee, optimizers, state, average, graphs=True)


def _train(
    args, team: Team, trainee: Trainee, optimizers, state: dict, average: Average | None = None
) -> None:
    lesson = Value("d", max(args.ahead, state["seconds"] / (60 * args.of)))
    seed = 1000 * (args.seed + state["unit"])
    thoughts = "thoughts" not in args.without
    pages = PageStream(trainee.shape, seed + team.rank, "train", lesson, thoughts, lots=seed)
    workers = max(1, args.workers // team.size)
    stream = ahead(batches(loader(pages, workers), args.pages))
    held_out = batches(loader(PageStream(trainee.shape, 4242, "heldout", None, thoughts), 1), args.pages)
    checks = [next(held_out) for _ in range(args.checks)]
    del held_out
    compute = _computing(args, team, trainee)
    log = Log(args.out / f"log-{state['unit']}.jsonl", team)
    begin, spent, first = time.time(), state["seconds"], state["step"]
    saved, progress = begin, spent / (60 * args.of)
    while state["step"] - first < args.max_steps:
        if (state["step"] - first) % AGREE_EVERY == 0:
            state["seconds"] = spent + team.agree(time.time() - begin)
            progress = state["seconds"] / (60 * args.of)
            lesson.value = max(progress, args.ahead)
            if state["seconds"] - spent >= 60 * args.minutes:
                break
            if team.rank == 0 and time.time() - saved >= 60 * args.save_every:
                _save(args, trainee, optimizers, state, average)
                saved = time.time()
        lr = schedule(progress, state["step"], args.decay_from)
        if args.profile and state["step"] - first == PROFILED_STEPS.start:
            _profile(args, team, trainee, compute, optimizers, stream, lr)
        asked = time.perf_counter()
        arrays = next(stream)
        waited = torch.tensor(time.perf_counter() - asked)
        measured = _step(team, trainee, compute, optimizers, arrays, lr) | {"waited": waited}
        state["step"] += 1
        if average:
            average.add()
        log.add(state, lr, measured, args.pages * team.size)
        if state["step"] % args.check_every == 0:
            _check_all(log, team, compute, checks, state, average)
    _check_all(log, team, compute, checks, state, average)


def _computing(args, team: Team, trainee: Trainee) -> Compute:
    """Forward and backward of a batch: fills the gradients, returns losses and measures."""
    weights, parameters = weights_without(WEIGHTS, args.without), list(trainee.parameters())

    def compute(batch: Batch) -> dict[str, torch.Tensor]:
        for parameter in parameters:
            parameter.grad = None
        with torch.autocast(team.device.type, torch.bfloat16):
            losses, measures = trainee(batch)
            total = torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()
        total.backward()
        told = {f"loss_{k}": v for k, v in losses.items()} | measures
        return {k: v.detach() for k, v in told.items()}

    return Captured(compute, parameters) if args.capture else compute


def _step(
    team: Team, trainee: Trainee, compute: Compute, optimizers, arrays: dict, lr: float
) -> dict[str, torch.Tensor]:
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group.setdefault("base_lr", group["lr"]) * lr
    measured = compute(to_device(arrays, team.device, augment=True))
    team.average_gradients(list(trainee.parameters()))
    torch.nn.utils.clip_grad_norm_(trainee.parameters(), 1.0)
    for optimizer in optimizers:
        optimizer.step()
    return measured


def _check_all(log: "Log", team: Team, compute: Compute, checks: list[dict], state: dict, average) -> None:
    log.check(state, _check(team, compute, checks))
    if average:
        with average.worn():
            log.check(state, _check(team, compute, checks), "averaged")


def _check(team: Team, compute: Compute, checks: list[dict]) -> dict[str, float]:
    """Held-out measures, by the computation of a step: that is the one which is compiled already."""
    rows = []
    for arrays in checks:
        measured = compute(to_device(arrays, team.device, augment=False))
        rows.append({k: v for k, v in measured.items() if not k.startswith("loss_")})
    return {k: team.agree(_mean([row[k] for row in rows])) for k in rows[0]}


def _profile(args, team: Team, trainee: Trainee, compute: Compute, optimizers, stream, lr: float) -> None:
    """Where a step's time goes, to OUT/profile.txt. The steps count as training like any other."""
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if team.device.type == "cuda" else [])]
    with profile(activities=activities) as seen:
        for _ in PROFILED_STEPS:
            _step(team, trainee, compute, optimizers, next(stream), lr)
        if team.device.type == "cuda":
            torch.cuda.synchronize()
    if team.rank == 0:
        order = "self_cuda_time_total" if team.device.type == "cuda" else "self_cpu_time_total"
        table = seen.key_averages().table(sort_by=order, row_limit=60, max_name_column_width=90)
        (args.out / "profile.txt").write_text(table)


def _compile(trainee: Trainee, graphs: Path | None) -> None:
    """Layer by layer: every layer of a kind shares one compiled graph per shape. `graphs`: those of an earlier
    machine of the same kind, which save two minutes."""
    torch._dynamo.config.cache_size_limit = 64
    if graphs and graphs.exists():
        torch.compiler.load_cache_artifacts(lzma.decompress(graphs.read_bytes()))
    # Of Triton, where the compiler must not look into it.
    own: Any = import_module("saccade.model.kernels.delta_chunks")
    own.delta_rule = torch.compiler.disable(own.delta_rule)
    for block in trainee.model.visual.blocks:
        block.compile(dynamic=False)
    for layer in trainee.model.language_model.layers:
        layer.compile(dynamic=False)
    trainee.branch_layer = torch.compile(branch_layer, dynamic=False)


def _resume(args, team: Team, trainee: Trainee, optimizers, average: Average | None = None) -> dict[str, Any]:
    for folder in (args.out, args.state):
        folder.mkdir(parents=True, exist_ok=True)
    path = args.state / "state.pt"
    if not path.exists():
        if args.init:
            load_checkpoint(args.init, trainee)
        if average:
            average.restart()
        return {"shape": args.shape, "unit": 0, "step": 0, "seconds": 0.0}
    saved = torch.load(path, map_location=team.device, weights_only=True)
    if saved["progress"]["shape"] != args.shape:
        raise SystemExit(
            f"{path} is of shape {saved['progress']['shape']}: give that --shape, or another --state"
        )
    trainee.load_state_dict(saved["trainee"])
    for optimizer, values in zip(optimizers, saved["optimizers"], strict=True):
        optimizer.load_state_dict(values)
    if average:
        average.load(saved["average"]) if saved.get("average") else average.restart()
    return saved["progress"]


def _save(
    args, trainee: Trainee, optimizers, state: dict, average: Average | None = None, graphs: bool = False
) -> None:
    """The averages come home where they are kept; the next unit goes on from the weights themselves."""
    saved = {
        "trainee": trainee.state_dict(),
        "optimizers": [o.state_dict() for o in optimizers],
        "progress": state,
        "average": average.state() if average else None,
    }
    torch.save(saved, args.state / "state.tmp")
    (args.state / "state.tmp").rename(args.state / "state.pt")
    with average.worn() if average else nullcontext():
        save_shards(trainee, args.out)
    if args.compile and graphs and (artifacts := torch.compiler.save_cache_artifacts()):
        (args.out / "graphs.xz").write_bytes(lzma.compress(artifacts[0], preset=1))


class Log:
    """A line of JSON per window of steps, on the screen and in a file; only the first process writes."""

    def __init__(self, path: Path, team: Team, every: int = 50):
        self.file = path.open("w") if team.rank == 0 else None
        self.team, self.every = team, every
        self.window: list[dict[str, torch.Tensor]] = []
        self.last = time.time()

    def add(self, state: dict, lr: float, measured: dict[str, torch.Tensor], pages: int) -> None:
        self.window.append(measured)
        if len(self.window) < self.every:
            return
        row = {"step": state["step"], "seconds": round(state["seconds"], 1), "lr": round(lr, 4)}
        row |= {name: _mean([each[name] for each in self.window]) for name in measured}
        row["pages_per_s"] = round(len(self.window) * pages / (time.time() - self.last), 1)
        self.write(row)
        self.window, self.last = [], time.time()

    def check(self, state: dict, measures: dict[str, float], name: str = "held_out") -> None:
        row = {"step": state["step"], "seconds": round(state["seconds"], 1)}
        self.write(row | {name: {k: round(v, 4) for k, v in measures.items()}})
        self.last = time.time()

    def write(self, row: dict) -> None:
        if self.file:
            self.file.write(json.dumps(row) + "\n")
            self.file.flush()
            _say(self.team, " ".join(f"{k}={v}" for k, v in row.items()))


def _say(team: Team, text: str) -> None:
    if team.rank == 0:
        print(text, flush=True)


def _mean(values: list[torch.Tensor]) -> float:
    return round(float(torch.stack([v.float() for v in values]).mean()), 4)


def _multiple_of_pages(text: str) -> int:
    if int(text) < PAGES or int(text) % PAGES:
        raise argparse.ArgumentTypeError(f"pages come in eights: give a multiple of {PAGES}")
    return int(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--shape", choices=SHAPES, default="p10")
    add(
        "--ahead",
        type=float,
        default=0.0,
        help="where the curriculum begins: 0.5, with --init, has no first half",
    )
    add("--minutes", type=float, default=8.5, help="length of this unit")
    add("--of", type=float, default=25, help="minutes of the whole training")
    add("--save-every", type=float, default=5, help="minutes between the saves of what a crash would lose")
    add("--state", type=Path, default=Path("/tmp/saccade-train"), help="where units hand over")
    add("--out", type=Path, required=True, help="where weights, logs and graphs come home to")
    add("--init", type=Path, help="checkpoint folder to start from, of any shape")
    add("--graphs", type=Path, help="graphs.xz of an earlier unit on the same kind of machine")
    add("--lr", type=float, default=0.7, help="factor on the optimizers' base rates")
    add("--decay-from", type=float, default=0.5, help="share of the whole training from which the rate falls")
    add("--average", type=float, default=0.0, help="0.998: what comes home is averaged over some 500 steps")
    add("--mtp", action=argparse.BooleanOptionalAction, default=True, help="train the MTP head too")
    add(
        "--shared",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="branches share the prefix's keys",
    )
    add("--without", choices=PARTS, nargs="*", default=(), help="parts left out (train.ablation)")
    add("--gpus", type=int, default=max(1, torch.cuda.device_count()), help="processes, one per GPU")
    add("--pages", type=_multiple_of_pages, default=16, help="pages per step and process")
    add("--workers", type=int, default=14, help="processes that render, over all GPUs")
    add("--checks", type=int, default=8, help="held-out batches")
    add("--check-every", type=int, default=500)
    add("--max-steps", type=int, default=10**9, help="of this unit")
    add("--profile", action="store_true", help="write OUT/profile.txt")
    add(
        "--capture",
        action="store_true",
        help="steps as CUDA graphs: for a host that cannot launch fast enough",
    )
    add("--seed", type=int, default=1, help="of pages and tasks: another one for every training")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    add("--compile", action=argparse.BooleanOptionalAction, default=torch.cuda.is_available())
    return parser.parse_args()


if __name__ == "__main__":
    main()
