"""`/v1/chat/completions` through the real `openai` client: every parameter, streamed and not.

The built-in model's answers are arbitrary here: shapes, limits and equalities are what is tested.
"""

import base64
import json
import math
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import openai
import pytest
from openai.lib.streaming.chat import ChunkEvent
from PIL import Image
from pydantic import BaseModel
from saccade.model.sampling import Sampling
from saccade.ui.server.ask import asked_of
from saccade.ui.server.settings import Settings
from saccade.ui.server.wire import ChatRequest

HELLO: list[Any] = [{"role": "user", "content": "Task: Open the Help page"}]
FAST = {"chat_template_kwargs": {"enable_thinking": False}}
CITY = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "enum": ["Rome", "Oslo"]},
        "days": {"type": "integer", "minimum": 1, "maximum": 9},
    },
    "required": ["city", "days"],
    "additionalProperties": False,
}
WEATHER: Any = {"type": "function", "function": {"name": "weather", "parameters": CITY, "strict": True}}
OTHER: Any = {
    "type": "function",
    "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}},
}


@pytest.fixture
def ask(client):
    """The first choice of a short, quick answer; keywords are the request's."""

    def ask(messages=HELLO, **fields):
        defaults = {"model": "builtin", "messages": messages, "max_tokens": 40, "extra_body": FAST}
        return client.chat.completions.create(**{**defaults, **fields})

    return ask


def gathered(stream) -> dict[str, Any]:
    """A streamed answer, put together again."""
    found: dict[str, Any] = {
        "text": "",
        "thought": "",
        "calls": [],
        "logprobs": [],
        "usage": None,
        "finish": None,
    }
    for chunk in stream:
        found["usage"] = chunk.usage or found["usage"]
        for choice in chunk.choices:
            delta = choice.delta
            found["text"] += delta.content or ""
            found["thought"] += getattr(delta, "reasoning_content", None) or ""
            for piece in delta.tool_calls or ():
                if piece.id:
                    found["calls"].append((piece.function.name, ""))
                name, written = found["calls"][piece.index]
                found["calls"][piece.index] = (name, written + piece.function.arguments)
            found["logprobs"] += choice.logprobs.content if choice.logprobs else []
            found["finish"] = choice.finish_reason or found["finish"]
    return found


def whole(answer) -> dict[str, Any]:
    """The same of an answer that came at once."""
    choice = answer.choices[0]
    return {
        "text": choice.message.content or "",
        "thought": getattr(choice.message, "reasoning_content", None) or "",
        "calls": [(it.function.name, it.function.arguments) for it in choice.message.tool_calls or ()],
        "logprobs": (choice.logprobs.content or []) if choice.logprobs else [],
        "finish": choice.finish_reason,
    }


def picture(colour: str) -> dict[str, Any]:
    data = BytesIO()
    Image.new("RGB", (96, 64), colour).save(data, "PNG")
    url = f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}


def refused(call, kind: type[openai.APIStatusError] = openai.BadRequestError) -> dict[str, Any]:
    """The error's body, in OpenAI's form."""
    with pytest.raises(kind) as caught:
        call()
    body: Any = caught.value.body
    assert body.keys() == {"message", "type", "param", "code"}
    assert body["message"]
    return body


def test_an_answer_has_the_agreed_form(ask):
    answer = ask()
    choice = answer.choices[0]
    assert (answer.object, answer.model, len(answer.choices)) == ("chat.completion", "builtin", 1)
    assert (choice.index, choice.message.role) == (0, "assistant")
    assert choice.finish_reason in ("stop", "length")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert 1 <= answer.usage.completion_tokens <= 40


