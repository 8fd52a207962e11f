"""The command line: `saccade run`, `resume`, `replay`, `export`, `runs`, `ui`, `inspect`, `doctor`.

Exit codes: 0 the task ended in success; 1 it did not; 2 usage or bad input, one line on stderr; 3 something
essential is missing (doctor, ui); 130 interrupted. Torch and the browser load only when used.
"""

import asyncio
import json
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError, SaccadeError

if TYPE_CHECKING:
    from ..agent import Agent, Run

UsageError: Any = typer.BadParameter.__base__  # typer may carry its own copy of click
INTERRUPTED = 130
YES = ("y", "yes")
MODEL_HELP = "'builtin', a checkpoint folder, a server (http://host:8000/v1#name), or a .jsonl script."
app = typer.Typer(
    name="saccade",
    help="An open visual web agent: it looks at the screen, thinks, and acts with mouse and keyboard.",
    add_completion=False,
    pretty_exceptions_enable=False,
)


class Thinking(StrEnum):
    fast = "fast"
    deep = "deep"
    auto = "auto"


class Format(StrEnum):
    playwright = "playwright"
    pytest = "pytest"
    gif = "gif"
    mp4 = "mp4"
    html = "html"


class Ask(StrEnum):
    never = "never"
    risky = "risky"
    always = "always"


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the `saccade` command; always raises SystemExit."""
    sys.exit(run_command(sys.argv[1:] if arguments is None else arguments))


def run_command(arguments: list[str]) -> int:
    try:
        code = app(arguments, prog_name="saccade", standalone_mode=False) or 0
        return complain("interrupted", code) if code == INTERRUPTED else code
    except UsageError as error:
        return complain(f"{error.format_message().rstrip('.')}; see 'saccade --help'", 2)
    except SaccadeError as error:
        return complain(str(error), 2)
    except (KeyboardInterrupt, asyncio.CancelledError, typer.Abort):
        return complain("interrupted", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def complain(message: str, code: int) -> int:
    print(f"saccade: {' '.join(message.split())}", file=sys.stderr)
    return code


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    if version:
        from .. import __version__

        print(f"saccade {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def run(
    task: Annotated[str, typer.Argument(help="What to do, in a sentence; '-' reads it from stdin.")],
    url: Annotated[str | None, typer.Option(help="Open this address first.")] = None,
    model: Annotated[str, typer.Option(help=MODEL_HELP)] = "builtin",
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
    secret: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME@HOST", help="{{name}} types $SECRET_NAME on that host (repeatable)."),
    ] = None,
    ask_before: Annotated[
        Ask, typer.Option(help="Which actions a person at the terminal approves first.")
    ] = Ask.never,
    out: Annotated[Path | None, typer.Option(help="Folder of the run (default: runs/<time>-<task>).")] = None,
    gif: Annotated[bool, typer.Option("--gif", help="Also write run.gif into the folder.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per step on stdout.")] = False,
    headed: Annotated[bool, typer.Option("--headed", help="Show the browser window.")] = False,
    viewport: Annotated[
        str | None, typer.Option(metavar="WxH", help="Viewport in CSS pixels, such as 1280x800.")
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="Also allow this local or private host (repeatable)."),
    ] = None,
    browser: Annotated[Path | None, typer.Option(help="The browser's executable.")] = None,
    cdp_url: Annotated[str | None, typer.Option(help="Drive a running browser at this address.")] = None,
) -> int:
    """Do a task in the browser."""
    from ..agent import Agent
    from .wiring import make_browser, parse_secrets

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
    agent.browser = make_browser(url, viewport, headed, allow_host, browser, cdp_url)
    result = show_run(agent, as_json)
    if gif and result.steps:
        from ..agent.export import export_gif

        export_gif(result, result.folder / "run.gif")
    return 0 if result.success else 1


def show_run(agent: "Agent", as_json: bool) -> "Run":
    """Run it with the table on stderr and, on demand, JSON lines on stdout."""
    from rich.console import Console

    from .live import LiveSteps, summary

    console = Console(stderr=True)
    with LiveSteps(console) as table:
        agent.ask_user = agent.ask_user or terminal_question(table)
        if agent.ask_user and agent.ask_before != "never":
            agent.approve = terminal_approval(agent.ask_user)
        result = asyncio.run(follow(agent, table, as_json))
    if as_json:
        print_json("result", result.to_dict())
    console.print(summary(result))
    return result


async def follow(agent: "Agent", table: Any, as_json: bool) -> "Run":
    asyncio.get_running_loop().set_exception_handler(hush_driver)
    async for step in agent.stream():
        table.show(step)
        if as_json:
            print_json("step", step.to_dict())
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


def print_json(event: str, fields: dict[str, Any]) -> None:
    print(json.dumps({"event": event, **fields}, ensure_ascii=False), flush=True)


@app.command()
def resume(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run that was cut off.")],
    model: Annotated[str | None, typer.Option(help="Another model than the run began with.")] = None,
    max_steps: Annotated[int | None, typer.Option(help="Another limit of steps, all included.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per step on stdout.")] = False,
) -> int:
    """Go on with a run where it was cut off."""
    from ..agent import Agent

    settings = {"max_steps": max_steps} if max_steps is not None else {}
    return 0 if show_run(Agent.from_run(folder, model, **settings), as_json).success else 1


@app.command()
def replay(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a recorded run.")],
    url: Annotated[str | None, typer.Option(help="Begin here instead of where the run began.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Let this model find what neither name nor picture finds.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Judge the end, as in 'saccade run'.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    headed: Annotated[bool, typer.Option("--headed", help="Show the browser window.")] = False,
    viewport: Annotated[
        str | None, typer.Option(metavar="WxH", help="Viewport in CSS pixels (default: the run's).")
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="Also allow this local or private host (repeatable)."),
    ] = None,
    browser: Annotated[Path | None, typer.Option(help="The browser's executable.")] = None,
) -> int:
    """Do a recorded run again, without a model, and report what drifted."""
    from .runs import print_report, replay_run
    from .wiring import make_browser

    report = replay_run(folder, make_browser(url, viewport, headed, allow_host, browser), model, until)
    if as_json:
        print(json.dumps(report.to_dict(), ensure_ascii=False))
    else:
        print_report(report)
    return 0 if report.success else 1


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a recorded run.")],
    to: Annotated[Format, typer.Option(help="What it becomes.")] = Format.playwright,
    out: Annotated[Path | None, typer.Option(help="The file (default: in the run's folder).")] = None,
) -> None:
    """Turn a recorded run into a program, a test, a film or a page."""
    from .runs import export_run

    print(export_run(folder, to.value, out))


@app.command()
def runs(
    folder: Annotated[Path, typer.Argument(help="Where to look for runs.")] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per run on stdout.")] = False,
) -> None:
    """List recorded runs, the newest first."""
    from rich.console import Console

    from .runs import list_runs, runs_table

    found = list_runs(folder)
    if as_json:
        for run in found:
            print(json.dumps(run, ensure_ascii=False))
    else:
        Console().print(runs_table(found))


@app.command()
def inspect(
    checkpoint: Annotated[
        str, typer.Argument(help="'builtin', a checkpoint folder, or a hub id.")
    ] = "builtin",
    routing: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Also draw which experts read this text.")
    ] = None,
    image: Annotated[Path | None, typer.Option(help="A picture before the text of --routing.")] = None,
    png: Annotated[Path, typer.Option(help="Where --routing draws.")] = Path("routing.png"),
    context: Annotated[
        list[str] | None,
        typer.Option(metavar="TOKENS", help="Memory at this context, such as 50000 or 64k (repeatable)."),
    ] = None,
    cache: Annotated[str, typer.Option(help="Keys and values in bf16 or fp32.")] = "bf16",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Show what a checkpoint is: layers, parameters, memory, and which machine it fits."""
    from rich.console import Console

    from ..model.config import ModelConfig
    from ..model.hub import find_checkpoint
    from .inspect import examine, parse_context, routing_table, tables

    if image and routing is None:
        raise InputError("--image goes with --routing: give the text as well")
    contexts = {text: parse_context(text) for text in context or ()}
    config = ModelConfig.from_pretrained(find_checkpoint(checkpoint, weights=False))
    report = examine(config, contexts, cache)
    layers = draw_routing(checkpoint, routing, image, png) if routing is not None else []
    if as_json:
        extra = {"routing": {"png": str(png), "layers": layers}} if layers else {}
        print(json.dumps({**report.to_dict(), **extra}, ensure_ascii=False))
        return
    Console().print(tables(report, checkpoint))
    if layers:
        Console().print(routing_table(layers), f"drawn in {png}")


