"""Pieces of a reply as they are written -> thought and text, without their tags, to be sent at once.

Knows the tags alone. White space around thought and text is not sent, as it is no part of a whole reply.
"""

from typing import Literal

from ...model.calls import CLOSE_THINK, OPEN_CALL
from ...model.stops import overlap

OPEN_THINK = "<think>"
State = Literal["opening", "thought", "text", "call"]


class ReplyReader:
    """Each call returns (thought, text) that is certain. `calls`: the reply may hold calls, which are no
    text; what is written of them is `called`.
    """

    def __init__(self, calls: bool):
        tags = (OPEN_CALL,) if calls else ()
        self._tags = {"thought": (CLOSE_THINK, *tags), "text": tags}
        self._state: State | None = None
        self._held = ""
        self._thought, self._text = _Trimmed(), _Trimmed()

    def __call__(self, text: str, thinking: bool) -> tuple[str, str]:
        """`thinking`: the piece is part of a thought that the prompt had opened."""
        if self._state is None:
            self._state = "thought" if thinking else "opening"
        self._held += text
        thought = said = ""
        while self._held and self._state != "call":
            if self._state == "opening":
                if not self._opened():
                    break
                continue
            before, tag = self._cut(self._tags[self._state])
            if self._state == "thought":
                thought += self._thought(before)
            else:
                said += self._text(before)
            if tag is None:
                break
            self._state = "text" if tag == CLOSE_THINK else "call"
        return thought, said

    @property
    def called(self) -> str:
        """From the first `<tool_call>` on."""
        return OPEN_CALL + self._held if self._state == "call" else ""

    def rest(self) -> tuple[str, str]:
        """What was held back, now that nothing follows."""
        held, self._held = self._held, ""
        match self._state:
            case "thought":
                return self._thought(held), ""
            case "text" | "opening":
                return "", self._text(held)
        return "", ""

    def _opened(self) -> bool:
        """Whether it is known how the reply begins: some models write their own `<think>`."""
        start = self._held.lstrip()
        if start.startswith(OPEN_THINK):
            self._held, self._state = start.removeprefix(OPEN_THINK), "thought"
            return True
        if OPEN_THINK.startswith(start):
            return False
        self._state = "text"
        return True

    def _cut(self, tags: tuple[str, ...]) -> tuple[str, str | None]:
        """What stands before the first tag, and that tag; without one, all but what may begin one."""
        found = min(((at, tag) for tag in tags if (at := self._held.find(tag)) >= 0), default=None)
        if found:
            before, self._held = self._held[: found[0]], self._held[found[0] + len(found[1]) :]
            return before, found[1]
        certain = len(self._held) - max((overlap(self._held, tag) for tag in tags), default=0)
        before, self._held = self._held[:certain], self._held[certain:]
        return before, None


class _Trimmed:
    """Drops white space at the beginning, and holds it back where it may be the end."""

    def __init__(self) -> None:
        self._begun, self._space = False, ""

    def __call__(self, text: str) -> str:
        text = self._space + text
        if not self._begun:
            text = text.lstrip()
        body = text.rstrip()
        self._space = text[len(body) :]
        self._begun |= bool(body)
        return body
