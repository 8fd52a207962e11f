"""`saccade completion` and `saccade bench`: what belongs to the shell and to the source tree."""

import os
import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from .missing import MissingPart

SOURCE = Path(__file__).parents[2]
COMPLETE = "_SACCADE_COMPLETE"  # set by the shell that asks for completions


class Shell(StrEnum):
    bash = "bash"
    zsh = "zsh"
    fish = "fish"


def completion(
    shell: Annotated[Shell, typer.Argument(help="Whose script to print.")],
) -> None:
    """Print the shell's completion script: eval "$(saccade completion bash)"."""
    from typer import completion as scripts

    make: Any = scripts.get_completion_script  # type: ignore[attr-defined]
    print(make(prog_name="saccade", complete_var=COMPLETE, shell=shell.value))


def bench(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="NAME [OPTIONS]...", help="As for 'python -m bench'.")
    ] = None,
) -> int:
    """Run a benchmark of the source tree: saccade bench engine --threads 2."""
    if not (SOURCE / "bench" / "__main__.py").is_file():
        raise MissingPart("the benchmarks come with the source, not with the package: clone the repository")
    paths = [str(SOURCE), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run([sys.executable, "-m", "bench", *(arguments or ())], env=environment)
    return 0 if done.returncode == 0 else 1
