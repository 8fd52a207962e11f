"""The client of OpenAI-compatible servers, against a small server that speaks the real wire format."""

import asyncio
import base64
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from saccade.agent import Agent, ToolCall, Usage
from saccade.agent.models import resolve
from saccade.agent.remote import RemoteModel
from saccade.agent.textcalls import read_calls, split_thought
from saccade.agent.thinking import Budget
from saccade.errors import ContextError, InputError, ModelError
from saccade.tools import Browser
from saccade.tools.actions import ACTIONS, computer_use_schema

TOOLS = [computer_use_schema()]
CLICK = {"action": "left_click", "coordinate": [512, 300]}
USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 30,
    "prompt_tokens_details": {"cached_tokens": 80},
    "completion_tokens_details": {"reasoning_tokens": 10},
}


class Server:
    """Plays `script`: each line a message, a status with a text, or a callable of the request's body."""

    def __init__(self) -> None:
        self.script: list[Any] = []
        self.seen: list[dict] = []
        self.headers: list[dict] = []
        self.models = ["tiny"]
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.answer(200, {"object": "list", "data": [{"id": name} for name in outer.models]})

            def do_POST(self) -> None:
                outer.headers.append(dict(self.headers))
                outer.seen.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                line: Any = outer.script.pop(0)
                if callable(line):
                    line = line(outer.seen[-1])
                if isinstance(line, tuple):
                    return self.answer(line[0], {"error": {"message": line[1]}})
                message = {"role": "assistant", **dict(line)}
                choice = {"index": 0, "message": message, "finish_reason": "stop"}
                self.answer(200, {"object": "chat.completion", "choices": [choice], "usage": USAGE})

            def answer(self, status: int, value: dict) -> None:
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Retry-After", "0.01")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that goes away is what some tests are about."""

        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        threading.Thread(target=self.http.serve_forever, args=[0.05], daemon=True).start()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


def called(arguments: object, name: str = "computer_use", **rest: str) -> dict:
    arguments = arguments if isinstance(arguments, str) else json.dumps(arguments)
    call = {"id": "x", "type": "function", "function": {"name": name, "arguments": arguments}}
    return {"content": None, "tool_calls": [call], **rest}


def user(text: str, image: Image.Image | None = None) -> dict:
    picture = [{"type": "image", "image": image}] if image else []
    return {"role": "user", "content": [*picture, {"type": "text", "text": text}]}


async def test_a_reply_with_thought_call_and_usage(server):
    server.script = [called(CLICK, reasoning_content="The button is there")]
    reply = await RemoteModel(server.url, "m", "key").reply([user("Press it")], TOOLS, "deep")
    assert (reply.thought, reply.text) == ("The button is there", "")
    assert reply.calls == [ToolCall("computer_use", CLICK)]
    assert reply.usage == Usage(100, 80, 10, 20)
    assert reply.timings["decode"] > 0
    assert server.headers[0]["Authorization"] == "Bearer key"
    assert server.seen[0]["chat_template_kwargs"] == {"enable_thinking": True}


@pytest.mark.parametrize(
    ("dialect", "thinking", "fields"),
    [
        ("qwen", "fast", {"chat_template_kwargs": {"enable_thinking": False}}),
        ("qwen", "auto", {}),
        ("dashscope", Budget("deep", 512), {"enable_thinking": True, "thinking_budget": 512}),
        ("dashscope", "fast", {"enable_thinking": False}),
        ("openai", "deep", {}),
    ],
)
async def test_thinking_is_switched_as_the_server_wants_it(server, dialect, thinking, fields):
    server.script = [called(CLICK)]
    await RemoteModel(server.url, "m", dialect=dialect).reply([user("Press it")], TOOLS, thinking)
    body = server.seen[0]
    assert {name: body[name] for name in fields} == fields
    assert not {"chat_template_kwargs", "enable_thinking", "thinking_budget"} & (body.keys() - fields.keys())


async def test_pictures_travel_and_are_encoded_once(server):
    server.script = [called(CLICK), called(CLICK)]
    model, picture = RemoteModel(server.url, picture_format="png"), Image.new("RGB", (32, 20), "teal")
    for _ in range(2):
        await model.reply([user("Press it", picture)], TOOLS)
    first, second = (body["messages"][0]["content"][0]["image_url"]["url"] for body in server.seen)
    assert first == second
    head, _, data = first.partition(",")
    assert head == "data:image/png;base64"
    assert Image.open(BytesIO(base64.b64decode(data))).getpixel((5, 5)) == (0, 128, 128)
    assert model.name == "tiny"


async def test_results_of_calls_go_with_their_ids(server):
    """On that wire a tool's result is text; its screenshot follows as a user's message."""
    server.script = [called(CLICK)]
    picture = Image.new("RGB", (8, 8))
    history = [
        user("Press it"),
        {
            "role": "assistant",
            "content": "",
            "reasoning_content": "There",
            "tool_calls": [{"type": "function", "function": {"name": "computer_use", "arguments": CLICK}}],
        },
        {
            "role": "tool",
            "content": [{"type": "text", "text": "no change"}, {"type": "image", "image": picture}],
        },
    ]
    await RemoteModel(server.url, "m").reply(history, TOOLS)
    _, assistant, result, picture_turn = server.seen[0]["messages"]
    assert json.loads(assistant["tool_calls"][0]["function"]["arguments"]) == CLICK
    assert result == {
        "role": "tool",
        "tool_call_id": assistant["tool_calls"][0]["id"],
        "content": "no change",
    }
    assert picture_turn["role"] == "user"
    assert picture_turn["content"][0]["type"] == "image_url"


