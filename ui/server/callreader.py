"""Calls as they are written -> OpenAI's pieces of them: a name with its first argument, then one by one.

An argument is sent once it is whole, since only then its type is known; a call in the JSON form comes at its
end. Calls are written under a grammar, so a closing tag never stands inside a value.
"""

import json
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from ...model.calls import ToolCall, parse_reply

END_OF_VALUE, END_OF_CALL = "</parameter>", "\n</function>\n</tool_call>"
Piece = dict[str, Any]


class CallReader:
    def __init__(self, tools: Sequence[dict[str, Any]]):
        self._tools = tools
        self._read = 0
        self._sent: list[str] = []

    def __call__(self, written: str) -> tuple[Piece, ...]:
        """`written`: everything from the first `<tool_call>` on. What is new of it."""
        end = written.rfind(END_OF_VALUE) + len(END_OF_VALUE)
        if end <= max(self._read, len(END_OF_VALUE)):
            return ()
        self._read = end
        calls = parse_reply(written[:end] + END_OF_CALL, self._tools).calls
        return self._news([*map(_text, calls[:-1]), *(_text(call)[:-1] for call in calls[-1:])], calls)

    def rest(self, calls: Sequence[ToolCall]) -> tuple[Piece, ...]:
        """What is missing of the calls that the whole reply turned out to hold."""
        return self._news([_text(call) for call in calls], calls)

    def _news(self, texts: Sequence[str], calls: Sequence[ToolCall]) -> tuple[Piece, ...]:
        pieces: list[Piece] = []
        for i, (text, call) in enumerate(zip(texts, calls, strict=True)):
            if i == len(self._sent):
                self._sent.append("")
                identity = {"id": f"call_{uuid4().hex[:24]}", "type": "function"}
                function = {"name": call.name, "arguments": text}
                pieces.append({"index": i, **identity, "function": function})
            elif text != self._sent[i]:
                assert text.startswith(self._sent[i]), "a call was read in another way than before"
                pieces.append({"index": i, "function": {"arguments": text[len(self._sent[i]) :]}})
            self._sent[i] = text
        return tuple(pieces)


def _text(call: ToolCall) -> str:
    return json.dumps(call.arguments, ensure_ascii=False)