@pytest.mark.parametrize(
    "fields",
    [
        {"extra_body": FAST},
        {"extra_body": {"thinking": {"mode": "deep", "budget": 12}}},
        {"extra_body": {"thinking": {"mode": "auto", "budget": 8}}, "tools": [WEATHER]},
        {"tools": [WEATHER, OTHER], "tool_choice": "auto"},
        {"tools": [WEATHER, OTHER], "tool_choice": "required", "max_tokens": 120},
        {
            "tools": [WEATHER],
            "tool_choice": "required",
            "extra_body": {"thinking": {"budget": 9}},
            "max_tokens": 120,
        },
        {"response_format": {"type": "json_schema", "json_schema": {"name": "c", "schema": CITY}}},
        {"temperature": 1.0, "seed": 7, "logprobs": True, "top_logprobs": 2},
        {"tools": [WEATHER], "tool_choice": "required", "max_tokens": 7},
    ],
    ids=["fast", "deep", "auto", "tools", "required", "thought-and-call", "schema", "sampled", "cut-call"],
)
def test_streamed_equals_whole(ask, fields):
    once = ask(**fields)
    stream = gathered(ask(**fields, stream=True, stream_options={"include_usage": True}))
    usage = stream.pop("usage")
    assert stream == whole(once)
    assert usage.completion_tokens == once.usage.completion_tokens
    assert usage.prompt_tokens == once.usage.prompt_tokens


def test_a_stream_ends_with_its_usage_only_where_asked(ask):
    chunks = list(ask(stream=True))
    assert all(chunk.usage is None for chunk in chunks)
    ends = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    assert len(ends) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert {chunk.id for chunk in chunks} == {chunks[0].id}
    last = list(ask(stream=True, stream_options={"include_usage": True}))[-1]
    assert last.choices == []
    assert last.usage.completion_tokens >= 1


def test_a_streamed_call_comes_argument_by_argument(ask):
    """And a call that is cut off stays unfinished in a stream, while a whole answer leaves it out."""
    fields = {"tools": [WEATHER], "tool_choice": "required", "parallel_tool_calls": False, "max_tokens": 150}
    chunks = list(ask(**fields, stream=True))
    pieces = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
    assert len(pieces) > 1
    assert [bool(piece.id) for piece in pieces] == [True, *[False] * (len(pieces) - 1)]
    assert json.loads("".join(piece.function.arguments for piece in pieces)).keys() == {"city", "days"}
    assert json.loads(pieces[0].function.arguments + "}").keys() < {"city", "days"}
    written = ask(**fields, logprobs=True).choices[0].logprobs.content
    ends = [i for i in range(len(written)) if "</parameter>" in "".join(it.token for it in written[:i])]
    short = {**fields, "max_tokens": ends[0] + 4, "extra_body": FAST}
    cut = gathered(ask(**short, stream=True))
    assert (cut["finish"], len(cut["calls"])) == ("length", 1)
    assert not cut["calls"][0][1].endswith("}")
    once = whole(ask(**short))
    assert (once["finish"], once["calls"], once["text"]) == ("length", [], cut["text"])


def test_the_clients_own_stream_helper(client):
    fields = {"model": "builtin", "messages": HELLO, "max_tokens": 120, "extra_body": FAST}
    with client.chat.completions.stream(**fields, tools=[WEATHER], tool_choice="required") as stream:
        assert any(isinstance(event, ChunkEvent) for event in stream)
        final = stream.get_final_completion()
    arguments = json.loads(final.choices[0].message.tool_calls[0].function.arguments)
    assert arguments["city"] in ("Rome", "Oslo")


def test_tool_choice(ask):
    tools = {"tools": [WEATHER, OTHER], "max_tokens": 150, "parallel_tool_calls": False}
    required = ask(**tools, tool_choice="required").choices[0]
    assert required.finish_reason == "tool_calls"
    assert len(required.message.tool_calls) == 1
    named = ask(**tools, tool_choice={"type": "function", "function": {"name": "clock"}}).choices[0]
    assert [call.function.name for call in named.message.tool_calls] == ["clock"]
    assert named.message.tool_calls[0].id.startswith("call_")
    assert json.loads(named.message.tool_calls[0].function.arguments) == {}
    none = ask(**tools, tool_choice="none").choices[0]
    assert none.message.tool_calls is None
    assert "<tool_call>" not in none.message.content
    auto = ask(**tools).choices[0]
    assert (auto.finish_reason == "tool_calls") == bool(auto.message.tool_calls)


