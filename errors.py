"""What can go wrong, as one small tree. A message gives the fact, the value and the remedy.

SaccadeError
├── InputError         the user's input: empty task, bad option, unwritable folder
├── BrowserError       no browser found, page unreachable, browser died
├── PolicyError        an address or action that the policy denies
├── CheckpointError    missing, corrupt or unsupported model files
├── ModelError         a model's server that is unreachable, refuses, or is not understood
├── ContextError       a prompt or image that does not fit the model's limits
├── CapacityError      the engine has no room for a request: memory
│   └── QueueFullError     too many others are waiting
└── ActionError        a model's call that is not a valid action (becomes an observation)
"""


class SaccadeError(Exception):
    """Base of every error that Saccade raises on purpose."""


class InputError(SaccadeError):
    """The user's input cannot be used as given."""


class BrowserError(SaccadeError):
    """The browser or the page cannot be reached."""


class PolicyError(SaccadeError):
    """The policy denies this address or action."""


class CheckpointError(SaccadeError):
    """Model files are missing, corrupt or of an unsupported kind."""


class ModelError(SaccadeError):
    """A model's server cannot be used: unreachable, refusing, or not understood."""


class ContextError(SaccadeError):
    """A prompt or image that does not fit the model."""


class CapacityError(SaccadeError):
    """The engine has no room for this request."""


class QueueFullError(CapacityError):
    """Too many requests are waiting already."""


class ActionError(SaccadeError):
    """A call that is not a valid action of the current schema."""
