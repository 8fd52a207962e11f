"""`saccade run` and `saccade resume`: one task, step by step, with a table on stderr."""

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...tools.prelaunch import prelaunch
from ..browser_options import BrowserOptions, browser_options
from .options import Ask, Json, Model, SecretAt, Thinking

if TYPE_CHECKING:
    from ...agent import Agent
    from ...agent import Run as FinishedRun

YES = ("y", "yes")


@browser_options
def run(
    task: Annotated[str, typer.Argument(help="What to do, in a sentence; '-' reads it from stdin.")],
    url: Annotated[str | None, typer.Option(help="Open this address first.")] = None,
    model: Model = "builtin",
    thinking: Annotated[Thinking, typer.Option(help="How much to think per step.")] = Thinking.auto,
    max_steps: Annotated[int, typer.Option(help="Stop after this many steps.")] = 20,
    max_seconds: Annotated[float | None, typer.Option(help="Stop after this many seconds.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Stop after this many tokens.")] = None,
    until: Annotated[
        str | None,
        typer.Option(help="What holds on the page once it is done: JavaScript, css=..., text=... or url=..."),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Let the model check its success on the last screenshots.")
    ] = False,
    secret: SecretAt = None,
    ask_before: Annotated[
        Ask, typer.Option(help="Which actions a person at the terminal approves first.")
    ] = Ask.never,
    out: Annotated[Path | None, typer.Option(help="Folder of the run (default: runs/<time>-<task>).")] = None,
    gif: Annotated[bool, typer.Option("--gif", help="Also write run.gif into the folder.")] = False,
    as_json: Json = False,
    *,
    browsing: BrowserOptions,
) -> int:
    """Do a task in the browser."""
    from ...agent import Agent
    from ..wiring import parse_secrets

    agent = Agent(
        sys.stdin.read() if task == "-" else task,
        model,
        thinking=thinking.value,
        out=out,
        max_steps=max_steps,
        max_seconds=max_seconds,
        max_tokens=max_tokens,
        until=until,
        verify=verify,
        secrets=parse_secrets(secret or ()),
        ask_before=ask_before.value,
    )
    prelaunch()
    agent.browser = page = browsing.open(url)
    if (logins := browsing.save_storage) is not None:
        agent.on_step = lambda step: page.save_storage(logins)
    result = show_run(agent, as_json)
    if gif and result.steps:
        from ...agent.export import export_gif

        export_gif(result, result.folder / "run.gif")
    return 0 if result.success else 1


def resume(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run that was cut off.")],
    model: Annotated[str | None, typer.Option(help="Another model than the run began with.")] = None,
    max_steps: Annotated[int | None, typer.Option(help="Another limit of steps, all included.")] = None,
    secret: SecretAt = None,
    as_json: Json = False,
) -> int:
    """Go on with a run where it was cut off. What was to be approved still is; secrets are given anew."""
    from ...agent import Agent
    from ..wiring import parse_secrets

    settings: dict[str, Any] = {"secrets": parse_secrets(secret or ())}
    settings |= {"max_steps": max_steps} if max_steps is not None else {}
    return 0 if show_run(Agent.from_run(folder, model, **settings), as_json).success else 1


def show_run(agent: "Agent", as_json: bool) -> "FinishedRun":
    """Run it with the table on stderr and, on demand, JSON lines on stdout."""
    from rich.console import Console

    from ..live import LiveSteps, summary

    console = Console(stderr=True)
    with LiveSteps(console) as table:
        agent.ask_user = agent.ask_user or terminal_question(table)
        if agent.ask_user and agent.ask_before != "never":
            agent.approve = terminal_approval(agent.ask_user)
        result = asyncio.run(follow(agent, table, as_json))
    if as_json:
        print_event("result", result.to_dict())
    console.print(summary(result))
    return result


async def follow(agent: "Agent", table: Any, as_json: bool) -> "FinishedRun":
    asyncio.get_running_loop().set_exception_handler(hush_driver)
    async for step in agent.stream():
        table.show(step)
        if as_json:
            print_event("step", step.to_dict())
    assert agent.result is not None
    return agent.result


def hush_driver(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Ctrl-C reaches Playwright's driver as well; that it is gone is no news."""
    if "Connection closed" not in str(context.get("exception")):
        loop.default_exception_handler(context)


def terminal_question(table: Any) -> Any:
    """A way to ask the person at the terminal, or None when nobody sits there."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None

    def ask(question: str) -> str:
        table.pause()
        print(f"{question}\n> ", end="", file=sys.stderr, flush=True)
        reply = sys.stdin.readline().strip()
        table.resume()
        return reply

    return ask


def terminal_approval(ask: Any) -> Any:
    return lambda action, observation: ask(f"{action.describe()} on {observation.url}? [y/N]").lower() in YES


def print_event(event: str, fields: dict[str, Any]) -> None:
    print(json.dumps({"event": event, **fields}, ensure_ascii=False), flush=True)
