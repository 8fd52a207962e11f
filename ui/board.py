"""What a run looks like in the web UI, as HTML: the page, the thought, the list of steps, the verdict.

Pure functions of values. What a page or a model wrote is escaped: it is shown, never obeyed.
"""

import base64
import html
from collections.abc import Sequence

from ..agent import Run, Step
from ..agent.export import draw_mark
from .liverun import LiveRun, as_jpeg

THUMB_PX = 192
VERDICTS = {
    "success": ("good", "Done"),
    "failure": ("bad", "Not done"),
    "limit": ("fair", "Limit reached"),
    "needs_user": ("fair", "A question for you"),
    "interrupted": ("fair", "Stopped"),
    "error": ("bad", "Error"),
}
STATES = {
    "starting": "Starting",
    "thinking": "Thinking",
    "acting": "Acting",
    "paused": "Paused",
    "asking": "Asks you",
    "approving": "Waits for you",
    "ended": "Ended",
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


def live_page(live: LiveRun | None = None) -> str:
    """The page in a window: its address, what is going on, the picture. Hands on it need the run's id."""
    if live is None or live.frame is None:
        return window("" if live is None else state_of(live), EMPTY_PAGE, "")
    frame, hands = live.frame, ""
    if live.hands:
        hands = f" data-hands='1' data-run='{safe(live.id)}'"
    body = (
        f"<img src='{data_url(frame.jpeg)}' alt='The page, as the agent sees it' decoding='sync' "
        f"draggable='false' data-taken='{frame.taken * 1000:.0f}'{hands}><p class='trouble' role='alert'></p>"
    )
    return window(state_of(live), body, frame.url, live.phase not in ("paused", "ended"))


def window(state: str, body: str, url: str, busy: bool = False) -> str:
    chip = f"<span class='chip{' busy' if busy else ''}' role='status'>{safe(state)}</span>" if state else ""
    address = f"<span class='address'>{safe(url) or 'no page yet'}</span>"
    return (
        f"<figure class='window'><figcaption><i></i><i></i><i></i>{address}{chip}</figcaption>{body}</figure>"
    )


def state_of(live: LiveRun) -> str:
    if live.result is not None:
        return VERDICTS[live.result.status][1]
    if live.error:
        return "Error"
    if live.hands:
        return "In your hands"
    return "Pausing" if live.pausing else STATES[live.phase]


def notice_card(live: LiveRun) -> str:
    """What a person is asked, if anything."""
    match live.phase:
        case "asking":
            return (
                f"<div class='notice' role='alert'><h3>The agent asks</h3><p>{safe(live.question)}</p></div>"
            )
        case "approving":
            why = f"<p class='why'>It {safe(live.risk)}.</p>" if live.risk else ""
            action = f"<p class='action'>{safe(live.plan.describe())}</p>"
            return f"<div class='notice' role='alert'><h3>May it do this?</h3>{action}{why}</div>"
    return ""


def thought_card(number: int = 0, thought: str = "", action: str = "") -> str:
    """What the model thinks and is about to do."""
    if not number:
        hint = "What the model thinks stands here, step by step."
        return f"<div class='thought idle'><h3>Thought</h3><p>{hint}</p></div>"
    planned = f"<p class='action'>{safe(action)}</p>" if action else "<p class='action wait'>deciding</p>"
    words = safe(thought) or "&hellip;"
    head = f"<div class='thought' aria-live='polite' aria-atomic='true'><h3>Step {number}</h3>"
    return f"{head}<p>{words}</p>{planned}</div>"


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
    facts = safe(" · ".join(facts_of(step)))
    return (
        f"<li><img src='{data_url(as_jpeg(draw_mark(step), THUMB_PX))}' alt='The page at step {step.number}'>"
        f"<div><h4><b>{step.number}</b>{safe(step.describe())}</h4>{thought}{outcome}<small>{facts}</small></div></li>"
    )


def facts_of(step: Step) -> list[str]:
    """Tokens, seconds, and what was not done."""
    usage = step.usage
    costs = [f"{usage.prompt_tokens}+{usage.output_tokens} tokens"] if usage.prompt_tokens else []
    instead = [f"instead of {step.instead}"] if step.instead else []
    return [*costs, f"{step.timings.total:.1f} s", *instead]


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


def trouble(message: str) -> str:
    """One clear line."""
    return (
        f"<div class='verdict bad' role='alert'><h3>Error</h3><p>{safe(' '.join(message.split()))}</p></div>"
    )


def data_url(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
