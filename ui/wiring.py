"""Turns names and options into objects: the one place where rooms meet. Heavy imports wait for their use."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..agent.protocol import ChatModel
from ..agent.scripted import load_script
from ..agent.secrets import Secret
from ..errors import InputError
from ..model.hub import find_checkpoint

if TYPE_CHECKING:
    from ..model.engine import Engine
    from ..tools import Browser


def load_model(spec: str) -> ChatModel:
    """`builtin`, a checkpoint folder or a hub id, on the GPU if there is one; a server's address such as
    `http://host:8000/v1#model`; or a `.jsonl` script.

    Raises CheckpointError for missing or corrupt model files, InputError for a script that cannot be read.
    """
    if spec.startswith(("http://", "https://")):
        from ..agent.remote import RemoteModel

        return RemoteModel.from_spec(spec, os.environ.get("SACCADE_API_KEY")).acquaint()
    return load_script(Path(spec)) if spec.endswith(".jsonl") else load_engine(spec)


def load_engine(spec: str, **settings: Any) -> "Engine":
    """The local model alone, with further settings of `Engine.from_pretrained`; raises CheckpointError."""
    find_checkpoint(spec)  # a wrong name fails before torch is loaded
    import torch

    from ..model.engine import Engine

    settings.setdefault("device", "cuda" if torch.cuda.is_available() else "cpu")
    return Engine.from_pretrained(spec, **settings)


def make_browser(
    url: str | None = None,
    viewport: str | None = None,
    headed: bool = False,
    allow_hosts: Iterable[str] | None = None,
    executable: Path | None = None,
    cdp_url: str | None = None,
) -> "Browser":
    """A browser from the command line's options, not started yet."""
    from ..tools import Browser

    return Browser(
        url,
        parse_viewport(viewport) if viewport else None,
        cdp_url,
        headless=not headed,
        executable=executable,
        allow_hosts=allow_hosts or (),
    )


def parse_secrets(entries: Iterable[str]) -> "dict[str, Secret]":
    """`code@shop.example`: `{{code}}`, whose value is the variable SECRET_CODE. Raises InputError."""
    found: dict[str, Secret] = {}
    for entry in entries:
        name, _, host = entry.partition("@")
        value = os.environ.get(secret_variable(name))
        if not host or value is None:
            variable = secret_variable(name)
            raise InputError(f"the secret {entry!r} needs a host (name@host) and {variable} to be set")
        known = found[name].hosts if name in found else ()
        found[name] = Secret(value, (*known, host))
    return found


def secret_variable(name: str) -> str:
    return f"SECRET_{re.sub(r'[^A-Z0-9]', '_', name.upper())}"


def parse_viewport(text: str) -> tuple[int, int]:
    """`1280x800` -> (1280, 800); raises InputError."""
    match = re.fullmatch(r"(\d{2,5})[xX×](\d{2,5})", text.strip())
    if match is None:
        raise InputError(f"the viewport is {text!r}; give width and height in CSS pixels, such as 1280x800")
    return int(match[1]), int(match[2])
