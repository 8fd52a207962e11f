"""Pictures of the training data, to be looked at: `python -m train.look --count 24 --out DIR`.

Each picture shows a page, a turn on it (task, thought, action) and where the action lands. `--named` draws turns of
single clauses. Also prints what the turns are: shares of kinds, how far in a task they stand, how many name a target
that only the page names, which bucket they fall into, pages a second.
"""

import argparse
import os
import random
import re
import textwrap
from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from .data import BUCKETS, SHARES, encode_turn
from .pages import HEIGHT, WIDTH
from .render import Renderer, Scene
from .shape import SHAPES
from .tasks import TaskWriter, Turn
from .tasks.sight import plain
from .tokenizer import make_tokenizer

PANEL = 180  # px of text under a page
PAGES = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=24, help="turns to draw, one per page")
    parser.add_argument("--pages", type=int, default=0, help="pages for the statistics, drawn or not")
    parser.add_argument("--split", default="train", choices=["train", "heldout"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", default="", help="only turns of these kinds, by commas")
    parser.add_argument("--named", action="store_true", help="single clauses")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    kinds, tokenizer, renderer = (
        set(filter(None, args.kinds.split(","))),
        make_tokenizer(),
        Renderer(PAGES, SHAPES["p8"]),
    )
    counts, done, unsaid, tokens, drawn, seed = Counter(), Counter(), [], [], [], args.seed
    begin, pages = cpu_seconds(), 0
    while len(drawn) < (args.count if args.out else 0) or pages < args.pages:
        seeds = list(range(seed, seed + PAGES))
        for number, scene in zip(seeds, renderer.render(seeds, args.split), strict=True):
            writer = TaskWriter(scene, random.Random(number), args.split)
            turns = writer.named(24) if args.named else writer.turns(12)
            counts.update(turn.kind for turn in turns)
            done.update(min(lines_done(turn), 8) for turn in turns)
            unsaid += [is_unsaid(turn) for turn in turns if turn.box and "'" in turn.thought]
            tokens += [sum(map(len, encode_turn(turn, tokenizer))) for turn in turns]
            fitting = [t for t in turns if not kinds or t.kind in kinds]
            if fitting and len(drawn) < args.count:
                drawn.append(picture(scene, random.Random(number).choice(fitting), number))
        seed, pages = seed + PAGES, pages + PAGES
    seconds = cpu_seconds() - begin
    renderer.close()
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        for i in range(0, len(drawn), 6):
            cv2.imwrite(str(args.out / f"sheet-{i // 6:02}.png"), sheet(drawn[i : i + 6])[..., ::-1])
    total = sum(counts.values())
    print(" ".join(f"{kind} {n / total:.1%}" for kind, n in counts.most_common()))
    print(
        "steps done before: " + " ".join(f"{n} {done[n] / total:.0%}" for n in sorted(done)) + " (8: or more)"
    )
    print(f"targets that the task does not name: {np.mean(unsaid):.0%}")
    print(by_bucket(np.array(tokens)))
    print(f"tokens: median {np.median(tokens):.0f}, 95% {np.quantile(tokens, 0.95):.0f}, most {max(tokens)}")
    print(f"{pages} pages, {total} turns; {pages / seconds:.0f} pages/s of one core, Chromium included")


def lines_done(turn: Turn) -> int:
    return len(turn.user.split("\nDone:\n")[1].split("\n")) if "\nDone:\n" in turn.user else 0


def is_unsaid(turn: Turn) -> bool:
    """Whether the last thing that the thought names is nowhere in the task: it must have been read."""
    names = re.findall(r"'([^']+)'", turn.thought)
    return bool(names) and plain(names[-1]) not in plain(turn.user.split("\nDone:\n")[0])


def by_bucket(tokens: np.ndarray) -> str:
    """Of all turns, how many have the length of each bucket, and how many are trained there in the end."""
    edges = {name: size for name, (_, size) in BUCKETS.items() if name != "named"}
    weights = {name: BUCKETS[name][0] * SHARES[name][1] for name in edges}
    shares, below = [], 0
    for name, size in edges.items():
        drawn, trained = np.mean((tokens > below) & (tokens <= size)), weights[name] / sum(weights.values())
        shares.append(f"{name} {drawn:.0%} drawn, {trained:.0%} trained")
        below = size
    return f"lengths: {'; '.join(shares)}; too long {np.mean(tokens > below):.1%}"


def cpu_seconds() -> float:
    """What this process and all that it started have used, by /proc."""
    parents, used = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except FileNotFoundError:  # ended meanwhile
            continue
        pid = int(stat.parent.name)
        parents[pid], used[pid] = (
            int(fields[1]),
            (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"),
        )

    def is_ours(pid: int) -> bool:
        return pid == os.getpid() or (pid in parents and is_ours(parents[pid]))

    return sum(seconds for pid, seconds in used.items() if is_ours(pid))


def picture(scene: Scene, turn: Turn, number: int) -> np.ndarray:
    image = np.full((HEIGHT + PANEL, WIDTH, 3), 255, np.uint8)
    image[:HEIGHT] = scene.image
    if turn.box:
        x, y, w, h = (round(v) for v in turn.box)
        cv2.rectangle(image, (x, y), (x + w, y + h), (255, 0, 200), 1)
    for key, color in (("start_coordinate", (0, 160, 0)), ("coordinate", (255, 0, 0))):
        if point := turn.action.get(key):
            at = (round(point[0] * WIDTH / 1000), round(point[1] * HEIGHT / 1000))
            cv2.drawMarker(image, at, color, cv2.MARKER_CROSS, 13, 1)
    said = {k: v for k, v in turn.action.items() if "coordinate" not in k}
    lines = [line for part in turn.user.split("\n") for line in textwrap.wrap(part, 78)]
    lines += textwrap.wrap(f"=> {turn.thought} | {said}", 78) + [f"[{turn.kind} {number}]"]
    for i, line in enumerate(lines):
        ascii_only = line.encode("ascii", "replace").decode()
        cv2.putText(
            image,
            ascii_only,
            (3, HEIGHT + 13 + 13 * i),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.38,
            (0, 0, 0),
            1,
            cv2.LINE_AA,
        )
    return image


def sheet(pictures: list[np.ndarray]) -> np.ndarray:
    """Three in a row."""
    blank = np.full_like(pictures[0], 255)
    padded = pictures + [blank] * (-len(pictures) % 3)
    rows = [
        np.hstack([np.pad(p, ((0, 6), (0, 6), (0, 0))) for p in padded[i : i + 3]])
        for i in range(0, len(padded), 3)
    ]
    return np.vstack(rows)


if __name__ == "__main__":
    main()
