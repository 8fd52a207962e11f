"""The beginning of the end: set once, by a signal; what must hear of it registers. Knows nothing else."""

from collections.abc import Callable


class Closing:
    def __init__(self) -> None:
        self._set = False
        self._heard_by: list[Callable[[], None]] = []

    def is_set(self) -> bool:
        return self._set

    def tell(self, listener: Callable[[], None]) -> None:
        """`listener` is called when it is set, from a signal's handler: it must not wait for anything."""
        self._heard_by.append(listener)

    def set(self) -> None:
        if not self._set:
            self._set = True
            for listener in self._heard_by:
                listener()
