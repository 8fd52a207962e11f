"""`/v1/responses` through the real `openai` client; the same work as chat, so the two are compared."""

import base64
import json
from io import BytesIO
from typing import Any

import openai
import pytest
from PIL import Image
from pydantic import BaseModel
from saccade.ui.server.responses_ask import ResponsesRequest, messages_of

HELLO = "Task: Open the Help page"
FAST: dict[str, Any] = {"reasoning": {"effort": "none"}}
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string", "enum": ["Rome", "Oslo"]}, "days": {"type": "integer"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER: Any = {"type": "function", "name": "weather", "parameters": CITY, "strict": True}
CLOCK: Any = {"type": "function", "name": "clock", "parameters": {"type": "object", "properties": {}}}


@pytest.fixture
def ask(client):
    def ask(input=HELLO, **fields):
        return client.responses.create(
            **{"model": "builtin", "input": input, "max_output_tokens": 40, **FAST, **fields}
        )

    return ask


def plain(response: Any) -> list[dict[str, Any]]:
    """The items, without what differs from answer to answer."""
    items = [item.to_dict() for item in response.output]
    return [{k: v for k, v in item.items() if k not in ("id", "call_id")} for item in items]


def test_an_answer_says_what_chat_says(ask, client):
    answer = ask()
    chat = client.chat.completions.create(
        model="builtin", messages=[{"role": "user", "content": HELLO}], max_tokens=40, reasoning_effort="none"
    )
    assert answer.output_text == chat.choices[0].message.content
    assert (answer.object, answer.model, answer.error) == ("response", "builtin", None)
    cut = chat.choices[0].finish_reason == "length"
    assert answer.status == ("incomplete" if cut else "completed")
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (
        chat.usage.prompt_tokens,
        chat.usage.completion_tokens,
    )
    assert answer.usage.total_tokens == chat.usage.total_tokens
    assert answer.usage.input_tokens_details.cached_tokens <= answer.usage.input_tokens


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"reasoning": None, "extra_body": {"thinking": {"budget": 9}}, "max_output_tokens": 60},
        {"tools": [WEATHER, CLOCK], "tool_choice": "required", "max_output_tokens": 150},
        {
            "tools": [CLOCK],
            "tool_choice": "required",
            "reasoning": {"effort": "low"},
            "max_output_tokens": 200,
        },
        {"text": {"format": {"type": "json_schema", "name": "c", "schema": CITY}}, "max_output_tokens": 90},
        {"instructions": "Be brief.", "temperature": 0, "top_p": 0.5, "max_output_tokens": 6},
    ],
    ids=["fast", "thought", "calls", "thought-and-call", "schema", "cut"],
)
def test_streamed_equals_whole(ask, fields):
    once = ask(**fields)
    events = list(ask(**fields, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = [event.type for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == f"response.{once.status}"
    last = events[-1].response
    assert plain(last) == plain(once)
    assert last.usage.output_tokens == once.usage.output_tokens
    added, done = (
        [event.item.id for event in events if event.type == f"response.output_item.{end}"]
        for end in ("added", "done")
    )
    assert added == done == [item.id for item in last.output]
    for item in last.output:
        told = "".join(e.delta for e in events if e.type.endswith(".delta") and e.item_id == item.id)
        assert told == (item.arguments if item.type == "function_call" else item.content[0].text)


def test_a_thought_stands_apart(ask):
    answer = ask(reasoning=None, extra_body={"thinking": {"budget": 2}}, max_output_tokens=120)
    thought, *rest = answer.output
    assert thought.type == "reasoning"
    assert thought.content[0].text
    assert all(thought.content[0].text not in item.content[0].text for item in rest)
    assert answer.usage.output_tokens_details.reasoning_tokens >= 2
    assert answer.saccade[0]["thinking"]["closed_by"] == "budget"


def test_calls_fit_their_schema_and_go_back(ask):
    answer = ask(
        tools=[WEATHER], tool_choice={"type": "function", "name": "weather"}, parallel_tool_calls=False,
        max_output_tokens=150,
    )  # fmt: skip
    (call,) = answer.output
    assert (call.type, call.name, call.status) == ("function_call", "weather", "completed")
    assert json.loads(call.arguments)["city"] in ("Rome", "Oslo")
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
    talk = [{"role": "user", "content": HELLO}, *[item.to_dict() for item in answer.output], result]
    assert ask(talk, tools=[WEATHER]).usage.input_tokens > answer.usage.input_tokens


def test_the_clients_own_helpers(client):
    class Form(BaseModel):
        done: bool

    fields: Any = {"model": "builtin", "input": HELLO, "max_output_tokens": 60, **FAST}
    assert isinstance(client.responses.parse(**fields, text_format=Form).output_parsed.done, bool)
    with client.responses.stream(**fields, text_format=Form) as stream:
        assert any(event.type == "response.output_text.delta" for event in stream)
        assert isinstance(stream.get_final_response().output_parsed.done, bool)


def test_pictures(ask):
    data = BytesIO()
    Image.new("RGB", (96, 64), "teal").save(data, "PNG")
    url = f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}"
    parts = [
        {"type": "input_image", "image_url": url, "detail": "auto"},
        {"type": "input_text", "text": HELLO},
    ]
    shown = ask([{"role": "user", "content": parts}]).usage.input_tokens - ask().usage.input_tokens
    assert shown > 20


def test_items_of_one_turn_are_one_message():
    """A thought, words and calls, as an answer gave them; the next result begins another turn."""
    call = {"type": "function_call", "name": "clock", "arguments": "{}", "id": "fc_1", "status": "completed"}
    body = ResponsesRequest.model_validate(
        {
            "model": "m",
            "instructions": "Be brief.",
            "input": [
                {"role": "user", "content": "When?"},
                {
                    "type": "reasoning",
                    "id": "r",
                    "summary": [],
                    "content": [{"type": "reasoning_text", "text": "Look"}],
                },
                {
                    "type": "message",
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": "A moment"}],
                },
                {**call, "call_id": "a"},
                {**call, "call_id": "b"},
                {
                    "type": "function_call_output",
                    "call_id": "a",
                    "output": [{"type": "input_text", "text": "noon"}],
                },
            ],
        }
    )
    system, user, turn, result = messages_of(body)
    assert (system["role"], user["content"]) == ("system", "When?")
    assert (turn["reasoning_content"], turn["content"]) == ("Look", "A moment")
    assert [call["id"] for call in turn["tool_calls"]] == ["a", "b"]
    assert result == {"role": "tool", "tool_call_id": "a", "content": "noon"}


FILE = {"type": "input_image", "image_url": "/etc/passwd"}


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        ({"temperature": 3}, "temperature", "less than or equal to 2"),
        ({"previous_response_id": "resp_1"}, None, "nothing is kept"),
        ({"extra_body": {"temprature": 1}}, "temprature", "there is no parameter 'temprature'"),
        ({"tool_choice": "required"}, None, "needs tools"),
        ({"input": [{"type": "web_search_call"}]}, "input.0", "'web_search_call'"),
        ({"input": [{"role": "user", "content": [FILE]}]}, "input.0.content.0", "no data URL"),
        ({"input": [{"role": "user", "content": 7}]}, "input.0.content", "neither text"),
        ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format", "a schema goes with"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_bad_requests_are_named(ask, fields, param, words, stream):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(**fields, stream=stream)
    body: Any = caught.value.body
    assert body["param"] == param
    assert words in body["message"]
    with pytest.raises(openai.NotFoundError):
        ask(model="gpt-9")
