"""Actions and the browser: what a model may do, and the pages where it happens.

Importing this package loads no browser: public names resolve on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .actions import Action, computer_use_schema, parse_action
    from .browser import Browser
    from .geometry import Geometry
    from .observation import Effect, Observation, Tab
    from .policy import NetworkPolicy

__all__ = [
    "Action",
    "Browser",
    "Effect",
    "Geometry",
    "NetworkPolicy",
    "Observation",
    "Tab",
    "computer_use_schema",
    "parse_action",
]

_HOMES = {
    "Action": ".actions",
    "Browser": ".browser",
    "Effect": ".observation",
    "Geometry": ".geometry",
    "NetworkPolicy": ".policy",
    "Observation": ".observation",
    "Tab": ".observation",
    "computer_use_schema": ".actions",
    "parse_action": ".actions",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
