"""An evaluation as one HTML page: the table, the weakest skills, every failure with its screenshot.

Knows results alone.
"""

import base64
import html
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from .results import Result, by_kind, share

WIDTH_PX = 480
WEAKEST, SHOWN = 10, 3  # kinds that come first, and pictures of each
STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse}h2{margin-top:2rem}small{opacity:.7}img{max-width:100%}"
    "td,th{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #8884}"
    "td:first-child,th:first-child{text-align:left}"
    "ul{display:grid;grid-template-columns:repeat(auto-fill,minmax(19rem,1fr));gap:1rem;padding:0}"
    "li{list-style:none;border:1px solid #8884;border-radius:8px;padding:.8rem;overflow-wrap:anywhere}"
)


def write_report(
    path: Path, title: str, results: Sequence[Result], facts: Mapping[str, Any], figure: str = ""
) -> Path:
    """`facts` stand under the title, then `figure`, as SVG. Pictures are part of the file, each once."""
    failures = [result for result in results if not result["right"]]
    weakest = weakest_kinds(results)
    first = [result for rows in weakest.values() for result in rows]
    others = [result for result in failures if result not in first]
    rows = [*by_kind(results).items(), ("all", list(results))]
    table = "".join(_row(kind, them) for kind, them in rows)
    lines = "".join(f"<p><small>{_safe(name)}: {_safe(value)}</small>" for name, value in facts.items())
    weak = "".join(_weak(kind, results, rows, path.parent) for kind, rows in weakest.items())
    cards = "".join(_card(result, path.parent) for result in others)
    title_of_rest = (
        f"The other {len(others)} of {len(failures)} failures" if weak else f"{len(failures)} failures"
    )
    path.write_text(
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{_safe(title)}</title>"
        f"<style>{STYLE}</style><h1>{_safe(title)}</h1>{lines}<table><tr><th>kind<th>tasks<th>right{table}</table>"
        f"{figure}{weak and '<h2>The weakest</h2>'}{weak}<h2>{title_of_rest}</h2><ul>{cards}</ul></html>\n",
        "utf-8",
    )
    return path


def weakest_kinds(results: Sequence[Result]) -> dict[str, list[Result]]:
    """Those with the smallest share of right ones, and their first failures; none if there is one kind."""
    kinds = by_kind(results)
    order = sorted(kinds, key=lambda kind: share(result["right"] for result in kinds[kind]))
    wrong = {
        kind: [result for result in kinds[kind] if not result["right"]][:SHOWN] for kind in order[:WEAKEST]
    }
    return {kind: rows for kind, rows in wrong.items() if rows} if len(kinds) > 1 else {}


def _weak(kind: str, results: Sequence[Result], rows: Sequence[Result], folder: Path) -> str:
    them = [result for result in results if str(result["kind"]) == kind]
    right = sum(bool(result["right"]) for result in them)
    cards = "".join(_card(result, folder) for result in rows)
    return f"<h3>{_safe(kind)}: {right} of {len(them)} right</h3><ul>{cards}</ul>"


def _row(kind: str, results: Sequence[Result]) -> str:
    right = share(result["right"] for result in results)
    return f"<tr><td>{_safe(kind)}<td>{len(results)}<td>{right:.1%}"


def _card(result: Result, folder: Path) -> str:
    said = " · ".join(str(result[name]) for name in ("thought", "reason", "error") if result.get(name))
    done = f"<p>{_safe(result['action'])}" if result.get("action") else ""
    words = f"<p><b>{_safe(result['task'])}</b>{done}<p><small>{_safe(said)}</small>"
    return f"<li>{_picture(result, folder)}{words}</li>"


def _picture(result: Result, folder: Path) -> str:
    path = folder / str(result.get("picture") or "")
    if not path.is_file():
        return ""
    data = BytesIO()
    with Image.open(path) as image:
        image.thumbnail((WIDTH_PX, WIDTH_PX * 4))
        image.convert("RGB").save(data, "WEBP", quality=80)
    code = base64.b64encode(data.getvalue()).decode()
    return f"<img loading=lazy alt='The page of {_safe(result['id'])}' src='data:image/webp;base64,{code}'>"


def _safe(text: Any) -> str:
    return html.escape(str(text))
