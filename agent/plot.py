"""A run as a chart: where the seconds of each step went, and the tokens of its prompt."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    from .run import Run

COLORS = {
    "observe": "#8fb8de",
    "vision": "#b49fcc",
    "prefill": "#f2b880",
    "decode": "#e5734f",
    "act": "#6fb98f",
}


def plot_run(run: "Run", path: Path) -> Path:
    """Raises InputError without matplotlib, and for a run without steps."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise InputError("plotting needs matplotlib: pip install matplotlib") from None
    if not run.steps:
        raise InputError(f"the run in {run.folder} has no step to draw")
    numbers = [step.number for step in run.steps]
    figure = Figure(figsize=(9, 5), layout="constrained")
    seconds, tokens = figure.subplots(2, 1, sharex=True)
    below = [0.0] * len(numbers)
    for phase, color in COLORS.items():
        heights = [asdict(step.timings)[phase] for step in run.steps]
        seconds.bar(numbers, heights, bottom=below, color=color, label=phase)
        below = [a + b for a, b in zip(below, heights, strict=True)]
    seconds.set_ylabel("seconds")
    seconds.legend(ncols=len(COLORS), frameon=False, fontsize=8)
    tokens.plot(numbers, [step.usage.prompt_tokens for step in run.steps], color="#2b4a6f", label="prompt")
    tokens.plot(numbers, [step.usage.cached_tokens for step in run.steps], color="#8fb8de", label="cached")
    tokens.set(ylabel="tokens", xlabel="step")
    tokens.legend(frameon=False, fontsize=8)
    figure.suptitle(f"{run.task[:80]} ({run.status})", fontsize=10)
    figure.savefig(path)
    return path
