"""Draws long contexts: `python -m bench gpu --plot FILE`, decode rate and memory over the tokens before.

Lines are computed from shapes: the hybrid, and a network of the same size whose 40 layers are all attention,
of the same heads. Dots are what the last `long` part in bench/results/gpu.jsonl measured, if there is one.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from bench._gpu_limits import row_bytes, weight_bytes
from bench._gpu_models import TEXT, step_bytes

COPY = 4.2e12  # bytes per second of an H200, where nothing was measured
OURS, OTHER = "#e5734f", "#2b4a6f"


def plot(results: Path, path: Path) -> str:
    """Returns what is on it, in words."""
    from matplotlib.figure import Figure

    measured = last_long(results)
    points, copy = (measured or {}).get("points", []), (measured or {}).get("copy", COPY)
    tokens = np.geomspace(1024, 2**20, 60).astype(int)
    figure = Figure(figsize=(10, 4), layout="constrained")
    rate, memory = figure.subplots(1, 2)
    rate.plot(tokens, [copy / hybrid_step(n) for n in tokens], color=OURS, label="hybrid, limit")
    rate.plot(tokens, [copy / attention_step(n) for n in tokens], color=OTHER, label="all attention, limit")
    rate.set(ylabel="tokens/s, one sequence", ylim=(0, None))
    hybrid, other = ([rule(n) / 1e9 for n in tokens] for rule in (hybrid_memory, attention_memory))
    memory.plot(tokens, hybrid, color=OURS, label="hybrid, computed")
    memory.plot(tokens, other, color=OTHER, label="all attention, computed")
    memory.set(ylabel="GB, weights and one sequence", ylim=(0, None))
    if points:
        seen = [point["tokens"] for point in points]
        dots: dict[str, Any] = {"color": OURS, "marker": "o", "linestyle": "none", "label": "measured"}
        rate.plot(seen, [point["tokens_s"] for point in points], **dots)
        memory.plot(seen, [point["bytes"] / 1e9 for point in points], **dots)
    for axis in (rate, memory):
        axis.set_xscale("log", base=2)
        axis.set_xticks([2**n for n in range(10, 21, 2)], ["1k", "4k", "16k", "64k", "256k", "1M"])
        axis.set_xlabel("tokens before")
        axis.grid(alpha=0.3)
        axis.legend(frameon=False, fontsize=8)
    where = f"measured on {measured['gpu']}, {measured['date']}" if measured else "nothing measured yet"
    figure.suptitle(f"35B-A3B in bf16; limits at {copy / 1e12:.2f} TB/s; {where}", fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    return f"{path}: {len(points)} measured points, {where}"


def last_long(results: Path) -> dict[str, Any] | None:
    """The last line of a `long` part that is right, at the whole depth."""
    lines = results.read_text("utf-8").splitlines() if results.is_file() else []
    rows = [json.loads(line) for line in lines]
    whole = [row for row in rows if row["part"] == "long" and row.get("points") and row.get("layers") == 40]
    return whole[-1] if whole else None


def hybrid_step(tokens: int) -> int:
    return step_bytes(TEXT, int(tokens))


def attention_step(tokens: int) -> int:
    weights = step_bytes(TEXT, 0) - 2 * row_bytes(TEXT, 0)
    return weights + row_bytes(TEXT, int(tokens), attention_layers=TEXT["num_hidden_layers"])


def hybrid_memory(tokens: int) -> int:
    return _weights() + row_bytes(TEXT, int(tokens))


def attention_memory(tokens: int) -> int:
    return _weights() + row_bytes(TEXT, int(tokens), attention_layers=TEXT["num_hidden_layers"])


def _weights() -> int:
    return weight_bytes(TEXT) + 2 * TEXT["hidden_size"] * TEXT["vocab_size"]