@pytest.mark.parametrize(
    "first",
    [
        {"content": "I would press the button."},
        called({"action": "teleport"}),
        called('{"action": "left_click", '),
        called({"coordinate": [1, 2]}, name="press"),
    ],
)
async def test_what_cannot_be_used_is_asked_for_again(server, first):
    server.script = [first, called(CLICK)]
    reply = await RemoteModel(server.url, "m").reply([user("Press it")], TOOLS)
    assert reply.calls == [ToolCall("computer_use", CLICK)]
    assert reply.usage.prompt_tokens == 200
    assert "cannot be used" in server.seen[1]["messages"][-1]["content"]


async def test_repairs_are_bounded(server):
    server.script = [{"content": "Hm."}] * 3
    reply = await RemoteModel(server.url, "m", repairs=2).reply([user("Press it")], TOOLS)
    assert (reply.calls, reply.text, len(server.seen)) == ([], "Hm.", 3)


async def test_a_busy_server_is_tried_again(server):
    server.script = [(503, "loading"), (429, "slow down"), called(CLICK)]
    assert (await RemoteModel(server.url, "m").reply([user("Press it")], TOOLS)).calls


@pytest.mark.parametrize(
    ("line", "error", "message"),
    [
        ((401, "no key"), ModelError, "SACCADE_API_KEY"),
        ((404, "unknown model"), ModelError, "no model 'm'"),
        ((400, "maximum context length is 4096 tokens"), ContextError, "does not fit m"),
        ((400, "bad field"), ModelError, "answers 400: .*bad field"),
        ((500, "boom"), ModelError, "answers 500"),
    ],
)
async def test_refusals_are_clear(server, line, error, message):
    server.script = [line] * 2
    with pytest.raises(error, match=message):
        await RemoteModel(server.url, "m", retries=1).reply([user("Press it")], TOOLS)


async def test_a_server_that_is_not_there():
    with pytest.raises(ModelError, match="cannot reach"):
        await RemoteModel("http://127.0.0.1:9/v1", "m", retries=1).reply([user("t")], TOOLS)


async def test_a_server_that_is_too_slow(server):
    server.script = [lambda body: time.sleep(0.5) or called(CLICK)]
    with pytest.raises(ModelError, match="no reply within"):
        await RemoteModel(server.url, "m", timeout_s=0.1).reply([user("t")], TOOLS)


async def test_a_reply_can_be_cancelled_at_once(server):
    server.script = [lambda body: time.sleep(3) or called(CLICK)]
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(RemoteModel(server.url, "m").reply([user("t")], TOOLS), 0.1)
    assert time.monotonic() - start < 2


async def test_several_models_need_a_name(server):
    server.models = ["one", "two"]
    with pytest.raises(InputError, match="one, two"):
        await RemoteModel(server.url).reply([user("t")], TOOLS)


def test_the_address_names_model_and_dialect():
    model = resolve("http://127.0.0.1:8000/v1#Qwen/Qwen3.5-4B?dialect=dashscope")
    assert isinstance(model, RemoteModel)
    assert (model.base_url, model.name) == ("http://127.0.0.1:8000/v1", "Qwen/Qwen3.5-4B")
    assert model.dialect == "dashscope"
    with pytest.raises(InputError, match="dialect"):
        RemoteModel.from_spec("http://h/v1#m?dialect=latin")


def test_the_agent_runs_on_a_remote_model(server, site, tmp_path):
    """End to end, with calls in the text as a server without a tool parser leaves them."""
    press = '<think>Press</think><tool_call>{"name": "computer_use", "arguments": %s}</tool_call>'
    server.script = [
        {"content": press % json.dumps({"action": "left_click", "coordinate": [500, 250]})},
        called({"action": "terminate", "status": "success"}),
    ]
    browser = Browser(site + "/counter", viewport=(640, 480))
    run = Agent(
        "Press it", RemoteModel(server.url), browser, out=tmp_path / "run", until="n === 1"
    ).run_sync()
    assert (run.success, len(run.steps), run.steps[0].thought) == (True, 1, "Press")


XML = (
    "<tool_call>\n<function=computer_use>\n<parameter=action>\ntype\n</parameter>\n"
    "<parameter=text>\na </parameter> b\n</parameter>\n</function>\n</tool_call>"
)


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        (XML, [ToolCall("computer_use", {"action": "type", "text": "a </parameter> b"})]),
        ('<tool_call>{"name": "f", "arguments": {"x": 1}}', [ToolCall("f", {"x": 1})]),
        ('```json\n{"name": "f", "arguments": "{\\"x\\": 1}"}\n```', [ToolCall("f", {"x": 1})]),
        (json.dumps(CLICK), [ToolCall("left_click", CLICK)]),
        (XML + "<tool_call>{broken</tool_call>", []),
        ("Press the button {now}", []),
        ("[1]", []),
    ],
)
def test_calls_in_the_text(text, calls):
    assert read_calls(text, ACTIONS) == calls


def test_thoughts_in_the_text():
    assert split_thought("<think>Look</think>\n\nDone") == ("Look", "Done")
    assert split_thought("Look</think>Done") == ("Look", "Done")
    assert split_thought(" Done ") == ("", "Done")