def draw_routing(checkpoint: str, text: str, image: Path | None, png: Path) -> list[dict[str, float]]:
    """The imbalance of each layer's experts on this prompt; the heat map goes to `png`."""
    from .routing import draw_loads, imbalance, record_loads
    from .wiring import load_engine

    engine = load_engine(checkpoint)
    loads = record_loads(engine, text, image)
    draw_loads(loads, png, f"{engine.name}: expert load, {int(loads[0].sum())} choices per layer")
    return imbalance(loads)


@app.command()
def doctor(
    screenshot: Annotated[
        Path | None, typer.Option(help="Where to keep the test screenshot (default: a temporary file).")
    ] = None,
    browser: Annotated[Path | None, typer.Option(help="The browser's executable.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per check on stdout.")] = False,
) -> int:
    """Check that everything is there: browser, torch, GPU, fonts, the built-in checkpoint."""
    from .doctor import check_table, examine

    checks = examine(browser, screenshot)
    if as_json:
        for check in checks:
            print(json.dumps(check.to_dict(), ensure_ascii=False))
    else:
        from rich.console import Console

        Console().print(check_table(checks))
    return 3 if any(check.essential and not check.ok for check in checks) else 0


@app.command()
def ui(
    url: Annotated[str, typer.Option(help="The address that stands in the field at first.")] = "",
    shop: Annotated[bool, typer.Option("--shop", help="Serve the example shop and begin there.")] = False,
    model: Annotated[str, typer.Option(help=MODEL_HELP)] = "builtin",
    max_steps: Annotated[int, typer.Option(min=1, max=60, help="The step limit at first.")] = 20,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="Also allow this local or private host (repeatable)."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the runs.")] = Path("runs"),
    browser: Annotated[Path | None, typer.Option(help="The browser's executable.")] = None,
    host: Annotated[str, typer.Option(help="Serve at this address.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(help="Serve at this port (default: first free from 7860).")
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the page in your browser.")] = False,
) -> int:
    """Serve the web UI: type a task, watch it happen."""
    from importlib.util import find_spec

    if find_spec("gradio") is None:
        return complain("the web UI needs Gradio: pip install 'saccade[ui]'", 3)
    from contextlib import ExitStack

    from .app import launch
    from .desk import Defaults
    from .shop import open_shop

    with ExitStack() as stack:
        url = stack.enter_context(open_shop()).url if shop else url
        launch(Defaults(url, model, max_steps, tuple(allow_host or ()), out, browser), host, port, show)
    return 0
