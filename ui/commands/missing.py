"""What a command cannot do without, and how to get it: exit code 3."""

from importlib.util import find_spec


class MissingPart(Exception):
    """Something of the environment is not there; the message says how to get it."""


def need(*modules: str, extra: str, what: str) -> None:
    """Raises MissingPart when a module of an optional extra is not installed."""
    if any(find_spec(module) is None for module in modules):
        raise MissingPart(f"{what}: pip install 'saccade[{extra}]'")
