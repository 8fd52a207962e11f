"""What a part of the model or its training is worth: `python -m train.ablation --minutes 6 --shape p10 --out DIR`.

Trains from scratch with everything and once without each part, for equally many minutes on one GPU each (side by side
where there are several), and prints the held-out measures of the last check as a table. What stands behind `--` goes to
`train.train`, for instance `-- --pages 48 --workers 56`. Parts: DeepStack's taps into the decoder, the pointer losses,
thoughts before actions.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from .shape import Shape

PARTS = ("deepstack", "pointer", "thoughts")
MEASURES = {"read": "characters read", "point": "pointer hits", "hit": "x and y hit", "exact": "turns exact"}


def shape_without(shape: Shape, parts: Collection[str]) -> Shape:
    return replace(shape, deepstack=shape.deepstack and "deepstack" not in parts)


def weights_without(weights: Mapping[str, float], parts: Collection[str]) -> dict[str, float]:
    """Of the losses: where the pointer is not trained, nothing tells layers to look at the target."""
    return {**weights, **({"point": 0.0, "look": 0.0, "find": 0.0} if "pointer" in parts else {})}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("--shape", default="p10")
    parser.add_argument("--gpus", type=int, default=1, help="trainings side by side")
    parser.add_argument("--out", type=Path, required=True)
    args, more = parser.parse_known_args()
    names = ["everything", *(f"without {part}" for part in PARTS)]
    folders = {name: args.out / name.replace(" ", "-") for name in names}
    waiting = list(folders.items())
    while waiting:
        batch, waiting = waiting[: args.gpus], waiting[args.gpus :]
        running = [
            subprocess.Popen(
                [*command(name, args.shape, args.minutes, folder), *(m for m in more if m != "--")],
                env={**os.environ, "CUDA_VISIBLE_DEVICES": str(i)},
            )
            for i, (name, folder) in enumerate(batch)
        ]
        if any([process.wait() for process in running]):  # noqa: C419 (all of them end)
            raise SystemExit("a training failed: see above")
    print(table({name: last_check(folder) for name, folder in folders.items()}))


def command(name: str, shape: str, minutes: float, out: Path) -> list[str]:
    without = ["--without", name.removeprefix("without ")] if name.startswith("without ") else []
    state = ["--state", str(out / "state"), "--out", str(out), "--gpus", "1"]
    budget = ["--minutes", str(minutes), "--of", str(minutes)]
    return [sys.executable, "-m", "train.train", "--shape", shape, *budget, *state, *without]


def last_check(folder: Path) -> dict[str, float]:
    """Steps and held-out measures at the end of a training."""
    rows = [json.loads(line) for line in (folder / "log-0.jsonl").read_text().splitlines()]
    row = next(row for row in reversed(rows) if "held_out" in row)
    return {"steps": row["step"], **row["held_out"]}


def table(found: Mapping[str, Mapping[str, float]]) -> str:
    """Markdown."""
    rows: list[Sequence[str]] = [["training", "steps", *MEASURES.values()], ["---"] * (2 + len(MEASURES))]
    for name, row in found.items():
        rows.append([name, str(row["steps"]), *(f"{row[measure]:.1%}" for measure in MEASURES)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    main()
