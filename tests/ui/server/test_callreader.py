"""Pieces of calls add up to the calls, wherever the text is cut."""

import json

import pytest
from saccade.model.calls import parse_reply
from saccade.ui.server.callreader import CallReader

PARAMETERS = {"type": "object", "properties": {"text": {"type": "string"}, "at": {"type": "array"}}}
TOOLS = [
    {"type": "function", "function": {"name": "write", "parameters": PARAMETERS}},
    {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}},
]
WRITTEN = (
    '<tool_call>\n<function=write>\n<parameter=at>\n[1, 2]\n</parameter>\n<parameter=text>\nHé "you"\n\n'
    "</parameter>\n</function>\n</tool_call>\n<tool_call>\n<function=now>\n</function>\n</tool_call>\n"
    "<tool_call>\n<function=write>\n<parameter=text>\n7\n</parameter>\n</function>\n</tool_call>"
)
JSON = '<tool_call>\n{"name": "write", "arguments": {"text": "<parameter=x>y</parameter>"}}\n</tool_call>'


@pytest.mark.parametrize("written", [WRITTEN, JSON])
@pytest.mark.parametrize("length", [1, 7, 50, 1000])
def test_pieces_add_up(written, length):
    calls, read, found = parse_reply(written, TOOLS).calls, CallReader(TOOLS), {}
    ends = range(length, len(written) + length, length)
    for piece in [*(it for end in ends for it in read(written[:end])), *read.rest(calls)]:
        name, text = found.get(piece["index"], (piece["function"].get("name"), ""))
        assert ("id" in piece) == (piece["index"] not in found)
        found[piece["index"]] = (name, text + piece["function"]["arguments"])
    assert [(name, json.loads(text)) for name, text in found.values()] == [
        (call.name, call.arguments) for call in calls
    ]
    assert list(found) == list(range(len(calls)))
