"""What a run looks like in the web UI, as HTML: the page, the thought, the list of steps, the verdict.

Pure functions of values. What a page or a model wrote is escaped: it is shown, never obeyed.
"""

import base64
import html
from collections.abc import Sequence
from io import BytesIO

from PIL import Image

from ..agent import Run, Step
from ..agent.export import draw_mark

LIVE_PX, THUMB_PX = 1280, 192
VERDICTS = {
    "success": ("good", "Done"),
    "failure": ("bad", "Not done"),
    "limit": ("fair", "Limit reached"),
    "needs_user": ("fair", "A question for you"),
    "interrupted": ("fair", "Stopped"),
    "error": ("bad", "Error"),
}
EMPTY_PAGE = (
    "<div class='empty'><svg viewBox='0 0 48 48' aria-hidden='true'><circle cx='24' cy='24' r='6'/>"
    "<path d='M4 24s7-13 20-13 20 13 20 13-7 13-20 13S4 24 4 24Z'/></svg>"
    "<p>The page appears here once a run starts.</p></div>"
)


def safe(text: object) -> str:
    """Escaped for HTML and for the templates that Gradio fills: braces and dollars are only characters."""
    escaped = html.escape(str(text))
    return escaped.replace("{", "&#123;").replace("}", "&#125;").replace("$", "&#36;").replace("`", "&#96;")


def live_page(image: Image.Image | None = None, url: str = "", state: str = "", busy: bool = False) -> str:
    """The page in a window: its address, what is going on, the picture."""
    body = (
        EMPTY_PAGE
        if image is None
        else f"<img src='{data_url(image, LIVE_PX)}' alt='The page, as the agent sees it' decoding='sync'>"
    )
    chip = f"<span class='chip{' busy' if busy else ''}'>{safe(state)}</span>" if state else ""
    address = f"<span class='address'>{safe(url) or 'no page yet'}</span>"
    return (
        f"<figure class='window'><figcaption><i></i><i></i><i></i>{address}{chip}</figcaption>{body}</figure>"
    )


def thought_card(number: int = 0, thought: str = "", action: str = "") -> str:
    """What the model thinks and is about to do."""
    if not number:
        hint = "What the model thinks stands here, step by step."
        return f"<div class='thought idle'><h3>Thought</h3><p>{hint}</p></div>"
    planned = f"<p class='action'>{safe(action)}</p>" if action else "<p class='action wait'>deciding</p>"
    words = safe(thought) or "&hellip;"
    return f"<div class='thought' aria-live='polite'><h3>Step {number}</h3><p>{words}</p>{planned}</div>"


def step_list(rows: Sequence[str]) -> str:
    """`rows` from `step_row`: drawn once each, whatever comes later."""
    if not rows:
        return "<div class='steps'><p class='none'>No steps yet.</p></div>"
    return f"<ol class='steps'>{''.join(rows)}</ol>"


def step_row(step: Step) -> str:
    thought = f"<p>{safe(step.thought)}</p>" if step.thought else ""
    outcome = (
        f"<p class='{'failed' if step.error else 'effect'}'>{safe(step.outcome())}</p>"
        if step.outcome()
        else ""
    )
    usage = step.usage
    costs = f"{usage.prompt_tokens}+{usage.output_tokens} tokens" if usage.prompt_tokens else ""
    facts = " · ".join(fact for fact in (costs, f"{step.timings.total:.1f} s") if fact)
    return (
        f"<li><img src='{data_url(draw_mark(step), THUMB_PX)}' alt='The page at step {step.number}'>"
        f"<div><h4><b>{step.number}</b>{safe(step.describe())}</h4>{thought}{outcome}<small>{facts}</small></div></li>"
    )


def verdict_card(run: Run) -> str:
    tone, title = VERDICTS[run.status]
    answer = f"<p class='answer'>{safe(run.answer)}</p>" if run.answer else ""
    steps = f"{len(run.steps)} step{'' if len(run.steps) == 1 else 's'}"
    tokens = run.usage.prompt_tokens + run.usage.output_tokens
    facts = " · ".join([steps, f"{run.seconds:.1f} s", *([f"{tokens} tokens"] if tokens else [])])
    return (
        f"<div class='verdict {tone}' role='status'><h3>{title}</h3>{answer}<p>{safe(run.reason)}</p>"
        f"<small>{facts}<br><code>{safe(run.folder)}</code></small></div>"
    )


def verdict_title(run: Run) -> str:
    return VERDICTS[run.status][1]


def trouble(message: str) -> str:
    """One clear line."""
    return (
        f"<div class='verdict bad' role='alert'><h3>Error</h3><p>{safe(' '.join(message.split()))}</p></div>"
    )


def data_url(image: Image.Image, width_px: int) -> str:
    """A JPEG no wider than `width_px`."""
    picture = image.convert("RGB")
    if picture.width > width_px:
        picture = picture.resize((width_px, round(picture.height * width_px / picture.width)), reducing_gap=2)
    data = BytesIO()
    picture.save(data, "JPEG", quality=88)
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"
