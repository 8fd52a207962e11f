"""What is served: `saccade ui`, the web UI, and `saccade serve`, the API."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from .options import AllowHost, Browser, Json, Model, SecretAt


def ui(
    url: Annotated[str, typer.Option(help="The address that stands in the field at first.")] = "",
    shop: Annotated[bool, typer.Option("--shop", help="Serve the example shop and begin there.")] = False,
    model: Model = "builtin",
    max_steps: Annotated[int, typer.Option(min=1, max=60, help="The step limit at first.")] = 20,
    secret: SecretAt = None,
    allow_host: AllowHost = None,
    out: Annotated[Path, typer.Option(help="Folder for the runs.")] = Path("runs"),
    browser: Browser = None,
    host: Annotated[str, typer.Option(help="Serve at this address.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(help="Serve at this port (default: first free from 7860).")
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the page in your browser.")] = False,
    as_json: Json = False,
) -> int:
    """Serve the web UI: type a task, watch it happen."""
    from .missing import need

    need("gradio", extra="ui", what="the web UI needs Gradio")
    from contextlib import ExitStack

    from ..app import launch
    from ..desk import Defaults
    from ..shop import open_shop
    from ..wiring import parse_secrets

    secrets = parse_secrets(secret or ())

    def ready(address: str) -> None:
        print(f"Saccade is at {address} (Ctrl-C stops it)", file=sys.stderr, flush=True)
        if as_json:
            print(json.dumps({"event": "ready", "url": address, "model": model}), flush=True)

    with ExitStack() as stack:
        url = stack.enter_context(open_shop()).url if shop else url
        defaults = Defaults(url, model, max_steps, tuple(allow_host or ()), out, browser, secrets)
        launch(defaults, ready, host, port, show)
    return 0


def serve(
    model: Annotated[
        str, typer.Option(help="'builtin', a checkpoint folder, or a hub id: what answers.")
    ] = "builtin",
    agent_model: Annotated[
        str | None, typer.Option(help="What drives the agents of /v1/runs (default: the same model).")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Serve at this address; others than loopback need a key.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Serve at this port; 0 takes a free one.")
    ] = 8000,
    api_key: Annotated[
        str | None, typer.Option(help="What clients must send; better set as SACCADE_API_KEY.")
    ] = None,
    origin: Annotated[
        list[str] | None, typer.Option(help="Web pages of this origin may use the server (repeatable).")
    ] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="Of a reply, where a request says nothing.")] = 2048,
    max_body_mb: Annotated[int, typer.Option(min=1, help="Largest request, in MiB.")] = 32,
    max_images: Annotated[int, typer.Option(min=0, help="Most pictures in a request.")] = 64,
    max_running: Annotated[int, typer.Option(min=1, help="Replies that are written together.")] = 8,
    max_waiting: Annotated[int, typer.Option(min=0, help="Replies in the queue; then 429.")] = 64,
    max_runs: Annotated[int, typer.Option(min=0, help="Agents at work together; then 429.")] = 4,
    out: Annotated[Path, typer.Option(help="Folder for the runs.")] = Path("runs"),
    allow_host: AllowHost = None,
    browser: Browser = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda (default: a GPU if there is one).")] = None,
    quantise: Annotated[str | None, typer.Option(help="Keep large matrices as fp8, int8 or int4.")] = None,
    guesses: Annotated[int, typer.Option(min=0, help="Tokens that the prediction head drafts.")] = 0,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of the network on a CPU.")] = None,
    grace: Annotated[float, typer.Option(min=0, help="Seconds for what runs, once it is to stop.")] = 30.0,
    access_log: Annotated[bool, typer.Option("--access-log", help="A line on stderr per request.")] = False,
    as_json: Json = False,
) -> int:
    """Serve the model and the agent: an OpenAI-compatible API. Ctrl-C ends it in order."""
    from .missing import need

    need("fastapi", "uvicorn", "prometheus_client", extra="server", what="the server needs FastAPI")
    from ...model.hub import find_checkpoint
    from ..server.address import check_address

    check_address(host, api_key)
    find_checkpoint(model)

    from ..server.serve import listening, serve
    from ..server.settings import MIB, Settings
    from ..wiring import load_engine, load_model

    settings = Settings(
        api_key,
        max_tokens,
        max_body_mb * MIB,
        max_images,
        origins=tuple(origin or ()),
        runs=out,
        max_runs=max_runs,
        allow_hosts=tuple(allow_host or ()),
        browser=browser,
    )
    given = {"device": device, "quantise": quantise, "guesses": guesses, "threads": threads}
    given = {name: value for name, value in given.items() if value is not None}

    def ready(address: str) -> None:
        print(f"Saccade serves {model} at {address} (Ctrl-C stops it)", file=sys.stderr, flush=True)
        if as_json:
            print(json.dumps({"event": "ready", "url": address, "model": model}), flush=True)

    with listening(host, port) as listener:  # before torch is loaded: what cannot be fails at once
        from ...model.request import Limits

        limits = Limits(running=max_running, waiting=max_waiting)
        engine = load_engine(model, limits=limits, **given)
        driver = load_model(agent_model) if agent_model else None
        from ..server.app import create_app

        serve(create_app(engine, settings, driver), listener, grace, ready, access_log)
    return 0
