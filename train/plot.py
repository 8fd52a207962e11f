"""Draws the curves of a training from its logs: `python -m train.plot OUT [OUT ...] --to curves.png`.

Several folders are several trainings, drawn into the same axes, so that two shapes can be compared at equal time.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt

PANELS = ["loss_token", "loss_x", "loss_point", "loss_look", "loss_read", "read", "exact", "point", "hit"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", help="what train.train wrote to (--out)")
    parser.add_argument("--to", type=Path, default=Path("curves.png"))
    args = parser.parse_args()
    draw({folder.name: list(read_rows(folder)) for folder in args.folders}, args.to)
    print(args.to)


def read_rows(folder: Path) -> Iterator[dict[str, Any]]:
    """The windows and checks of all units, in order."""
    logs = sorted(folder.glob("log-*.jsonl"), key=lambda path: int(path.stem.removeprefix("log-")))
    if not logs:
        raise SystemExit(f"no log-*.jsonl in {folder}: name the folder that train.train wrote")
    for log in logs:
        yield from map(json.loads, log.read_text().splitlines())


def draw(trainings: dict[str, list[dict]], path: Path) -> None:
    """Training as lines, held-out measures as points; the x axis is minutes of training."""
    figure, axes = plt.subplots(3, 3, figsize=(14, 10), layout="constrained")
    for axis, name in zip(axes.flat, PANELS, strict=True):
        for colour, (title, rows) in enumerate(trainings.items()):
            windows = [row for row in rows if name in row]
            checks = [row for row in rows if name in row.get("held_out", ())]
            minutes = [row["seconds"] / 60 for row in windows]
            axis.plot(minutes, [row[name] for row in windows], color=f"C{colour}", label=title)
            minutes = [row["seconds"] / 60 for row in checks]
            axis.plot(minutes, [row["held_out"][name] for row in checks], "o", color=f"C{colour}")
        axis.set(title=name, xlabel="minutes")
        axis.grid(alpha=0.3)
        if name.startswith("loss"):
            axis.set_yscale("log")
        else:
            axis.set_ylim(0, 1)
    axes.flat[0].legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
