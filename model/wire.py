"""Tools and schemas -> the grammar of a reply, in the checkpoint's own tool-call format, XML or JSON.

The inverse of `calls.py`: whatever this grammar allows, `parse_reply` reads, and every value fits its schema.
Writes llguidance's dialect of Lark (upper case: terminals, one automaton each; lower case: rules). Knows no
tokens.
"""

import json
from collections.abc import Sequence
from typing import Any, Literal

from llguidance import regex_to_lark

from ..errors import InputError
from .calls import CLOSE_CALL, CLOSE_THINK, OPEN_CALL
from .schema import branches, closed, constants, property_of, resolve, types, variants

Form = Literal["xml", "json"]
CLOSE_PARAMETER = "</parameter>"
AFTER_THINK = "\n\n"  # as chat templates write it
# JSON as chat templates write it (`tojson`), which also leaves no choice between spellings of white space.
JSON_STYLE = {"item_separator": ", ", "key_separator": ": ", "whitespace_flexible": False}
MOST_PARAMETERS = 64  # bits of a rule's parameter
ANYTHING = "/(?s:.*)/"


def call_grammar(
    tools: Sequence[dict], choice: str, form: Form, thinking: bool, parallel: bool, lenient: bool = False
) -> str:
    """A reply with calls. `choice`: "required", "auto" (text as well) or the name of the one tool to call.

    Raises InputError: no such tool, or one that the format cannot write.
    """
    functions = [tool["function"] for tool in tools]
    if choice not in ("required", "auto"):
        functions = [function for function in functions if function["name"] == choice]
    if not functions:
        raise InputError(f"there is no tool {choice!r}: offer it in tools")
    lark = _Lark(lenient)
    write = _xml if form == "xml" else _json
    lark.rule("body", " | ".join(write(lark, function) for function in functions))
    more = f' ("\\n{OPEN_CALL}\\n" body)*' if parallel else ""
    call = f'"{OPEN_CALL}\\n" body{more}'
    if choice == "auto":
        call = f"NO_CALL | TO_CALL body{more}"
        lark.terminals["NO_CALL"] = _without(OPEN_CALL)
        lark.terminals["TO_CALL"] = f'NO_CALL "{OPEN_CALL}\\n"'
    if not thinking:
        lark.rule("start", call)
        return str(lark)
    lark.thought()
    lark.terminals["THOUGHT_CALL"] = f'THOUGHT "{OPEN_CALL}\\n"'
    # A call inside a thought is the last: `</think>` in the text of a later one would end the thought.
    lark.rule("start", "CLOSED_THOUGHT reply | THOUGHT_CALL body")
    lark.rule("reply", call)
    return str(lark)


def answer_grammar(schema: dict[str, Any] | None, thinking: bool, lenient: bool = False) -> str:
    """A reply of JSON that fits a schema, or of text without calls when there is none."""
    lark = _Lark(lenient)
    if schema is None:
        lark.terminals["NO_CALL"] = _without(OPEN_CALL)
        answer = "NO_CALL"
    else:
        answer = lark.json(closed(schema))
    if thinking:
        lark.thought()
    lark.rule("start", f"CLOSED_THOUGHT {answer}" if thinking else answer)
    return str(lark)


class _Lark:
    """A grammar in the making: rules and terminals by name, equal ones shared."""

    def __init__(self, lenient: bool):
        self.style = {**JSON_STYLE, "lenient": lenient}
        self.rules: dict[str, str] = {}
        self.terminals: dict[str, str] = {}

    def __str__(self) -> str:
        # Without `no_forcing`, a mask would leave out all spellings of forced text but one.
        lines = ['%llguidance {"no_forcing": true}']
        return "\n".join(
            lines + [f"{name}: {body}" for name, body in {**self.rules, **self.terminals}.items()]
        )

    def rule(self, name: str, body: str) -> None:
        self.rules[name] = body

    def terminal(self, body: str) -> str:
        """The name of a terminal."""
        names = {known: name for name, known in self.terminals.items()}
        return names.get(body) or self._add(self.terminals, f"T{len(self.terminals)}", body)

    def json(self, schema: Any) -> str:
        """The name of a rule for JSON that fits a closed schema."""
        schema = schema if isinstance(schema, dict) else {}
        body = f"%json {json.dumps({**schema, 'x-guidance': self.style})}"
        names = {known: name for name, known in self.rules.items()}
        return names.get(body) or self._add(self.rules, f"json{len(self.rules)}", body)

    def thought(self) -> None:
        self.terminals["THOUGHT"] = _without(CLOSE_THINK, OPEN_CALL)
        self.terminals["CLOSED_THOUGHT"] = f"THOUGHT {_literal(CLOSE_THINK + AFTER_THINK)}"

    def _add(self, table: dict[str, str], name: str, body: str) -> str:
        table[name] = body
        return name


def _json(lark: _Lark, function: dict) -> str:
    """The rest of a call after `<tool_call>`, as an object with name and arguments."""
    parameters = closed(function.get("parameters") or {"properties": {}})
    name = json.dumps(function["name"], ensure_ascii=False)
    head, tail = _literal(f'{{"name": {name}, "arguments": '), _literal(f"}}\n{CLOSE_CALL}")
    return f"{head} {lark.json({'type': 'object', **parameters})} {tail}"


