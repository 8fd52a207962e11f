"""The loop: observe, decide, check, act, record; with its memory, its journal and its exports."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .agent import Agent
from .protocol import ChatModel, Preferences, Reply, ToolCall, Usage
from .run import Outcome, Run, Step, Timings
from .scripted import ScriptedModel
from .secrets import Secret
from .usertools import Tool, tool

if TYPE_CHECKING:
    from .remote import RemoteModel

__all__ = [
    "Agent",
    "ChatModel",
    "Outcome",
    "Preferences",
    "RemoteModel",
    "Reply",
    "Run",
    "ScriptedModel",
    "Secret",
    "Step",
    "Timings",
    "Tool",
    "ToolCall",
    "Usage",
    "tool",
]


def __getattr__(name: str) -> Any:
    """An HTTP client is loaded only where it is used."""
    if name != "RemoteModel":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(".remote", __name__).RemoteModel
