"""What happens in a run, as one stream of values: for user interfaces, logs and callbacks.

`Agent.events()` yields them in order; each `Step` is among them once it is journaled, `Ended` is the last.
"""

from dataclasses import dataclass

from PIL import Image

from .calls import Call
from .run import Run, Step


@dataclass(frozen=True)
class Seen:
    """The page as the model gets it, before it decides."""

    index: int
    image: Image.Image
    url: str


@dataclass(frozen=True)
class Planned:
    """What the model is about to do, and where."""

    index: int
    image: Image.Image
    url: str
    thought: str
    action: Call


@dataclass(frozen=True)
class Asked:
    """The model asks the user."""

    question: str


@dataclass(frozen=True)
class NeedsApproval:
    """A person is asked whether this may be done; `reason` says why it is risky, if it is."""

    action: Call
    reason: str | None


@dataclass(frozen=True)
class Paused:
    """Nothing goes on until `resume`: a person may act in the page."""


@dataclass(frozen=True)
class Resumed:
    """The run goes on; `changed` is the share of the screen that a person changed meanwhile."""

    changed: float


@dataclass(frozen=True)
class Ended:
    """The last event of every run that began."""

    run: Run


Event = Seen | Planned | Asked | NeedsApproval | Paused | Resumed | Step | Ended
