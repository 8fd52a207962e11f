"""What is served: `saccade ui`, the web UI."""

from pathlib import Path
from typing import Annotated

import typer

from .options import AllowHost, Browser, Model


def ui(
    url: Annotated[str, typer.Option(help="The address that stands in the field at first.")] = "",
    shop: Annotated[bool, typer.Option("--shop", help="Serve the example shop and begin there.")] = False,
    model: Model = "builtin",
    max_steps: Annotated[int, typer.Option(min=1, max=60, help="The step limit at first.")] = 20,
    allow_host: AllowHost = None,
    out: Annotated[Path, typer.Option(help="Folder for the runs.")] = Path("runs"),
    browser: Browser = None,
    host: Annotated[str, typer.Option(help="Serve at this address.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(help="Serve at this port (default: first free from 7860).")
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the page in your browser.")] = False,
) -> int:
    """Serve the web UI: type a task, watch it happen."""
    from .missing import need

    need("gradio", extra="ui", what="the web UI needs Gradio")
    from contextlib import ExitStack

    from ..app import launch
    from ..desk import Defaults
    from ..shop import open_shop

    with ExitStack() as stack:
        url = stack.enter_context(open_shop()).url if shop else url
        launch(Defaults(url, model, max_steps, tuple(allow_host or ()), out, browser), host, port, show)
    return 0
