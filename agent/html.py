"""A run as one HTML file: pictures with the pointer, thought, action, effect. Opens anywhere, asks nobody."""

import base64
import html
from io import BytesIO
from pathlib import Path

from PIL import Image

from ..errors import InputError
from .export import draw_mark
from .run import Run, Step

WIDTH_PX = 960
STYLE = """
:root { color-scheme: light dark }
:root { --ink: #1b2430; --pale: #66717f; --paper: #f6f7f9; --card: #fff; --hot: #f2542d }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8ecf2; --pale: #8d99aa; --paper: #0e131b; --card: #171e29 }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 0 auto;
  max-width: 1080px; padding: 40px 24px }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 6px } header p, small { color: var(--pale); margin: 0 }
ol { list-style: none; padding: 0 }
li { background: var(--card); border-radius: 14px; margin: 22px 0; overflow: hidden;
  box-shadow: 0 1px 3px #0002 }
img { width: 100%; display: block } li div { padding: 14px 20px 18px } h2 { font-size: 17px; margin: 0 }
h2 b { color: var(--hot); margin-right: 10px } li p { margin: 4px 0 0; white-space: pre-line }
.failed { color: var(--hot) }
.verdict { font-size: 18px; font-weight: 600; border-left: 4px solid var(--hot); padding-left: 14px }
.success { border-color: #3fb976 }
"""


def export_html(run: Run, path: str | Path) -> Path:
    """Raises InputError for a run without steps."""
    if not run.steps:
        raise InputError(f"the run in {run.folder} has no step to show")
    path = Path(path)
    tokens = f"{run.usage.prompt_tokens} prompt tokens"
    facts = f"{run.model} · {len(run.steps)} steps · {run.seconds:.1f} s · {tokens}"
    steps = "".join(_item(step) for step in run.steps)
    answer = f"<p>{_safe(run.answer)}</p>" if run.answer else ""
    verdict = f"<div class='verdict {run.status}'>{_safe(f'{run.status}: {run.reason}')}{answer}</div>"
    end = ""
    if run.final_path is not None:
        end = f"<li><img alt='The page at the end' src='{_picture(_open(run.final_path))}'></li>"
    path.write_text(
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{_safe(run.task)}</title><style>{STYLE}</style><header><h1>{_safe(run.task)}</h1>"
        f"<p>{_safe(facts)}</p></header><ol>{steps}{end}</ol>{verdict}</html>\n",
        "utf-8",
    )
    return path


def _item(step: Step) -> str:
    thought = f"<p>{_safe(step.thought)}</p>" if step.thought else ""
    outcome = f"<p class='{'failed' if step.error else 'effect'}'>{_safe(step.outcome())}</p>"
    picture = f"<img alt='The page at step {step.number}' src='{_picture(draw_mark(step))}'>"
    title = f"<h2><b>{step.number}</b>{_safe(step.describe())}</h2>"
    facts = " · ".join([step.url, *([f"instead of {step.instead}"] if step.instead else [])])
    return f"<li>{picture}<div>{title}{thought}{outcome}<small>{_safe(facts)}</small></div></li>"


def _picture(image: Image.Image) -> str:
    if image.width > WIDTH_PX:
        image = image.resize(
            (WIDTH_PX, round(image.height * WIDTH_PX / image.width)), Image.Resampling.LANCZOS
        )
    data = BytesIO()
    image.save(data, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"


def _open(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def _safe(text: object) -> str:
    return html.escape(str(text))
