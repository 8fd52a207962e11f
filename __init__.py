"""Saccade: an open visual web agent that looks, thinks as much as a step is worth, and acts.

Importing this package loads neither torch nor a browser: public names resolve on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .agent import Agent, RemoteModel, Run, Secret, Step, tool
    from .agent.oneshot import Browser
    from .tools.prelaunch import prelaunch

__version__ = "0.1.0"
__all__ = ["Agent", "Browser", "RemoteModel", "Run", "Secret", "Step", "__version__", "prelaunch", "tool"]

_HOMES = {"Browser": ".agent.oneshot", "prelaunch": ".tools.prelaunch"}
_HOMES |= dict.fromkeys(("Agent", "RemoteModel", "Run", "Secret", "Step", "tool"), ".agent")


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
