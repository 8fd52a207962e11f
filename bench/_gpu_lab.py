"""What the parts of `bench gpu` share: the network that is measured, the clock, the card's own speeds, and
the table of targets that the parts fill."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from rich.table import Table
from saccade.model.vlm import VisionLanguageModel

START = time.perf_counter()
MOST_S = 8.0  # for the repetitions of one measurement


class Wrong(Exception):
    """A part of the network does not compute what its reference does."""


@dataclass(frozen=True)
class Target:
    unit: str
    goal: float | None  # a rate at least, a time or size at most
    digits: int = 0

    @property
    def more_is_better(self) -> bool:
        return self.unit == "tokens/s"

    def share(self, value: float, limit: float) -> float:
        return value / limit if self.more_is_better else limit / value

    def met(self, value: float) -> bool:
        assert self.goal is not None
        return value >= self.goal if self.more_is_better else value <= self.goal


# The limits of a step are the bytes that it must move at the measured copy speed, those of prompts and
# pictures their products at the measured speed of a large one.
TARGETS = {
    "decode, 1k before": Target("tokens/s", 420),
    "decode, 32k before": Target("tokens/s", None),
    "decode, 128k before": Target("tokens/s", 290),
    "decode, 256k before": Target("tokens/s", None),
    "decode, 1M before": Target("tokens/s", None),
    "decode, fp8, 1k before": Target("tokens/s", 700),
    "decode, 32 rows, 4k before": Target("tokens/s", 1700),
    "prompt of 8k": Target("tokens/s", 70_000),
    "prompt of 32k": Target("tokens/s", 60_000),
    "picture, 1280 x 800": Target("ms", 11, 1),
    "agent step, first token": Target("ms", 60, 1),
    "agent step, 64 tokens": Target("ms", 260, 1),
    "int4, 32k before": Target("GB", 22, 1),
    "first request": Target("s", 3, 2),
}
Row = dict[str, float]  # ours, limit, peer: what was measured of them
Rows = dict[str, Row]


@dataclass(frozen=True)
class Sizes:
    """In tokens, but for rows, pictures, steps and px; the names are those in the table."""

    rows: int = 32
    rows_seen: int = 4096
    long: Mapping[str, int] = field(
        default_factory=lambda: {"1k": 2**10, "32k": 2**15, "128k": 2**17, "256k": 2**18, "1M": 2**20}
    )
    prompts: Mapping[str, int] = field(default_factory=lambda: {"8k": 2**13, "32k": 2**15})
    screen: tuple[int, int] = (1280, 800)
    pictures: int = 20
    written: int = 64
    memory: int = 32768
    steps: int = 20  # of a graph in one measurement


@dataclass
class Lab:
    """`make` gives the network, once; `copy` in bytes and `matmul` in operations per second."""

    make: Callable[[], VisionLanguageModel]
    text: dict[str, Any]
    vision: dict[str, Any]
    copy: float
    matmul: float
    sizes: Sizes = Sizes()
    rows: Rows = field(default_factory=dict)

    @property
    def model(self) -> VisionLanguageModel:
        return self.make()

    def note(self, case: str, **values: float) -> None:
        """What was measured of a case of the table."""
        assert case in TARGETS, case
        self.rows.setdefault(case, {}).update(values)
        say(f"{case}: " + ", ".join(f"{name} {value:.4g}" for name, value in values.items()))


def say(text: str) -> None:
    """With the seconds since the start: whoever waits for a card sees where they go."""
    print(f"[{time.perf_counter() - START:5.1f} s] {text}", flush=True)


def timed(work: Callable[[], Any], pieces: int, times_over: int = 30) -> float:
    """Median seconds of one of the `pieces` of a piece of work, by the device's own clock; three runs at
    least, and no further one after MOST_S."""
    work()
    times, begin = [], time.perf_counter()
    while len(times) < min(times_over, 3) or (
        len(times) < times_over and time.perf_counter() - begin < MOST_S
    ):
        times.append(_clocked(work) / pieces)
    return statistics.median(times)


def _clocked(work: Callable[[], Any]) -> float:
    if not torch.cuda.is_available():
        start = time.perf_counter()
        work()
        return time.perf_counter() - start
    before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    before.record()
    work()
    after.record()
    after.synchronize()
    return before.elapsed_time(after) / 1e3


def copy_speed() -> float:
    """Bytes per second, read and written."""
    source = torch.randn(2**30, device="cuda")
    target = torch.empty_like(source)
    return 2 * source.nbytes / timed(lambda: target.copy_(source), 1)


def matmul_speed(size: int = 8192) -> float:
    """Operations per second of one large product in bf16."""
    a, b = (torch.randn(size, size, device="cuda").bfloat16() for _ in range(2))
    return 2 * size**3 / timed(lambda: a @ b, 1)


def table_of(rows: Rows) -> Table:
    """All targets, with what this run measured of them."""
    table = Table("35B-A3B on this card", "ours", "target", "limit", "share", "peer", "ours / peer")
    for case, target in TARGETS.items():
        row = rows.get(case, {})
        ours, limit, peer = (row.get(name) for name in ("ours", "limit", "peer"))
        goal = "-" if target.goal is None else f"{target.goal:,.{target.digits}f}"
        met = "" if ours is None or target.goal is None else (" +" if target.met(ours) else " !")
        share = "-" if ours is None or limit is None else f"{target.share(ours, limit):.2f}"
        ratio = "-" if ours is None or peer is None else f"{target.share(ours, peer):.1f}"
        shown = (f"{value:,.{target.digits}f}" if value is not None else "-" for value in (ours, limit, peer))
        ours_shown, limit_shown, peer_shown = shown
        table.add_row(f"{case}, {target.unit}", ours_shown + met, goal, limit_shown, share, peer_shown, ratio)
    return table
