"""What people see: rows that line up, untrusted text as plain text."""

import io
from dataclasses import replace

import pytest
from rich.console import Console
from saccade.agent import Outcome, Run, Step, Timings, Usage
from saccade.agent.judge import MODELS_WORD
from saccade.tools.actions import parse_action
from saccade.ui.live import LiveSteps, summary


def a_step(tmp_path, thought: str) -> Step:
    action = parse_action("computer_use", {"action": "type", "text": "[red]x[/red]"})
    times = Timings(1.0, 2.0, 3.0, 4.0, 0.0)
    return Step(
        *(0, "http://page/", "Page", tmp_path / "000.png", "0"),
        thought=thought,
        action=action,
        usage=Usage(1200, 200, 30, 8),
        timings=times,
    )


def shown(terminal: bool, step: Step) -> str:
    out = io.StringIO()
    with LiveSteps(Console(file=out, force_terminal=terminal, width=100, no_color=True)) as table:
        table.show(step)
    return out.getvalue()


def test_a_terminal_gets_a_table(tmp_path):
    text = shown(True, a_step(tmp_path, "Look [bold]here[/bold]"))
    assert "thought" in text
    assert "[bold]here[/bold]" in text
    assert "1200+38" in text


def test_a_pipe_gets_plain_lines(tmp_path):
    assert shown(False, a_step(tmp_path, "Look\nhere")) == (
        "  1  Look / here | Type '[red]x[/red]' | 1200+38 tokens | 10.0 s\n"
    )


def test_a_second_choice_says_what_the_first_was(tmp_path):
    step = replace(a_step(tmp_path, ""), instead="Wait, which led nowhere before")
    assert shown(False, step) == (
        "  1  Type '[red]x[/red]' | instead of Wait, which led nowhere before | 1200+38 tokens | 10.0 s\n"
    )


def test_the_summary_splits_the_time(tmp_path):
    run = Run("t", "m", Outcome("success", "done", "[b]42"), (a_step(tmp_path, ""),), 10.5, tmp_path)
    out = io.StringIO()
    Console(file=out, width=200).print(summary(run))
    text = out.getvalue()
    assert "[b]42" in text
    assert "1 steps in 10.5 s, 1200 prompt tokens (200 cached), 30 thinking, 8 answer" in text
    assert (
        "observe 1.0 s (10%)  vision 2.0 s (20%)  prefill 3.0 s (30%)  decode 4.0 s (40%)  act 0.0 s (0%)"
        in text
    )


@pytest.mark.parametrize(("reason", "verified"), [(MODELS_WORD, None), (MODELS_WORD, True), ("done", None)])
def test_a_success_that_nothing_checked_is_called_so(tmp_path, reason, verified):
    outcome = Outcome("success", reason, verified=verified)
    run = Run("t", "m", outcome, (a_step(tmp_path, ""),), 1.0, tmp_path)
    out = io.StringIO()
    Console(file=out, width=200).print(summary(run))
    is_unchecked = reason == MODELS_WORD and verified is None
    assert ("nothing checked it (--until, --verify)" in out.getvalue()) == is_unchecked
