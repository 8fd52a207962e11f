"""The table of docs/models.md is counted on the networks themselves.

After a change on purpose: `python tests/docs/test_models.py` prints it.
"""

import runpy
from pathlib import Path
from typing import Any

from saccade.model.config import ModelConfig
from saccade.ui.inspect import examine, size

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "models.md"
MACHINES = {
    "laptop 16 GB": "laptop, 16 GB",
    "24 GB card": "24 GB",
    "80 GB card": "80 GB",
    "H200 141 GB": "H200",
}
KINDS = ("bf16", "int8", "int4")
CONTEXT = 32768


def rows() -> list[str]:
    published: list[Any] = runpy.run_path(str(ROOT / "tests" / "model" / "published.py"))["PUBLISHED"]
    return [row(it) for it in published if not it.name.startswith("VL")]


def row(published: Any) -> str:
    report = examine(ModelConfig.from_dict(published.config))
    weights = [size(report.weight_bytes[kind]) for kind in KINDS]
    fits = [narrowest(report, machine) for machine in MACHINES]
    cells = [f"Qwen3.5-{published.name}", *weights, size(report.cache_bytes(CONTEXT)), *fits]
    return f"| {' | '.join(cells)} |"


def narrowest(report: Any, machine: str) -> str:
    """The widest weights beside which a context fits that an agent can work with, and that context."""
    for kind in KINDS:
        longest = report.longest_context(kind, machine)
        if longest and report.contexts[longest] >= CONTEXT:
            return f"{kind}, {longest}"
    return "-"


def table() -> str:
    heads = ["model", *KINDS, "cache, 32k tokens", *MACHINES.values()]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *rows()]
    return "\n".join(lines) + "\n"


def test_the_table_is_as_counted():
    assert table() in DOCUMENT.read_text("utf-8")


if __name__ == "__main__":
    print(table(), end="")
