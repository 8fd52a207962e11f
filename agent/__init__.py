"""The loop: observe, decide, check, act, record; with its memory, its journal and its exports."""

from .agent import Agent
from .protocol import ChatModel, Preferences, Reply, ToolCall, Usage
from .run import Outcome, Run, Step, Timings
from .scripted import ScriptedModel

__all__ = [
    "Agent",
    "ChatModel",
    "Outcome",
    "Preferences",
    "Reply",
    "Run",
    "ScriptedModel",
    "Step",
    "Timings",
    "ToolCall",
    "Usage",
]
