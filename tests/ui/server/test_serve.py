"""The server's edges: keys, origins, sizes, the full queue, counting, and how it begins and ends."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import httpx
import openai
import pytest
import uvicorn
from saccade.model.engine import Engine, Limits
from saccade.ui.server.app import create_app
from saccade.ui.server.closing import Closing
from saccade.ui.server.metrics import Metrics
from saccade.ui.server.reader import ReplyReader
from saccade.ui.server.serve import Server
from saccade.ui.server.settings import Settings

from .conftest import Running

CHAT = {"model": "builtin", "messages": [{"role": "user", "content": "Task: x"}], "max_tokens": 4}


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_a_key_guards_everything_but_health(engine):
    with Running(create_app(engine, Settings(api_key="s3cret"))) as running:
        assert httpx.get(f"{running.root}/health").json() == {"status": "ok", "model": "builtin"}
        for path in ("/metrics", "/v1/models", "/v1/runs", "/openapi.json", "/nothing"):
            assert error(httpx.get(running.root + path)) == (401, "invalid_api_key"), path
        wrong = openai.OpenAI(base_url=running.address, api_key="s3cre", max_retries=0)
        with pytest.raises(openai.AuthenticationError):
            wrong.models.list()
        right = openai.OpenAI(base_url=running.address, api_key="s3cret", max_retries=0)
        assert right.models.list().data
        assert httpx.get(f"{running.root}/metrics", headers={"x-api-key": "s3cret"}).status_code == 200


def test_web_pages_may_not_use_it_unless_they_are_named(server, engine):
    own = {"Origin": "http://evil.example"}
    assert error(httpx.post(f"{server.address}/chat/completions", json=CHAT, headers=own)) == (
        403,
        "origin_denied",
    )
    rebound = httpx.get(f"{server.address}/models", headers={"Host": "evil.example:8000"})
    assert rebound.status_code == 403
    for host in ("localhost:1", "127.0.0.1", "[::1]:8000"):
        assert httpx.get(f"{server.address}/models", headers={"Host": host}).status_code == 200, host
    with Running(create_app(engine, Settings(origins=("http://good.example",)))) as running:
        good = {"Origin": "http://good.example"}
        answer = httpx.get(f"{running.address}/models", headers=good)
        assert answer.headers["access-control-allow-origin"] == "http://good.example"
        ask = {
            **good,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        }
        assert httpx.options(f"{running.address}/chat/completions", headers=ask).status_code == 200


def test_bodies_are_bounded_with_and_without_a_length(engine):
    with Running(create_app(engine, Settings(max_body_bytes=2000))) as running:
        url = f"{running.address}/chat/completions"
        assert httpx.post(url, json=CHAT).status_code == 200
        big = json.dumps({**CHAT, "user": "x" * 3000}).encode()
        assert error(httpx.post(url, content=big)) == (413, "body_too_large")
        assert error(httpx.post(url, content=iter([big[:1500], big[1500:]]))) == (413, "body_too_large")


def test_broken_bodies_are_400(server):
    url = f"{server.address}/chat/completions"
    assert httpx.post(url, content=b"{", headers={"Content-Type": "application/json"}).status_code == 400
    assert httpx.post(url, json=[1]).status_code == 400
    assert httpx.get(url).status_code == 405
    assert error(httpx.get(f"{server.root}/v2")) == (404, "unknown_url")


def test_a_full_queue_is_429_with_retry_after():
    engine = Engine.from_pretrained("builtin", limits=Limits(running=1, waiting=0))
    with Running(create_app(engine)) as running:
        answer = httpx.post(f"{running.address}/chat/completions", json=CHAT)
        assert error(answer) == (429, "queue_full")
        assert int(answer.headers["retry-after"]) >= 1
        stream = httpx.post(f"{running.address}/chat/completions", json={**CHAT, "stream": True})
        assert error(stream) == (429, "queue_full"), "a stream that cannot begin has a status, too"


def test_a_client_that_leaves_stops_the_work(engine):
    with Running(create_app(engine)) as running:
        long = {**CHAT, "max_tokens": 7000, "logit_bias": {"258": -100, "256": -100}}
        url = f"{running.address}/chat/completions"
        with httpx.stream("POST", url, json={**long, "stream": True}) as answer:
            lines = answer.iter_lines()  # held on to: letting it go would close the connection
            assert "assistant" in next(lines)
            assert busy(engine)
        assert until(lambda: not busy(engine))
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(url, json=long, timeout=0.5)
        assert until(lambda: not busy(engine))


def busy(engine: Engine) -> bool:
    return any(engine.scheduler.counts.values())


def until(holds) -> bool:
    deadline = time.monotonic() + 60
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_a_slow_stream_is_kept_alive(engine):
    with Running(create_app(engine, Settings(keep_alive_s=0.001))) as running:
        url = f"{running.address}/chat/completions"
        with httpx.stream("POST", url, json={**CHAT, "stream": True}) as answer:
            lines = list(answer.iter_lines())
    assert ": still here" in lines
    assert lines[-2:] == ["data: [DONE]", ""] or lines[-1] == "data: [DONE]"


def test_metrics_count(engine):
    with Running(create_app(engine)) as running:
        for stream in (False, True):
            httpx.post(f"{running.address}/chat/completions", json={**CHAT, "stream": stream})
        text = httpx.get(f"{running.root}/metrics").text
    assert 'saccade_http_requests_total{route="/v1/chat/completions",status="200"} 2.0' in text
    assert 'saccade_replies_total{finish="length"} 2.0' in text
    assert 'saccade_sequences{state="waiting"} 0.0' in text
    assert 'saccade_reply_seconds_count{phase="first_token"} 2.0' in text
    assert Metrics(engine).retry_after_s == 1


def test_replies_that_run_are_written_to_their_end(engine):
    answers: list[httpx.Response] = []
    with Running(create_app(engine)) as running:
        long = {**CHAT, "max_tokens": 150, "logit_bias": {"258": -100, "256": -100}}
        url = f"{running.address}/chat/completions"
        client = threading.Thread(target=lambda: answers.append(httpx.post(url, json=long, timeout=120)))
        kept = httpx.Client()
        kept.get(f"{running.root}/health")
        client.start()
        assert until(lambda: busy(engine))
        running.app.state.closing.set()  # as the signal does, upon which uvicorn also closes idle connections
        assert error(kept.post(url, json=CHAT)) == (503, "shutting_down")
        running.server.handle_exit(signal.SIGTERM, None)
        client.join()
    assert answers[0].json()["usage"]["completion_tokens"] == 150


def test_a_signal_begins_the_end():
    closing = Closing()
    server = Server(uvicorn.Config(lambda: None), print, closing)
    assert not closing.is_set()
    server.handle_exit(signal.SIGTERM, None)
    assert closing.is_set()
    assert server.should_exit
    assert not server.force_exit
    server.handle_exit(signal.SIGTERM, None)
    assert server.force_exit


@pytest.mark.parametrize("cut", range(1, 8))
def test_the_reader_finds_tags_wherever_they_are_cut(cut):
    raw = "  I think <b> so \n</think>\n\n Yes </thin \n<tool_call>\n<function=x>\n</function>\n</tool_call>"
    for calls, text in ((True, "Yes </thin"), (False, raw.split("</think>")[1].strip())):
        read, thought, said = ReplyReader(calls), "", ""
        for start in range(0, len(raw), cut):
            more = read(raw[start : start + cut], True)
            thought, said = thought + more[0], said + more[1]
        more = read.rest()
        assert (thought + more[0], said + more[1]) == ("I think <b> so", text)


def test_the_reader_and_models_that_open_their_own_thought():
    for raw, expected in (("<think>a</think>b", ("a", "b")), ("<thin", ("", "<thin")), ("b", ("", "b"))):
        read, thought, said = ReplyReader(True), "", ""
        for character in raw:
            more = read(character, False)
            thought, said = thought + more[0], said + more[1]
        more = read.rest()
        assert (thought + more[0], said + more[1]) == expected


def saccade(*arguments: str, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "saccade", "serve", *arguments],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_a_signal(sign, tmp_path):
    process = saccade("--port", "0", "--json", "--threads", "1", cwd=tmp_path)
    assert process.stdout
    ready = json.loads(process.stdout.readline())
    assert ready["url"].startswith("http://127.0.0.1:")
    assert httpx.get(f"{ready['url']}/models").json()["data"][0]["id"] == "builtin"
    process.send_signal(sign)
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 0
    assert stdout == ""
    assert stderr == f"Saccade serves builtin at {ready['url']} (Ctrl-C stops it)\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--host", "0.0.0.0"], "0.0.0.0 can be reached from other machines: set a key"),
        (["--host", "::", "--api-key", " "], "the API key is empty"),
        (["--model", "/no/such/folder"], "no checkpoint at /no/such/folder"),
        (["--model", "http://127.0.0.1:9/v1"], "no checkpoint at"),
        (["--port", "99999"], "--port"),
        (["--host", "203.0.113.1", "--api-key", "k"], "cannot serve at 203.0.113.1:8000"),
    ],
)
def test_what_cannot_be_served_is_one_line(options, message):
    environment = {name: value for name, value in os.environ.items() if name != "SACCADE_API_KEY"}
    process = saccade(*options, env=environment)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout, stderr.count("\n")) == (2, "", 1), stderr
    assert message in stderr
