"""What the model wrote -> thought, text and tool calls. The inverse of the chat template, and forgiving.

Two forms of a call are read, XML and JSON, both inside `<tool_call>`. Nothing here raises: what cannot be
read stays text. What a call means is not known here.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from .schema import is_a, property_of, types

OPEN_CALL, CLOSE_CALL, CLOSE_THINK = "<tool_call>", "</tool_call>", "</think>"
OPEN_THINK = re.compile(r"\s*<think>")
FUNCTION = re.compile(r"\s*<function=([^>\n]+)>[ \t]*\n?")
END_OF_XML = re.compile(r"\s*</function>\s*(?:</tool_call>|\Z)")
END_OF_JSON = re.compile(r"\s*(?:</tool_call>|\Z)")
# A value ends where its closing tag is followed by the next thing that the format allows, so tags inside a
# value are text: EXACT with the template's own white space, LOOSE with any.
EXACT = re.compile(
    r"<parameter=([^>\n]+)>\n(.*?)\n</parameter>\n(?=<parameter=[^>\n]+>\n|</function>\n</tool_call>)",
    re.DOTALL,
)
LOOSE = re.compile(
    r"\s*<parameter=([^>\n]+)>\n?(.*?)\n?</parameter>"
    r"(?=\s*<parameter=[^>\n]+>|\s*</function>\s*(?:</tool_call>|\Z))",
    re.DOTALL,
)
PYTHON_WORDS = {"True": True, "False": False, "None": None}


Read = tuple[str, dict[str, Any], int]  # name, arguments, where the call ends


@dataclass(frozen=True)
class ToolCall:
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class ParsedReply:
    thought: str = ""
    text: str = ""
    calls: list[ToolCall] = field(default_factory=list)


def parse_reply(raw: str, tools: Sequence[dict] = (), thinking: bool = False) -> ParsedReply:
    """`thinking`: the prompt had already opened `<think>`. `tools`: OpenAI-style, for the types of arguments.

    One malformed call makes all of the answer text: acting on half of it would be a guess.
    """
    thought, answer = _split_thought(raw, thinking)
    schemas = {tool["function"]["name"]: tool["function"].get("parameters") or {} for tool in tools}
    found = list(_calls(answer, schemas))
    if not found or None in found:
        return ParsedReply(thought, answer.strip())
    outside, position = [], 0
    for call in found:
        assert call is not None
        outside.append(answer[position : call.start].strip())
        position = call.end
    text = "\n".join(part for part in [*outside, answer[position:].strip()] if part)
    return ParsedReply(thought, text, [ToolCall(call.name, call.arguments) for call in found if call])


@dataclass(frozen=True)
class _Found:
    name: str
    arguments: dict[str, Any]
    start: int
    end: int


def _split_thought(raw: str, thinking: bool) -> tuple[str, str]:
    """Thought and answer. A call ends a thought that was never closed."""
    if not thinking:
        opening = OPEN_THINK.match(raw)
        if not opening:
            return "", raw
        raw = raw[opening.end() :]
    call_at, close_at = raw.find(OPEN_CALL), raw.find(CLOSE_THINK)
    if call_at >= 0 and (close_at < 0 or call_at < close_at):
        call = _call(raw, call_at, {})
        if call and (close_at < 0 or call.end > close_at):
            return raw[:call_at].strip(), raw[call_at:]
    thought, _, answer = raw.partition(CLOSE_THINK)
    return thought.strip(), answer


def _calls(answer: str, schemas: dict[str, dict]) -> Iterator[_Found | None]:
    """Every call in order; None for one that cannot be read, which is then the last."""
    position = 0
    while (start := answer.find(OPEN_CALL, position)) >= 0:
        call = _call(answer, start, schemas)
        yield call
        if call is None:
            return
        position = call.end


def _call(text: str, start: int, schemas: dict[str, dict]) -> _Found | None:
    body = start + len(OPEN_CALL)
    exact, loose = _xml(text, body, EXACT), _xml(text, body, LOOSE)
    if exact and loose and _ran_over(exact, loose, schemas):
        exact = None
    read = exact or loose or _json(text, body)
    if not read:
        return None
    name, arguments, end = read
    typed = {key: _typed(value, key, schemas.get(name, {})) for key, value in arguments.items()}
    return _Found(name, typed, start, end)


def _ran_over(exact: Read, loose: Read, schemas: dict[str, dict]) -> bool:
    """Whether sloppy closing tags made EXACT swallow parameters of the tool, or the next call."""
    name, arguments, _ = loose
    known = schemas.get(name, {}).get("properties", {})
    swallowed = len(arguments) > len(exact[1]) and all(key in known for key in arguments)
    return swallowed or (loose != exact and any(OPEN_CALL in value for value in exact[1].values()))


def _xml(text: str, position: int, parameter: re.Pattern) -> Read | None:
    function = FUNCTION.match(text, position)
    if not function:
        return None
    arguments: dict[str, Any] = {}
    position = function.end()
    while found := parameter.match(text, position):
        if found[1] in arguments:
            return None
        arguments[found[1]] = _Raw(found[2])
        position = found.end()
    end = END_OF_XML.match(text, position)
    return (function[1].strip(), arguments, end.end()) if end else None


def _json(text: str, position: int) -> Read | None:
    try:
        start = len(text) - len(text[position:].lstrip())
        value, position = json.JSONDecoder().raw_decode(text, start)
        arguments = value.get("arguments", {})
        arguments = json.loads(arguments) if isinstance(arguments, str) else arguments
        name = value["name"]
    except (ValueError, KeyError, AttributeError, RecursionError):
        return None
    end = END_OF_JSON.match(text, position)
    return (
        (name, arguments, end.end())
        if end and isinstance(name, str) and isinstance(arguments, dict)
        else None
    )


class _Raw(str):
    """The text of an XML parameter, not yet typed; JSON values carry their types with them."""

    __slots__ = ()


def _typed(value: Any, key: str, schema: dict) -> Any:
    """An XML parameter as the tool's schema declares it; text that does not fit its type stays text."""
    if not isinstance(value, _Raw):
        return value
    text = str(value)
    wanted = types(property_of(schema, key), schema)
    if not wanted or "string" in wanted:
        return text
    stripped = text.strip()
    try:
        parsed = (
            PYTHON_WORDS[stripped]
            if stripped in PYTHON_WORDS
            else json.loads(stripped, parse_constant=_refuse)
        )
    except (ValueError, RecursionError):
        return text
    if wanted == {"integer"} and isinstance(parsed, float) and parsed.is_integer():
        parsed = int(parsed)
    return parsed if any(is_a(parsed, kind) for kind in wanted) else text


def _refuse(constant: str) -> Any:
    raise ValueError(constant)
