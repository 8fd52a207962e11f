"""What people see of a run in the terminal: a row per step while it lasts, and a summary at its end.

Writes to stderr alone, so that stdout stays free for `--json`.
"""

from dataclasses import asdict
from types import TracebackType

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from ..agent import Run, Step
from ..agent.judge import MODELS_WORD

COLORS = {"success": "green", "failure": "red", "error": "red"}


class LiveSteps:
    """Rows that stay and a spinner for the step in progress; plain lines where stderr is no terminal."""

    def __init__(self, console: Console):
        self.console = console
        self._status = console.status(Text("starting", style="dim"))

    def __enter__(self) -> "LiveSteps":
        if self.console.is_terminal:
            self.console.print(step_table(show_header=True))
            self._status.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.pause()

    def show(self, step: Step) -> None:
        if not self.console.is_terminal:
            print(step_line(step), file=self.console.file, flush=True)
            return
        row = step_table(show_header=False)
        row.add_row(*step_row(step))
        self.console.print(row)
        self._status.update(Text(f"step {step.number + 1}", style="dim"))

    def pause(self) -> None:
        """Give the terminal back, for a question to the user."""
        self._status.stop()

    def resume(self) -> None:
        self._status.start()


def step_table(show_header: bool) -> Table:
    """The same widths each time, so that single rows line up."""
    table = Table(box=None, padding=(0, 1), header_style="dim", expand=True, show_header=show_header)
    table.add_column("#", justify="right", style="dim", width=3)
    table.add_column("thought", ratio=4)
    table.add_column("action", ratio=4, style="cyan")
    table.add_column("effect", ratio=3)
    table.add_column("tokens", justify="right", width=9)
    table.add_column("seconds", justify="right", width=7)
    return table


def step_row(step: Step) -> list[Text]:
    """Text objects: what a page or a model writes is never read as markup."""
    effect = Text(step.outcome(), style="red" if step.error else "dim")
    cells = [
        str(step.number),
        step.thought,
        step.describe(),
        effect,
        tokens(step),
        f"{step.timings.total:.1f}",
    ]
    return [cell if isinstance(cell, Text) else Text(cell) for cell in cells]


def step_line(step: Step) -> str:
    instead = step.instead and f"instead of {step.instead}"
    parts = [step.said(), step.describe(), instead, step.outcome(), f"{tokens(step)} tokens"]
    line = " | ".join(part for part in parts if part)
    return f"{step.number:3d}  {' '.join(line.split())} | {step.timings.total:.1f} s"


def tokens(step: Step) -> str:
    return f"{step.usage.prompt_tokens}+{step.usage.output_tokens}"


def summary(run: Run) -> Group:
    head = Text.assemble((run.status, f"bold {COLORS.get(run.status, 'yellow')}"), f"  {run.reason}")
    if run.reason == MODELS_WORD and run.verified is None:
        head.append("; nothing checked it (--until, --verify)", "dim")
    lines = [Text(), head]
    if run.answer:
        lines.append(Text(run.answer, style="bold"))
    lines += [Text(line) for line in (costs(run), time_split(run), thinking_split(run)) if line]
    lines.append(Text(str(run.folder), style="dim"))
    return Group(*lines)


def costs(run: Run) -> str:
    usage = run.usage
    cached = f" ({usage.cached_tokens} cached)" if usage.cached_tokens else ""
    return (
        f"{len(run.steps)} steps in {run.seconds:.1f} s, {usage.prompt_tokens} prompt tokens{cached}, "
        f"{usage.thinking_tokens} thinking, {usage.answer_tokens} answer"
    )


def time_split(run: Run) -> str:
    total = run.timings.total or 1.0
    parts = [f"{name} {value:.1f} s ({value / total:.0%})" for name, value in asdict(run.timings).items()]
    return "  ".join(parts)


def thinking_split(run: Run) -> str:
    """Tokens and seconds by thinking mode, once there is more than one."""
    modes = run.by_thinking
    parts = [
        f"{mode}: {it.steps} steps, {it.tokens} tokens, {it.seconds:.1f} s" for mode, it in modes.items()
    ]
    return "  ".join(parts) if len(modes) > 1 else ""
