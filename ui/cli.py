"""The command line: `saccade run`, `batch`, `eval`, `serve`, ...; each command lives in `commands/`.

Exit codes: 0 success; 1 a task failed; 2 usage or bad input, one line on stderr; 3 something of the
environment is missing; 130 interrupted. Torch and the browser load only when used.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import SaccadeError
from .commands import batch, chat, evaluate, look, recorded, run, shell, web
from .commands.missing import MissingPart
from .commands.shell import COMPLETE
from .config import configured

UsageError: Any = typer.BadParameter.__base__  # typer may carry its own copy of click
FAILED, USAGE, MISSING, INTERRUPTED = 1, 2, 3, 130
EXIT_CODES = (
    "Exit codes: 0 success, 1 a task failed, 2 usage or bad input, 3 something essential is missing, "
    "130 interrupted."
)
PASSED_ON = {"ignore_unknown_options": True, "help_option_names": []}
app = typer.Typer(
    name="saccade",
    help="An open visual web agent: it looks at the screen, thinks, and acts with mouse and keyboard.",
    epilog=EXIT_CODES,
    add_completion=False,  # `saccade completion` prints the scripts instead
    pretty_exceptions_enable=False,
)
app.command()(run.run)
app.command()(run.resume)
app.command()(recorded.replay)
app.command()(recorded.export)
app.add_typer(recorded.runs, name="runs")
app.command()(batch.batch)
app.add_typer(evaluate.group, name="eval")
app.command()(look.inspect)
app.command()(look.doctor)
app.command()(chat.chat)
app.command()(web.serve)
app.command()(web.ui)
app.command(context_settings=PASSED_ON)(shell.bench)
app.command()(shell.completion)


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the `saccade` command; always raises SystemExit."""
    sys.exit(run_command(sys.argv[1:] if arguments is None else arguments))


def run_command(arguments: list[str]) -> int:
    if COMPLETE in os.environ:
        from typer import completion

        completion.completion_init()  # type: ignore[attr-defined]
    try:
        code = app(arguments, prog_name="saccade", standalone_mode=False) or 0
        return complain("interrupted", code) if code == INTERRUPTED else code
    except UsageError as error:
        return complain(f"{error.format_message().rstrip('.')}; see 'saccade --help'", USAGE)
    except SaccadeError as error:
        return complain(str(error), USAGE)
    except MissingPart as error:
        return complain(str(error), MISSING)
    except (KeyboardInterrupt, asyncio.CancelledError, typer.Abort):
        return complain("interrupted", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def complain(message: str, code: int) -> int:
    print(f"saccade: {' '.join(message.split())}", file=sys.stderr)
    return code


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
    config: Annotated[
        Path | None, typer.Option(help="Settings (default: saccade.toml here, else the user's).")
    ] = None,
) -> None:
    if version:
        from .. import __version__

        print(f"saccade {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())
    elif not context.resilient_parsing:
        context.default_map = configured(context.command, config)
