"""Stop strings in a text that arrives in pieces. Knows text alone."""

from collections.abc import Sequence


class StopStrings:
    """Each call returns the text that is certain: before a stop string, and no possible beginning of one."""

    def __init__(self, stops: Sequence[str]):
        self._stops, self._held = tuple(filter(None, stops)), ""
        self.met = False

    def __call__(self, text: str) -> str:
        if not self._stops:
            return text
        text = self._held + text
        found = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            self.met, self._held = True, ""
            return text[: min(found)]
        certain = len(text) - max(overlap(text, stop) for stop in self._stops)
        self._held = text[certain:]
        return text[:certain]

    def rest(self, text: str = "") -> str:
        """What was held back, now that nothing follows but `text`."""
        if self.met:
            return ""
        certain = self(text)
        certain, self._held = certain + self._held, ""
        return certain


def overlap(text: str, stop: str) -> int:
    """How many characters at the end of `text` may be the beginning of `stop`."""
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:n])), 0)
