"""Times and CPU seconds of one contestant, from the calls that its model gets. Standard library only."""

import json
import os
import time
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


class Meter:
    """`look(shown)` at each request to the model; the time between two requests is one step."""

    def __init__(self) -> None:
        self.first: float | None = None
        self.steps: list[float] = []
        self.fresh: list[bool] = []
        self._began = 0.0
        self._cpu: list[dict[str, float]] = []

    def look(self, shown: int | None) -> None:
        """`shown` is the number of the last click whose end the contestant sees; None: nothing readable."""
        now = time.perf_counter()
        if self.first is None:
            self.first = time.time()
        else:
            self.steps.append(now - self._began)
            self.fresh.append(shown == len(self.steps))
        self._cpu.append(cpu_seconds())
        self._began = time.perf_counter()

    def report(self) -> None:
        """One JSON line on stdout, the last of this process."""
        start, end = self._cpu[0], self._cpu[-1]
        spent = {name: end[name] - start[name] for name in start}
        result = {"first": self.first, "steps": self.steps, "fresh": self.fresh, "cpu": spent}
        print(json.dumps(result), flush=True)


def cpu_seconds() -> dict[str, float]:
    """CPU of this process and its driver, and of the browser below them (Linux)."""
    stats = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name, _, rest = (folder / "stat").read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue  # it ended just now
        fields = rest.split()
        stats[int(folder.name)] = (name, int(fields[1]), (int(fields[11]) + int(fields[12])) / _TICKS)
    totals = {"framework": 0.0, "browser": 0.0}
    for pid, (name, _, seconds) in stats.items():
        if _descends(pid, os.getpid(), stats):
            totals["browser" if "chrom" in name else "framework"] += seconds
    return totals


def _descends(pid: int, root: int, stats: dict) -> bool:
    while pid in stats and pid != root:
        pid = stats[pid][1]
    return pid == root


def click_shown(pixel: tuple[int, int, int]) -> int | None:
    """The number in the colour of the page's box."""
    red, green, blue = pixel
    return round(green / 16) if abs(red - 40) < 12 and abs(blue - 200) < 12 else None
