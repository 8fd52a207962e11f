"""An evaluation as one HTML page: the table, and every failure with its screenshot. Knows results alone."""

import base64
import html
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from .results import Result, by_kind, share

WIDTH_PX = 480
STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse}h2{margin-top:2rem}small{opacity:.7}img{max-width:100%}"
    "td,th{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #8884}"
    "td:first-child,th:first-child{text-align:left}"
    "ul{display:grid;grid-template-columns:repeat(auto-fill,minmax(19rem,1fr));gap:1rem;padding:0}"
    "li{list-style:none;border:1px solid #8884;border-radius:8px;padding:.8rem;overflow-wrap:anywhere}"
)


def write_report(path: Path, title: str, results: Sequence[Result], facts: Mapping[str, Any]) -> Path:
    """`facts` stand under the title. Pictures are part of the file."""
    failures = [result for result in results if not result["right"]]
    rows = [*by_kind(results).items(), ("all", list(results))]
    table = "".join(_row(kind, them) for kind, them in rows)
    lines = "".join(f"<p><small>{_safe(name)}: {_safe(value)}</small>" for name, value in facts.items())
    cards = "".join(_card(result, path.parent) for result in failures)
    path.write_text(
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{_safe(title)}</title>"
        f"<style>{STYLE}</style><h1>{_safe(title)}</h1>{lines}<table><tr><th>kind<th>tasks<th>right{table}</table>"
        f"<h2>{len(failures)} failures</h2><ul>{cards}</ul></html>\n",
        "utf-8",
    )
    return path


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
