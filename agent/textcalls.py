"""Calls that a server left in the text: `<tool_call>` in XML or JSON, a fenced or bare JSON object.

Most servers parse calls themselves; this reads what the others pass through. Nothing here raises: what cannot
be read stays text. Values stay as they are written, for whoever knows the tool's schema.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from .protocol import ToolCall

THOUGHT = re.compile(r"\s*(?:<think>)?(.*?)</think>", re.DOTALL)
BLOCK = re.compile(r"<tool_call>\s*(.*?)\s*(?:</tool_call>|\Z)", re.DOTALL)
FUNCTION = re.compile(r"<function=([^>\n]+)>(.*?)(?:</function>|\Z)", re.DOTALL)
PARAMETER = re.compile(
    r"<parameter=([^>\n]+)>\n?(.*?)\n?</parameter>(?=\s*(?:<parameter=|</function>|\Z))", re.DOTALL
)
FENCE = re.compile(r"```(?:json)?\s*(\{.*?\})\s*```", re.DOTALL)


def split_thought(text: str) -> tuple[str, str]:
    """Thought and the rest, for servers that leave `<think>` in the content."""
    found = THOUGHT.match(text)
    return (found[1].strip(), text[found.end() :].strip()) if found else ("", text.strip())


def read_calls(text: str, verbs: Iterable[str] = ()) -> list[ToolCall]:
    """Every call in order, or none at all when one of them cannot be read.

    `verbs`: names that a bare JSON object may carry as its "action", as some models answer.
    """
    blocks = [match[1] for match in BLOCK.finditer(text)]
    calls = [_xml(block) or _json(block, ()) for block in blocks] or list(_loose(text, tuple(verbs)))
    return [call for call in calls if call] if all(calls) else []


def _loose(text: str, verbs: tuple[str, ...]) -> Iterator[ToolCall]:
    """A fenced object, or one that is the whole text."""
    fenced = [match[1] for match in FENCE.finditer(text)]
    found = [_json(body, verbs) for body in fenced or [text]]
    yield from (call for call in found if call)


def _xml(body: str) -> ToolCall | None:
    function = FUNCTION.match(body)
    if function is None:
        return None
    return ToolCall(function[1].strip(), dict(PARAMETER.findall(function[2])))


def _json(body: str, verbs: tuple[str, ...]) -> ToolCall | None:
    try:
        value = json.loads(body)
        if isinstance(value, dict) and value.get("action") in verbs:
            return ToolCall(str(value["action"]), value)
        arguments: Any = value["arguments"]
        arguments = json.loads(arguments) if isinstance(arguments, str) else arguments
        name = value["name"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return ToolCall(name, arguments) if isinstance(name, str) and isinstance(arguments, dict) else None
