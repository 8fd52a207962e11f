"""From a model's name to a model. The agent knows no engine: the loader is named, not imported.

`LOADER` is the one late-bound edge of the package: "module:function", imported on first use, called with the
name or path, returning a `ChatModel`. An object that already replies is taken as it is; a function is called.
"""

import os
from importlib import import_module
from typing import Any

from ..errors import InputError
from .protocol import ChatModel

LOADER = "saccade.ui.wiring:load_model"


def resolve(model: Any) -> ChatModel:
    """Raises InputError for an object that is no model; what the loader raises passes through."""
    if isinstance(model, str | os.PathLike):
        module, _, function = LOADER.partition(":")
        return getattr(import_module(module), function)(os.fspath(model))
    if isinstance(model, ChatModel):
        return model
    if callable(model):
        return resolve(model())
    raise InputError(f"{model!r} is no model; give a name, a path, or an object with the ChatModel protocol")