def test_arguments_fit_their_schema(ask):
    for seed in range(6):
        choice = ask(
            tools=[WEATHER], tool_choice="required", temperature=2, seed=seed, max_tokens=200
        ).choices[0]
        for call in choice.message.tool_calls or ():
            arguments = json.loads(call.function.arguments)
            assert arguments.keys() == {"city", "days"}
            assert arguments["city"] in ("Rome", "Oslo")
            assert 1 <= arguments["days"] <= 9


def test_several_calls_unless_refused(ask):
    """The end of the turn is made unlikely: only where one call is all there may be, the reply ends."""
    endless = {"tools": [OTHER], "tool_choice": "required", "logit_bias": {258: -100, 256: -100}}
    assert ask(**endless, max_tokens=90).choices[0].finish_reason == "length"
    one = ask(**endless, max_tokens=90, parallel_tool_calls=False).choices[0]
    assert one.finish_reason == "tool_calls"
    assert len(one.message.tool_calls) == 1


def test_a_conversation_with_calls_and_results(ask):
    call = {"id": "call_1", "type": "function", "function": {"name": "clock", "arguments": "{}"}}
    talk = [
        {"role": "developer", "content": "Be brief."},
        *HELLO,
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [call],
            "reasoning_content": "Look at the clock",
        },
        {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "noon"}]},
        {"role": "user", "content": [{"type": "text", "text": "And now?"}]},
    ]
    assert ask(talk, tools=[OTHER]).usage.prompt_tokens > ask().usage.prompt_tokens


def test_response_format(client, ask):
    class City(BaseModel):
        city: str
        days: int

    free = ask(response_format={"type": "json_object"}, max_tokens=200, temperature=1, seed=3)
    if free.choices[0].finish_reason == "stop":
        assert isinstance(json.loads(free.choices[0].message.content), dict)
    assert free.choices[0].message.content.startswith("{")
    schema = {"type": "json_schema", "json_schema": {"name": "city", "schema": CITY, "strict": True}}
    answer = json.loads(ask(response_format=schema, max_tokens=100).choices[0].message.content)
    assert answer["city"] in ("Rome", "Oslo")
    limited = {**City.model_json_schema()}
    limited["properties"]["city"]["maxLength"] = 12
    form = {"type": "json_schema", "json_schema": {"name": "city", "schema": limited}}
    City.model_validate_json(ask(response_format=form, max_tokens=100).choices[0].message.content)
    assert ask(response_format={"type": "text"}).choices[0].message.content is not None


@pytest.mark.parametrize(
    ("fields", "thinks"),
    [
        ({"extra_body": {"chat_template_kwargs": {"enable_thinking": True}}}, True),
        ({"extra_body": {"chat_template_kwargs": {"enable_thinking": False}}}, False),
        ({"extra_body": {"enable_thinking": True, "thinking_budget": 5}}, True),
        ({"extra_body": {"thinking": {"mode": "deep"}}}, True),
        ({"extra_body": {"thinking": {"mode": "fast"}}}, False),
        ({"extra_body": {"thinking": {"mode": "fast"}, "enable_thinking": True}}, False),
        ({"extra_body": {}, "reasoning_effort": "none"}, False),
        ({"extra_body": {}, "reasoning_effort": "low"}, True),
        ({"extra_body": {}}, True),  # the checkpoint's own preference
    ],
)
def test_thinking_is_switched(ask, fields, thinks):
    answer = ask(**fields)
    details = answer.usage.completion_tokens_details
    assert details.reasoning_tokens > 2 if thinks else details.reasoning_tokens <= 2, "to close it"
    thought = getattr(answer.choices[0].message, "reasoning_content", "")
    assert thinks or not thought
    assert "</think>" not in thought


def test_a_budget_closes_the_thought(ask):
    short, free = (ask(extra_body={"thinking": {"budget": n}}, max_tokens=400) for n in (1, 250))
    cut, whole = (answer.choices[0].message.reasoning_content for answer in (short, free))
    assert short.saccade[0]["thinking"]["closed_by"] == "budget"
    assert free.saccade[0]["thinking"]["closed_by"] == "model"
    assert cut[0] == whole[0]
    assert "limited time" in cut, "the sentence that closes a thought"
    assert "limited time" not in whole


