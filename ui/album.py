"""Recorded runs as HTML: one line each to choose from, one frame each to look at, two of them side by side.

Pure functions of values; what a page or a model wrote is escaped.
"""

from datetime import datetime
from typing import Any

from PIL import Image

from ..agent import Run
from ..agent.export import draw_mark
from .board import VERDICTS, data_url, facts_of, safe
from .liverun import WIDTH_PX, as_jpeg

NO_RUN = "<div class='frame none'><p>Choose a run on the left: it is shown here frame by frame.</p></div>"


def label_of(header: dict[str, Any]) -> str:
    """Such as `Find the cheapest lamp · Done · 25 Nov, 19:24`."""
    title = verdict_of(str(header.get("status")))[1]
    return " · ".join([str(header.get("task", "")), title, moment_of(str(header.get("started", "")))])


def verdict_of(status: str) -> tuple[str, str]:
    return {**VERDICTS, "running": ("fair", "Running")}.get(status, ("fair", "Unfinished"))


def moment_of(iso: str) -> str:
    try:
        return f"{datetime.fromisoformat(iso):%d %b, %H:%M}"
    except ValueError:
        return "some time"


def matching(headers: list[dict[str, Any]], words: str) -> list[dict[str, Any]]:
    """Those that hold every word, in task, status, answer, address, model or date."""
    wanted = words.lower().split()
    fields = ("task", "status", "answer", "url", "model", "reason")

    def text(header: dict[str, Any]) -> str:
        return " ".join([label_of(header), *(str(header.get(name) or "") for name in fields)]).lower()

    return [header for header in headers if all(word in text(header) for word in wanted)]


def frames_in(run: Run) -> int:
    """Steps, and the page as it was left."""
    return len(run.steps) + (run.final_path is not None)


def head(run: Run, goes_on: bool = False) -> str:
    """`goes_on`: it has not ended, so it has no verdict yet."""
    tone, title = verdict_of("running" if goes_on else run.status)
    reason = "the run goes on: these are its steps so far" if goes_on else run.reason
    answer = f"<p class='answer'>{safe(run.answer)}</p>" if run.answer else ""
    usage = run.usage
    costs = f"{usage.prompt_tokens + usage.output_tokens} tokens" if usage.prompt_tokens else ""
    facts = [run.model, f"{len(run.steps)} steps", f"{run.seconds:.1f} s", costs]
    return (
        f"<div class='verdict {tone}'><h3>{title}</h3><p class='task'>{safe(run.task)}</p>{answer}"
        f"<p>{safe(reason)}</p><small>{safe(' · '.join(fact for fact in facts if fact))}</small></div>"
    )


def frame(run: Run | None, number: int) -> str:
    """The frame with this number, from 1; the last one where there are fewer."""
    if run is None or not frames_in(run):
        return NO_RUN if run is None else "<div class='frame none'><p>This run has no step.</p></div>"
    number = max(1, min(number, frames_in(run)))
    if number > len(run.steps):
        assert run.final_path is not None
        with Image.open(run.final_path) as final:
            return _figure(final, "The page at the end", "<h4>The page as it was left</h4>")
    step = run.steps[number - 1]
    thought = f"<p>{safe(step.thought)}</p>" if step.thought else ""
    said = "".join(f"<p class='told'>{safe(text)}</p>" for text in step.told)
    tone = "failed" if step.error else "effect"
    outcome = f"<p class='{tone}'>{safe(step.outcome())}</p>" if step.outcome() else ""
    small = f"<small>{safe(' · '.join([*facts_of(step), step.url]))}</small>"
    text = f"<h4><b>{step.number}</b>{safe(step.describe())}</h4>{said}{thought}{outcome}{small}"
    return _figure(draw_mark(step), f"The page at step {step.number}: {step.describe()}", text)


def _figure(image: Image.Image, alt: str, text: str) -> str:
    source = data_url(as_jpeg(image, WIDTH_PX))
    picture = f"<img src='{source}' alt='{safe(alt)}'>"
    return f"<figure class='frame'>{picture}<figcaption>{text}</figcaption></figure>"