def _xml(lark: _Lark, function: dict) -> str:
    """The rest of a call after `<tool_call>`: one element per parameter, in any order, each once."""
    name, parameters = _plain_name(function["name"]), function.get("parameters") or {}
    options = variants(parameters)
    tag = _tag(options, parameters)
    bodies = [_variant(lark, each, parameters, tag) for each in options]
    head, tail = _literal(f"<function={name}>\n"), _literal(f"</function>\n{CLOSE_CALL}")
    return f"{head} ({' | '.join(dict.fromkeys(bodies))}) {tail}"


def _tag(options: list[dict], root: dict) -> str | None:
    """The parameter that tells variants apart: the first, if all require it with constant values."""
    firsts = {next(iter(each.get("properties") or {}), None) for each in options}
    name = firsts.pop() if len(options) > 1 and len(firsts) == 1 else None
    told = all(
        name in each.get("required", ()) and constants(resolve(each["properties"][name], root))
        for each in options
        if name
    )
    return name if told else None


def _variant(lark: _Lark, variant: dict, root: dict, tag: str | None) -> str:
    """The parameters of one variant: its tag, then the others while their bits are clear."""
    properties, required = dict(variant.get("properties") or {}), set(variant.get("required", ()))
    head = f"{_parameter(lark, tag, properties.pop(tag), root)} " if tag else ""
    missing = sorted(required - set(properties) - {tag})
    if missing:
        raise InputError(f"the tool requires {', '.join(missing)} without a schema: add it to properties")
    if len(properties) > MOST_PARAMETERS:
        raise InputError(f"a tool with {len(properties)} parameters: at most {MOST_PARAMETERS}; nest them")
    if not properties:
        return head.strip() or '""'
    lines = [f'"" %if {_all_set([i for i, name in enumerate(properties) if name in required])}']
    rule = f"args{len(lark.rules)}"
    lark.rule(f"{rule}::_", "")  # holds the place of the name while the values add theirs
    for i, (name, schema) in enumerate(properties.items()):
        lines.append(f"{_parameter(lark, name, schema, root)} {rule}::set_bit({i}) %if bit_clear({i})")
    lark.rule(f"{rule}::_", "\n  | ".join(lines))
    return f"{head}{rule}::0x0"


def _all_set(bits: list[int]) -> str:
    condition = "true"
    for bit in reversed(bits):
        condition = f"bit_set({bit})" if condition == "true" else f"and(bit_set({bit}), {condition})"
    return condition


def _parameter(lark: _Lark, name: str, schema: Any, root: dict) -> str:
    head = _literal(f"<parameter={_plain_name(name)}>\n")
    kinds = types(property_of(root, name), root)  # as the reader will see it
    if not kinds or "string" in kinds:
        text = lark.terminal(f'{_text(lark, schema, root)} "\\n{CLOSE_PARAMETER}\\n"')
        return f"{head} {text}"
    value = closed(_with_definitions(schema, root))
    return f'{head} {lark.json(value)} "\\n{CLOSE_PARAMETER}\\n"'


def _text(lark: _Lark, schema: Any, root: dict) -> str:
    """The terminal of a parameter's raw text, which cannot close the parameter."""
    schema = closed(resolve(schema, root))
    words = [value for value in constants(schema) if isinstance(value, str)]
    if words:
        return lark.terminal(" | ".join(_literal(_plain_text(word)) for word in words))
    options = [each for each in branches(schema) if types(each, root) in (set(), {"string"})]
    if options:
        return lark.terminal(" | ".join(_text(lark, each, root) for each in options))
    parts = [lark.terminal(_without(CLOSE_PARAMETER))]
    parts += [_text(lark, each, root) for each in schema.get("allOf", ())]
    if "minLength" in schema or "maxLength" in schema:
        parts.append(f"/(?s:.{{{schema.get('minLength', 0)},{schema.get('maxLength', '')}}})/")
    if "pattern" in schema:
        parts.append(f"/{regex_to_lark(_whole(schema['pattern']), 'd')}/")
    return lark.terminal(" & ".join(parts))


def _whole(pattern: str) -> str:
    """A JSON schema's pattern, which may match anywhere, as one that matches the whole text."""
    head = "" if pattern.startswith("^") else "(?s:.*)"
    anchored = pattern.endswith("$") and not pattern.endswith("\\$")
    body = pattern.removeprefix("^")
    return f"{head}(?:{body[:-1] if anchored else body}){'' if anchored else '(?s:.*)'}"


def _with_definitions(schema: Any, root: dict) -> Any:
    if not isinstance(schema, dict) or '"$ref"' not in json.dumps(schema):
        return schema
    return {**schema, **{key: root[key] for key in ("$defs", "definitions") if key in root}}


def _without(*words: str) -> str:
    banned = "|".join(regex_to_lark(word, "") for word in words)
    return f"{ANYTHING} & ~/(?s:.*)({banned})(?s:.*)/"


def _literal(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _plain_name(name: str) -> str:
    if not name or any(char in name for char in ">\n"):
        raise InputError(f"the name {name!r} cannot be written in a call: use letters, digits and _")
    return name


def _plain_text(word: str) -> str:
    if CLOSE_PARAMETER in word:
        raise InputError(f"the constant {word!r} cannot be written in a call: it closes its parameter")
    return word