def test_pictures_count_and_are_cached(ask):
    def seen(colour):
        return [{"role": "user", "content": [picture(colour), {"type": "text", "text": "Task: look"}]}]

    blind = ask([{"role": "user", "content": "Task: look"}])
    first, again, other = ask(seen("teal")), ask(seen("teal")), ask(seen("navy"))
    cached = [answer.usage.prompt_tokens_details.cached_tokens for answer in (again, other)]
    assert first.usage.prompt_tokens == again.usage.prompt_tokens == other.usage.prompt_tokens
    shown = first.usage.prompt_tokens - blind.usage.prompt_tokens
    assert shown > 20, "every cell of the picture is a token"
    assert cached[0] > shown > cached[1], "another picture, another prefix"
    assert again.choices[0].message.content == first.choices[0].message.content


def test_logprobs(ask):
    answer = ask(logprobs=True, top_logprobs=3, max_tokens=12)
    content = answer.choices[0].logprobs.content
    usage = answer.usage
    assert len(content) == usage.completion_tokens - usage.completion_tokens_details.reasoning_tokens
    written = b"".join(bytes(token.bytes) for token in content).decode()
    assert written.strip() == answer.choices[0].message.content
    for token in content:
        assert token.logprob <= 1e-6
        assert len(token.top_logprobs) == 3
        assert token.top_logprobs[0].logprob == pytest.approx(token.logprob, abs=1e-5), "greedy takes the top"
        assert sum(math.exp(it.logprob) for it in token.top_logprobs) < 1 + 1e-4
    assert ask(max_tokens=2).choices[0].logprobs is None
    thought = ask(logprobs=True, extra_body={"thinking": {"budget": 5}}, max_tokens=60)
    answers = thought.usage.completion_tokens - thought.usage.completion_tokens_details.reasoning_tokens
    assert len(thought.choices[0].logprobs.content) == answers


def test_sampling(ask, engine):
    def text(**fields):
        return ask(**fields, max_tokens=24).choices[0].message.content

    greedy = text(temperature=0)
    assert greedy == text(temperature=0) == text(temperature=1.5, top_p=1e-6, seed=1)
    assert text(temperature=1.5, seed=5) == text(temperature=1.5, seed=5)
    assert len({text(temperature=2, seed=seed) for seed in range(8)}) > 1
    assert text(temperature=2, seed=1, extra_body={**FAST, "top_k": 1}) == greedy
    assert text(temperature=2, seed=1, extra_body={**FAST, "min_p": 1.0}) == greedy
    first = bytes(ask(logprobs=True, max_tokens=6).choices[0].logprobs.content[0].bytes)
    ban = {engine.grammars.vocabulary.texts.index(first): -100}
    other = ask(logprobs=True, max_tokens=6, logit_bias=ban).choices[0].logprobs.content[0]
    assert bytes(other.bytes) != first


def test_every_sampling_parameter_reaches_the_engine(engine):
    given = {"temperature": 0.5, "top_p": 0.9, "top_k": 7, "min_p": 0.1, "seed": 3}
    given |= {"presence_penalty": 0.4, "frequency_penalty": -0.3, "repetition_penalty": 1.2}
    request = ChatRequest.model_validate({"model": "builtin", "messages": HELLO, **given, "n": 2})
    assert asked_of(request, engine, Settings()).arguments["sampling"] == Sampling(**given)
    plain = asked_of(ChatRequest(model="builtin", messages=HELLO), engine, Settings())
    assert plain.arguments["sampling"] is None


