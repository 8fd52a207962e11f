"""`saccade chat`: talk to a model in the terminal; the thought is dim, the answer is not."""

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from .options import Json, Model, Thinking


def chat(
    prompt: Annotated[
        str | None,
        typer.Argument(help="One question; '-' reads it from stdin. Without it: a talk."),
    ] = None,
    model: Model = "builtin",
    image: Annotated[
        list[Path] | None, typer.Option(help="A picture before the first question (repeatable).")
    ] = None,
    system: Annotated[str | None, typer.Option(help="What the model is told beforehand.")] = None,
    thinking: Annotated[Thinking, typer.Option(help="How much to think.")] = Thinking.auto,
    max_tokens: Annotated[int, typer.Option(min=1, help="Of a reply of a local model.")] = 1024,
    as_json: Json = False,
) -> int:
    """Talk to the model, with pictures."""
    from ...errors import InputError
    from ..wiring import load_model

    if prompt is None and not sys.stdin.isatty():
        raise InputError("nobody is at the terminal to talk: give the question, or - for stdin")
    pictures = [opened(path) for path in image or ()]
    loaded = load_model(model)
    talk: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
    once = sys.stdin.read() if prompt == "-" else prompt
    while question := (once or asked()):
        talk.append({"role": "user", "content": [*pictures, {"type": "text", "text": question.strip()}]})
        hear = silent if as_json else Voice().say
        thought, text, usage = asyncio.run(spoken(loaded, talk, thinking.value, max_tokens, hear))
        told = {"thought": thought, "text": text, "usage": asdict(usage)}
        print(json.dumps(told, ensure_ascii=False) if as_json else "", flush=True)
        talk.append({"role": "assistant", "content": text, "reasoning_content": thought})
        pictures = []
        if once:
            break
    return 0


def silent(thought: str, text: str) -> None:
    pass


def opened(path: Path) -> dict[str, Any]:
    """Raises InputError for what is no picture."""
    from ...vision.images import load_image

    return {"type": "image", "image": load_image(path)}


def asked() -> str:
    """The next question; empty when there is none."""
    print("> ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline()


async def spoken(
    model: Any, talk: list[dict[str, Any]], thinking: str, max_tokens: int, hear: Callable[[str, str], None]
) -> tuple[str, str, Any]:
    """Thought, text and usage; `hear` gets what is new of both, of a local model while it writes.

    A call is text here: nobody offered tools.
    """
    from ..listening import as_engine

    engine = as_engine(model)
    if engine is None:
        reply = await model.reply(talk, [], thinking)
        hear(reply.thought, reply.text)
        return reply.thought, reply.text, reply.usage
    from ...model.request import Piece
    from ..server.reader import ReplyReader

    generation, read = (
        engine.generate(talk, thinking=thinking, max_tokens=max_tokens),
        ReplyReader(calls=False),
    )
    said: list[tuple[str, str]] = []
    async for event in generation:
        if isinstance(event, Piece):
            said.append(read(event.text, event.phase == "thinking"))
            hear(*said[-1])
    said.append(read.rest())
    hear(*said[-1])
    assert generation.reply is not None
    thought, text = ("".join(parts) for parts in zip(*said, strict=True))
    return thought, text, generation.reply.usage


class Voice:
    """Says the thought on stderr and the text on stdout."""

    def __init__(self) -> None:
        self._thinking = False

    def say(self, thought: str, text: str) -> None:
        if thought:
            dim, plain = ("\x1b[2m", "\x1b[0m") if coloured() else ("", "")
            print(f"{dim}{thought}{plain}", end="", file=sys.stderr, flush=True)
            self._thinking = True
        if text:
            if self._thinking:
                print(file=sys.stderr, flush=True)
            print(text, end="", flush=True)
            self._thinking = False


def coloured() -> bool:
    import os

    return sys.stderr.isatty() and "NO_COLOR" not in os.environ
