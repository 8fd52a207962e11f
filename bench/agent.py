"""What the framework costs per step, model time excluded: Saccade, plain Playwright and browser-use.

    python -m bench agent [--steps 15] [--rounds 3] [--only saccade,playwright] [--json FILE]

Every contestant plays the same pages in a process of its own, with a model that answers at once. A step is
the time from one request to the model to the next. A frame is settled when it shows the end of the click
before it. browser-use lives in a venv of its own, made on first use; it is left out when that fails.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table
from saccade.tools.chromium import find_chromium

from bench._agent_pages import BOX, BUTTON, PAGES, VIEWPORT, serve

HERE = Path(__file__).parent / "contestants"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "saccade-bench"
PEER = "browser-use==0.13.14"
CONTESTANTS = ("saccade", "playwright", "browser-use")
RUN_S = 180

console = Console()


def main() -> None:
    options = _options()
    contestants = [name for name in CONTESTANTS if name in options.only.split(",")]
    interpreters = {name: python_of(name) for name in contestants}
    runs: dict[tuple[str, str], list[dict]] = {}
    plays = [
        (r, i, page, name)
        for r in range(options.rounds)
        for i, page in enumerate(PAGES)
        for name in contestants
    ]
    try:
        with serve() as address:
            for round_, index, page, name in plays:
                if interpreters[name]:
                    console.print(f"[dim]round {round_ + 1}: {page.name}: {name}[/dim]")
                    run = play(name, str(interpreters[name]), f"{address}/{index}", options.steps)
                    runs.setdefault((page.name, name), []).append(run)
    finally:  # an interrupt shows what there is
        rows = [summarise(page, name, found) for (page, name), found in runs.items()]
        show(rows, options)
        told = {"machine": machine(), "rows": rows}
        if options.json:
            options.json.write_text(json.dumps(told, indent=2) + "\n", "utf-8")
        print(json.dumps(told))


def play(name: str, python: str, url: str, steps: int) -> dict:
    """One contestant on one page; `start_s` is from the start of its process to its first request."""
    script = HERE / f"run_{name.replace('-', '_')}.py"
    order = {"url": url, "steps": steps, "button": BUTTON, "box": BOX, "size": VIEWPORT}
    command = [python, str(script), json.dumps({**order, "chromium": find_chromium(None, None)})]
    start = time.time()
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_S)
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"first"')]
    if not lines:
        raise SystemExit(f"{name} on {url} gave no result:\n{done.stderr[-2000:]}")
    return {**json.loads(lines[-1]), "start": start}


def summarise(page: str, name: str, found: list[dict]) -> dict:
    steps = sorted(seconds for run in found for seconds in run["steps"])
    count = len(steps)
    fresh = [it for run in found for it in run["fresh"]]
    return {
        "page": page,
        "contestant": name,
        "steps": count,
        "p50_s": statistics.median(steps),
        "p90_s": steps[int(0.9 * count)],
        "own_s": next(it.own_s for it in PAGES if it.name == page),
        "settled": sum(fresh) / len(fresh),
        "framework_cpu_s": sum(run["cpu"]["framework"] for run in found) / count,
        "browser_cpu_s": sum(run["cpu"]["browser"] for run in found) / count,
        "start_s": statistics.median(run["first"] - run["start"] for run in found),
    }


def show(rows: list[dict], options: argparse.Namespace) -> None:
    table = Table(title=f"{machine()}; {options.rounds} rounds of {options.steps} steps")
    for column in ("page", "contestant", "p50 s", "p90 s", "beyond own s", "settled", "CPU s", "start s"):
        table.add_column(column, justify="left" if column in ("page", "contestant") else "right")
    for row in rows:
        numbers = [row["p50_s"], row["p90_s"], row["p50_s"] - row["own_s"]]
        cpu = f"{row['framework_cpu_s']:.3f} + {row['browser_cpu_s']:.3f}"
        settled, start = f"{row['settled']:.0%}", f"{row['start_s']:.2f}"
        table.add_row(row["page"], row["contestant"], *(f"{it:.3f}" for it in numbers), settled, cpu, start)
    console.print(table)
    console.print("CPU s: per step, of the framework (Python and its driver) + of the browser")


def python_of(name: str) -> str | None:
    """The interpreter that runs a contestant; None, with a word about it, when the peer cannot be had."""
    if name != "browser-use":
        return sys.executable
    home = CACHE / PEER.replace("==", "-")
    python = home / "bin" / "python"
    if not (home / "ready").exists():
        console.print(f"installing {PEER} into {home}")
        for command in (
            [sys.executable, "-m", "venv", str(home)],
            [str(python), "-m", "pip", "install", "-q", PEER],
        ):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                console.print(f"[yellow]browser-use is left out: {done.stderr.strip()[-300:]}[/yellow]")
                return None
        (home / "ready").touch()
    return str(python)


def machine() -> str:
    """Cores and processor, as Linux names them."""
    cpu = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    return f"{os.cpu_count()} cores of {cpu}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench agent", description=str(__doc__).splitlines()[0])
    parser.add_argument("--steps", type=int, default=15, help="clicks on each page (at most 15: colours)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(CONTESTANTS), help="contestants, separated by commas")
    parser.add_argument("--json", type=Path, help="write the rows there")
    options = parser.parse_args()
    if not 2 <= options.steps <= 15:
        parser.error("--steps is 2 to 15")
    return options
