"""Trains the built-in model in units of minutes: `python -m train.train --minutes 8.5 --of 25 --state DIR --out DIR`.

State (weights, optimizers, place in the data) lives in --state and is picked up by the next unit; --out receives what
comes home: bf16 weights in shards of at most 15 MiB, the log, and compiled graphs for the next fresh machine
(--graphs). `--of` is the whole time budget, which sets the learning-rate schedule; `--init` starts from weights that
came home earlier. The data is a function of the seed and the unit.
"""

import argparse
import json
import lzma
import time
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from .data import ahead, batches, loader, to_device
from .model import Trainee, balance_routers
from .optim import make_optimizers, schedule
from .tokenizer import make_tokenizer

WEIGHTS = {"token": 1.0, "x": 0.5, "y": 0.5, "point": 0.5, "look": 0.5, "read": 1.5, "role": 0.2, "mtp": 0.1}
SHARD = 15 << 20
HEADS = Path(__file__).with_name("heads.safetensors")  # the heads that only training uses


def main() -> None:
    args = _arguments()
    torch.set_float32_matmul_precision("high")
    torch.manual_seed(args.seed)
    balance_routers()
    trainee = Trainee(make_tokenizer()).to(args.device)
    trainee.trains_mtp = args.mtp
    optimizers = make_optimizers(trainee, args.lr)
    state = _resume(args, trainee, optimizers)
    if args.compile:
        _compile(trainee, args.graphs)
    print(
        f"{sum(p.numel() for p in trainee.model.parameters()) / 1e6:.2f} M parameters; unit {state['unit']}",
        flush=True,
    )
    held_out = batches(loader(4242, "heldout", 1), args.pages)
    checks = [next(held_out) for _ in range(args.checks)]
    del held_out
    stream = ahead(batches(loader(args.seed + state["unit"], "train", args.workers), args.pages))
    log = (args.out / f"log-{state['unit']}.jsonl").open("w")
    _train(args, trainee, optimizers, state, stream, checks, log)
    state["unit"] += 1
    _save(args, trainee, optimizers, state)


def _train(args, trainee, optimizers, state, stream, checks, log) -> None:
    begin = last = time.time()
    spent, window = state["seconds"], []
    while (elapsed := time.time() - begin) < args.minutes * 60 and state["step"] < args.max_steps:
        lr = schedule((spent + elapsed) / (args.of * 60), state["step"])
        losses, measures = _step(args, trainee, optimizers, next(stream), lr)
        state["step"] += 1
        window.append((losses, measures))
        if state["step"] % args.log_every == 0:
            row = {"step": state["step"], "seconds": round(spent + elapsed, 1), "lr": round(lr, 4)}
            row |= {f"loss_{k}": _mean([w[0][k] for w in window]) for k in losses}
            row |= {k: _mean([w[1][k] for w in window]) for k in measures}
            row["pages_per_s"] = round(len(window) * args.pages / (time.time() - last), 1)
            _report(row, log)
            window, last = [], time.time()
        if state["step"] % args.check_every == 0:
            _report({"step": state["step"], "held_out": _check(args, trainee, checks)}, log)
            last = time.time()
    state["seconds"] = spent + time.time() - begin
    _report({"step": state["step"], "held_out": _check(args, trainee, checks)}, log)


def _step(args, trainee, optimizers, arrays, lr: float) -> tuple[dict, dict]:
    batch = to_device(arrays, args.device, augment=True)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group.setdefault("base_lr", group["lr"]) * lr
        optimizer.zero_grad(set_to_none=True)
    with torch.autocast(args.device, torch.bfloat16):
        losses, measures = trainee(batch)
        total = torch.stack([WEIGHTS[name] * loss for name, loss in losses.items()]).sum()
    total.backward()
    torch.nn.utils.clip_grad_norm_(trainee.parameters(), 1.0)
    for optimizer in optimizers:
        optimizer.step()
    return {k: v.detach() for k, v in losses.items()}, {k: v.detach() for k, v in measures.items()}


def _check(args, trainee, checks) -> dict[str, float]:
    """Held-out measures; with gradients on, because that is the graph which is compiled already."""
    rows = []
    for arrays in checks:
        with torch.autocast(args.device, torch.bfloat16):
            measures = trainee(to_device(arrays, args.device, augment=False))[1]
        rows.append({k: v.detach() for k, v in measures.items()})
    return {k: _mean([row[k] for row in rows]) for k in rows[0]}


