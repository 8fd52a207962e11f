"""What the model wrote is read as the template would have written it, and never raises."""

import json
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from saccade.model.calls import ToolCall, parse_reply
from saccade.model.chat import ChatFormat

from . import tiny

PROPERTIES = {
    "text": {"type": "string"},
    "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    "coordinate": {"type": "array", "items": {"type": "integer"}},
    "pixels": {"anyOf": [{"type": "number"}, {"type": "null"}]},
    "tab": {"type": ["integer", "null"]},
    "deep": {"type": "boolean"},
    "options": {"$ref": "#/$defs/Options"},
    "action": {"enum": ["click", "1"]},
    "anything": {},
}
TOOL = {
    "type": "function",
    "function": {
        "name": "computer_use",
        "parameters": {"properties": PROPERTIES, "$defs": {"Options": {"type": "object"}}},
    },
}
FORMAT = ChatFormat(tiny.tokenizer(), tiny.TEMPLATE.read_text(), tiny.PLACEHOLDERS, [tiny.IM_END])


def written(arguments: dict[str, Any], thought: str = "", content: str = "") -> str:
    """The assistant's turn as the template renders it."""
    call = {"type": "function", "function": {"name": "computer_use", "arguments": arguments}}
    turn = {"role": "assistant", "content": content, "reasoning_content": thought, "tool_calls": [call]}
    text, _ = FORMAT.render([turn], [], True)
    return text.removeprefix("<|im_start|>assistant\n").partition(
        "<|im_end|>\n<|im_start|>assistant\n<think>"
    )[0]


def xml(**arguments: str) -> str:
    body = "".join(f"<parameter={key}>\n{value}\n</parameter>\n" for key, value in arguments.items())
    return f"<tool_call>\n<function=computer_use>\n{body}</function>\n</tool_call>"


tags = st.sampled_from(
    [
        "</parameter>",
        "<parameter=text>",
        "</function>",
        "<function=f>",
        "</tool_call>",
        "<tool_call>",
        "\n",
        "\r\n",
    ]
    + ["<think>", "</think>", "{", '"', "&lt;", " ", "é", "\u2028", "😀"]
)
texts = st.lists(tags | st.text(max_size=6), max_size=8).map("".join)
values = {
    "text": texts,
    "coordinate": st.lists(st.integers(0, 1000), min_size=2, max_size=2),
    "pixels": st.integers(-2000, 2000) | st.floats(-1e6, 1e6) | st.none(),
    "tab": st.integers() | st.none(),
    "deep": st.booleans(),
    "options": st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers(), max_size=3),
}


def representable(text: str) -> bool:
    """The format has no escapes: a value must not hold its own end, nor a control token of the tokenizer."""
    ends = ("\n</parameter>\n<parameter=", "\n</parameter>\n</function>\n</tool_call>")
    sloppy = "".join(f"\n{text}\n".split())
    loose = ("</parameter><parameter=", "</parameter></function></tool_call>")
    return not any(end in f"\n{text}\n" for end in ends) and not any(end in sloppy for end in loose)


@settings(max_examples=300, deadline=None)
@given(st.fixed_dictionaries({}, optional=values))
@example({"text": "a</parameter>b"})
@example({"text": "\n\nx\n\n"})
@example({"text": ""})
@example({"text": "</think><tool_call></tool_call>"})
def test_render_then_parse(arguments: dict[str, Any]):
    assume(representable(arguments.get("text", "")))
    reply = parse_reply(written(arguments), [TOOL])
    assert reply.calls == [ToolCall("computer_use", arguments)]
    assert reply.text == ""


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet=st.characters(exclude_characters="<", exclude_categories=["Cs"])), texts)
def test_thought_and_text_come_back(thought: str, text: str):
    assume(representable(text))
    reply = parse_reply(written({"text": text}, thought, "Look:\n"), [TOOL])
    assert reply.thought == thought.strip()
    assert reply.text == "Look:"
    assert reply.calls == [ToolCall("computer_use", {"text": text})]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(tags | st.sampled_from(["<parameter=tab>", "[1", "nul"]), max_size=25).map("".join),
    st.booleans(),
)
def test_nothing_raises(raw: str, thinking: bool):
    reply = parse_reply(raw, [TOOL], thinking)
    json.dumps([call.arguments for call in reply.calls])


def test_the_thought_that_the_prompt_opened():
    reply = parse_reply("\nI click.\n</think>\n\n" + xml(deep="true"), [TOOL], thinking=True)
    assert (reply.thought, reply.text) == ("I click.", "")
    assert reply.calls == [ToolCall("computer_use", {"deep": True})]


def test_a_call_in_an_unclosed_thought():
    for thinking, opening in ((True, ""), (False, "<think>\n")):
        reply = parse_reply(f"{opening}I type.\n{xml(text='a </think> b')}", [TOOL], thinking)
        assert reply.thought == "I type."
        assert reply.calls == [ToolCall("computer_use", {"text": "a </think> b"})]


def test_a_call_in_a_closed_thought_is_only_a_thought():
    reply = parse_reply(f"{xml(text='a')}\n</think>\nDone.", [TOOL], thinking=True)
    assert reply.calls == []
    assert reply.text == "Done."


