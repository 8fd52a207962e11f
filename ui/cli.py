"""The command line: `saccade run`, `batch`, `eval`, `serve`, ...; each command lives in `commands/`.

Exit codes: 0 success; 1 a task failed; 2 usage or bad input, one line on stderr; 3 something of the
environment is missing; 130 interrupted. Torch and the browser load only when used.
"""

import asyncio
import os
import sys
from typing import Annotated, Any

import typer

from ..errors import SaccadeError
from .commands import look, recorded, run, web
from .commands.missing import MissingPart

UsageError: Any = typer.BadParameter.__base__  # typer may carry its own copy of click
FAILED, USAGE, MISSING, INTERRUPTED = 1, 2, 3, 130
EXIT_CODES = (
    "Exit codes: 0 success, 1 a task failed, 2 usage or bad input, 3 something essential is missing, "
    "130 interrupted."
)
app = typer.Typer(
    name="saccade",
    help="An open visual web agent: it looks at the screen, thinks, and acts with mouse and keyboard.",
    epilog=EXIT_CODES,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(run.run)
app.command()(run.resume)
app.command()(recorded.replay)
app.command()(recorded.export)
app.add_typer(recorded.runs, name="runs")
app.command()(look.inspect)
app.command()(look.doctor)
app.command()(web.serve)
app.command()(web.ui)


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the `saccade` command; always raises SystemExit."""
    sys.exit(run_command(sys.argv[1:] if arguments is None else arguments))


def run_command(arguments: list[str]) -> int:
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
) -> None:
    if version:
        from .. import __version__

        print(f"saccade {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())
