"""What is here: `saccade inspect` for a checkpoint, `saccade doctor` for the machine."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ...errors import InputError
from .options import Browser, Json


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
    as_json: Json = False,
) -> None:
    """Show what a checkpoint is: layers, parameters, memory, and which machine it fits."""
    from rich.console import Console

    from ...model.config import ModelConfig
    from ...model.hub import find_checkpoint
    from ..inspect import examine, parse_context, routing_table, tables

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
    from ..routing import draw_loads, imbalance, record_loads
    from ..wiring import load_engine

    engine = load_engine(checkpoint)
    loads = record_loads(engine, text, image)
    draw_loads(loads, png, f"{engine.name}: expert load, {int(loads[0].sum())} choices per layer")
    return imbalance(loads)


def doctor(
    screenshot: Annotated[
        Path | None, typer.Option(help="Where to keep the test screenshot (default: a temporary file).")
    ] = None,
    browser: Browser = None,
    as_json: Json = False,
) -> int:
    """Check that everything is there: browser, torch, GPU, fonts, the built-in checkpoint."""
    from ..doctor import check_table, examine

    checks = examine(browser, screenshot)
    if as_json:
        for check in checks:
            print(json.dumps(check.to_dict(), ensure_ascii=False))
    else:
        from rich.console import Console

        Console().print(check_table(checks))
    return 3 if any(check.essential and not check.ok for check in checks) else 0