def test_stop_strings_and_limits(ask):
    """A schema with one answer makes the text certain, whatever the model would say."""
    schema = {"const": "Rome, Oslo and Bergen"}
    form = {"response_format": {"type": "json_schema", "json_schema": {"name": "c", "schema": schema}}}
    full = ask(**form).choices[0]
    assert (full.finish_reason, full.message.content) == ("stop", '"Rome, Oslo and Bergen"')
    for stop in (" and", [" and", "never"]):
        cut = ask(**form, stop=stop).choices[0]
        assert (cut.finish_reason, cut.message.content) == ("stop", '"Rome, Oslo')
    short = ask(**form, max_completion_tokens=3, max_tokens=9)
    assert (short.choices[0].finish_reason, short.usage.completion_tokens) == ("length", 3)


def test_several_choices(ask):
    answer = ask(n=3, temperature=1.5, seed=11, max_tokens=16)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    alone = [ask(temperature=1.5, seed=11 + i, max_tokens=16) for i in range(3)]
    texts = [each.choices[0].message.content for each in alone]
    assert [choice.message.content for choice in answer.choices] == texts, "the seed counts up"
    assert answer.usage.completion_tokens == sum(each.usage.completion_tokens for each in alone)
    indices = {c.index for chunk in ask(n=2, stream=True, max_tokens=4) for c in chunk.choices}
    assert indices == {0, 1}


def test_many_clients_at_once_get_what_one_would(ask):
    def text(seed):
        return ask(temperature=1, seed=seed, max_tokens=16).choices[0].message.content

    alone = [text(seed) for seed in range(6)]
    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(text, range(6))) == alone


def said(*parts: Any) -> dict[str, Any]:
    """The fields of a request with this one message."""
    return {"messages": [{"role": "user", "content": list(parts)}]}


NAMED = {"type": "function", "function": {"name": "x"}}
FILE = {"type": "image_url", "image_url": {"url": "/etc/passwd"}}
BROKEN = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        ({"temperature": 3}, "temperature", "less than or equal to 2"),
        ({"top_p": 0}, "top_p", "greater than 0"),
        ({"n": 99}, "n", "at most 8"),
        ({"max_tokens": 0}, "max_tokens", "greater than or equal to 1"),
        ({"top_logprobs": 2}, None, "needs logprobs"),
        ({"tool_choice": "required"}, None, "needs tools"),
        ({"tools": [WEATHER], "tool_choice": NAMED}, "tool_choice", "'x'"),
        ({"tools": [WEATHER], "response_format": {"type": "json_object"}}, "tools", "tool_choice to 'none'"),
        ({"response_format": {"type": "json_schema"}}, "response_format", "json_schema goes with"),
        ({"extra_body": {"temprature": 1}}, "temprature", "there is no parameter 'temprature'"),
        ({"logit_bias": {99999: 1}}, "logit_bias", "token 99999"),
        ({"messages": []}, "messages", "at least 1"),
        ({"messages": [{"role": "king", "content": "x"}]}, "messages.0.role", "'king'"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages.0.content", "neither text"),
        ({"messages": [{"role": "assistant", "tool_calls": [{}]}]}, "messages.0.tool_calls.0", "no call"),
        (said(FILE), "messages.0.content.0", "no data URL"),
        (said({"type": "input_audio"}), "messages.0.content.0", "'input_audio'"),
        (said(BROKEN), None, "no picture that can be read"),
        (said(*[picture("red")] * 65), "messages", "65 pictures"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_bad_requests_are_named(ask, fields, param, words, stream):
    body = refused(lambda: ask(**fields, stream=stream))
    assert (body["type"], body["param"]) == ("invalid_request_error", param)
    assert words in body["message"]


def test_other_errors(ask):
    assert refused(lambda: ask(model="gpt-9"), openai.NotFoundError)["code"] == "model_not_found"
    long = [{"role": "user", "content": "word " * 9000}]
    body = refused(lambda: ask(long))
    assert (body["code"], body["param"]) == ("context_length_exceeded", "messages")
    assert ask(user="me", metadata={"a": "b"}, store=False).choices


def test_models(client):
    assert [model.id for model in client.models.list()] == ["builtin"]
    card = client.models.retrieve("builtin")
    assert (card.max_model_len, card.saccade["memory"]) == (8192, "snapshot")
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-9")