def _compile(trainee: Trainee, graphs: Path | None) -> None:
    """Layer by layer: every layer of a kind shares one compiled graph per shape. `graphs`: those of an earlier
    machine of the same kind, which save two minutes."""
    torch._dynamo.config.cache_size_limit = 64
    if graphs and graphs.exists():
        torch.compiler.load_cache_artifacts(lzma.decompress(graphs.read_bytes()))
    for block in trainee.model.visual.blocks:
        block.compile(dynamic=False)
    for layer in trainee.model.language_model.layers:
        layer.compile(dynamic=False)


def _resume(args, trainee, optimizers) -> dict:
    args.out.mkdir(parents=True, exist_ok=True)
    args.state.mkdir(parents=True, exist_ok=True)
    path = args.state / "state.pt"
    if not path.exists():
        if args.init:
            _load_init(args.init, trainee)
        return {"unit": 0, "step": 0, "seconds": 0.0}
    saved = torch.load(path, map_location=args.device, weights_only=True)
    trainee.load_state_dict(saved["trainee"])
    for optimizer, values in zip(optimizers, saved["optimizers"], strict=True):
        optimizer.load_state_dict(values)
    return saved["progress"]


def _load_init(folder: Path, trainee: Trainee) -> None:
    """Weights of a checkpoint in the official layout, and the training heads beside this file. A vocabulary that has
    grown keeps its old rows, matched by text; a new token starts as the mean of what spelled it before."""
    loaded = {
        k if k.startswith("model.") else f"model.{k}": v
        for k, v in load_file(folder / "model.safetensors").items()
    }
    weights = {k: v.float() for k, v in (loaded | load_file(HEADS)).items()}
    name = "model.language_model.embed_tokens.weight"
    before, after = Tokenizer.from_file(str(folder / "tokenizer.json")), make_tokenizer()
    rows = trainee.state_dict()[name].clone()
    for token, index in after.get_vocab().items():
        known = before.token_to_id(token)
        spelled = before.encode(token).ids if known is None else [known]
        rows[index] = weights[name][spelled].mean(0)
    trainee.load_state_dict(weights | {name: rows})


def _save(args, trainee, optimizers, state) -> None:
    saved = {
        "trainee": trainee.state_dict(),
        "optimizers": [o.state_dict() for o in optimizers],
        "progress": state,
    }
    torch.save(saved, args.state / "state.tmp")
    (args.state / "state.tmp").rename(args.state / "state.pt")
    shards, size = [{}], 0
    for name, tensor in trainee.state_dict().items():
        narrow = tensor.to("cpu", torch.bfloat16).contiguous()
        if size + 2 * narrow.numel() > SHARD:
            shards, size = [*shards, {}], 0
        shards[-1][name] = narrow
        size += 2 * narrow.numel()
    for i, shard in enumerate(shards):
        save_file(shard, args.out / f"weights-{i:02}.safetensors")
    if args.compile and (artifacts := torch.compiler.save_cache_artifacts()):
        (args.out / "graphs.xz").write_bytes(lzma.compress(artifacts[0], preset=1))


def _report(row: dict, log) -> None:
    log.write(json.dumps(row) + "\n")
    log.flush()
    print(" ".join(f"{k}={v}" for k, v in row.items()), flush=True)


def _mean(values: list) -> float:
    return round(float(torch.stack([v.float() for v in values]).mean()), 4)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=8.5, help="length of this unit")
    parser.add_argument("--of", type=float, default=25, help="minutes of the whole training")
    parser.add_argument(
        "--state", type=Path, default=Path("/tmp/saccade-train"), help="where units hand over"
    )
    parser.add_argument("--out", type=Path, required=True, help="where weights and logs come home to")
    parser.add_argument("--init", type=Path, help="checkpoint folder to start from")
    parser.add_argument(
        "--graphs", type=Path, help="graphs.xz of an earlier unit on the same kind of machine"
    )
    parser.add_argument("--lr", type=float, default=0.4, help="factor on the optimizers' base rates")
    parser.add_argument(
        "--mtp", action=argparse.BooleanOptionalAction, default=False, help="train the MTP head too"
    )
    parser.add_argument("--pages", type=int, default=48, help="pages per step")
    parser.add_argument("--workers", type=int, default=14)
    parser.add_argument("--checks", type=int, default=4, help="held-out batches")
    parser.add_argument("--check-every", type=int, default=500)
    parser.add_argument("--log-every", type=int, default=50)
    parser.add_argument("--max-steps", type=int, default=10**9)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=torch.cuda.is_available())
    return parser.parse_args()


if __name__ == "__main__":
    main()
