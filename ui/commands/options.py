"""Options that several commands share: one definition, one wording. Knows typer alone."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

MODEL_HELP = "'builtin', a checkpoint folder, a server (http://host:8000/v1#name), or a .jsonl script."


class Thinking(StrEnum):
    fast = "fast"
    deep = "deep"
    auto = "auto"


class Ask(StrEnum):
    never = "never"
    risky = "risky"
    always = "always"


Json = Annotated[bool, typer.Option("--json", help="One JSON object per line on stdout.")]
Model = Annotated[str, typer.Option(help=MODEL_HELP)]
Headed = Annotated[bool, typer.Option("--headed", help="Show the browser window.")]
Browser = Annotated[Path | None, typer.Option(help="The browser's executable.")]
AllowHost = Annotated[
    list[str] | None,
    typer.Option(metavar="HOST", help="Also allow this local or private host (repeatable)."),
]
SecretAt = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME@HOST", help="{{name}} types $SECRET_NAME on that host (repeatable)."),
]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a recorded run.")]