def test_an_endless_thought():
    reply = parse_reply("hm " * 50, [TOOL], thinking=True)
    assert (reply.thought, reply.text, reply.calls) == (("hm " * 50).strip(), "", [])


def test_json_form():
    for body in (
        '{"name": "f", "arguments": {"text": "</tool_call>", "n": 1}}',
        '{"arguments": "{\\"text\\": \\"</tool_call>\\", \\"n\\": 1}", "name": "f"}',
    ):
        reply = parse_reply(f"Ok\n<tool_call>\n{body}\n</tool_call>\nthen", [TOOL])
        assert reply.calls == [ToolCall("f", {"text": "</tool_call>", "n": 1})]
        assert reply.text == "Ok\nthen"


def test_several_calls():
    reply = parse_reply(f"{xml(tab='1')}\n{xml(tab='2')}", [TOOL])
    assert [call.arguments for call in reply.calls] == [{"tab": 1}, {"tab": 2}]


@pytest.mark.parametrize(
    ("key", "raw", "value"),
    [
        ("text", "[1, 2]", "[1, 2]"),
        ("text", "null", "null"),
        ("note", "5", "5"),
        ("coordinate", "[512, 300]", [512, 300]),
        ("coordinate", " [512,\n300] ", [512, 300]),
        ("coordinate", "512, 300", "512, 300"),
        ("pixels", "-3.5", -3.5),
        ("pixels", "null", None),
        ("pixels", "None", None),
        ("pixels", "NaN", "NaN"),
        ("pixels", "true", "true"),
        ("tab", "2.0", "2.0"),
        ("tab", "two", "two"),
        ("tab", "9" * 5000, "9" * 5000),
        ("deep", "True", True),
        ("deep", "1", "1"),
        ("options", '{"a": [1]}', {"a": [1]}),
        ("options", "[" * 100_000, "[" * 100_000),
        ("action", "1", "1"),
        ("anything", "1", "1"),
        ("unknown", "1", "1"),
    ],
)
def test_types_come_from_the_schema(key: str, raw: str, value: Any):
    assert parse_reply(xml(**{key: raw}), [TOOL]).calls == [ToolCall("computer_use", {key: value})]


def test_an_integer_may_be_written_as_a_float():
    tool = {"function": {"name": "computer_use", "parameters": {"properties": {"n": {"type": "integer"}}}}}
    assert parse_reply(xml(n="5.0"), [tool]).calls[0].arguments == {"n": 5}
    assert parse_reply(xml(n="5.5"), [tool]).calls[0].arguments == {"n": "5.5"}


@pytest.mark.parametrize(
    ("opening", "one", "two", "closing"),
    [
        ("<tool_call><function=computer_use>", "1", "a", "</function></tool_call>"),
        ("<tool_call>\n<function=computer_use>\n", "\n1", "\na\n", "\n</function>\n</tool_call>"),
        ("<tool_call>\n\n <function=computer_use> \n ", "1", "a\n", "\n </function>"),
    ],
)
def test_sloppy_white_space(opening: str, one: str, two: str, closing: str):
    raw = f"{opening}<parameter=tab>{one}</parameter>\n<parameter=text>{two}</parameter>{closing}"
    assert parse_reply(raw, [TOOL]).calls == [ToolCall("computer_use", {"tab": 1, "text": "a"})]


def test_a_sloppy_call_does_not_swallow_the_next():
    sloppy = (
        "<tool_call>\n<function=computer_use>\n<parameter=text>\na</parameter>\n</function>\n</tool_call>"
    )
    reply = parse_reply(sloppy + "\n" + xml(text="b"), [TOOL])
    assert [call.arguments["text"] for call in reply.calls] == ["a", "b"]


@pytest.mark.parametrize(
    "raw",
    [
        "<tool_call>",
        "<tool_call></tool_call>",
        "<tool_call>\n<function=computer_use>\n<parameter=text>\ncut off",
        "<tool_call>\n<function=>\n</function>\n</tool_call>",
        "<tool_call>\n{\"name\": \"f\", \"arguments\": [1]}\n</tool_call>",
        "<tool_call>\n{\"name\": 3, \"arguments\": {}}\n</tool_call>",
        "<tool_call>\n{\"name\": \"f\"\n</tool_call>",
        "<tool_call>\n" + "{\"a\":" * 50_000,
        xml(text="a").replace("</function>", "<parameter=text>\nb\n</parameter>\n</function>"),
        xml(text="a") + "\n<tool_call>\n<function=computer_use>",
    ],
)  # fmt: skip
def test_malformed_calls_stay_text(raw: str):
    reply = parse_reply(raw, [TOOL])
    assert reply.calls == []
    assert reply.text == raw.strip()


def test_long_output_is_read_in_time():
    """No quadratic search: 200 000 characters of almost-calls."""
    for raw in (
        "<tool_call>" * 20_000,
        "<tool_call>\n<function=f>\n<parameter=a>\n" + "</parameter>\n" * 15_000,
    ):
        assert parse_reply(raw, [TOOL]).calls == []
