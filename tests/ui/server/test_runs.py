"""`/v1/runs` over HTTP, with a scripted model in a real browser: the whole life of a run."""

import json
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import httpx
import pytest
from PIL import Image
from saccade.agent.scripted import ScriptedModel
from saccade.ui.server.app import create_app
from saccade.ui.server.settings import Settings

from .conftest import Running

PAGE = (
    "<title>Shop</title><body style='margin:0'><button style='width:100vw;height:50vh' "
    "onclick='this.style.background = ++n % 2 ? `gold` : `teal`'>Delete account</button>"
    "<script>n = 0</script>"
)
PRESS = {"thought": "Press it", "action": "left_click", "coordinate": [500, 250]}
DONE = {"action": "answer", "text": "one"}
WAIT = {"action": "wait", "time": 30}
VIEW = {"viewport": "480x360"}
Client = Callable[..., httpx.Client]


@pytest.fixture(scope="module")
def page() -> Iterator[str]:
    """Served at loopback, which a run may reach only because the one who serves allows it."""
    import threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(PAGE.encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    site = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=site.serve_forever, args=[0.05], daemon=True).start()
    yield f"http://127.0.0.1:{site.server_address[1]}/"
    site.shutdown()
    site.server_close()


@pytest.fixture
def serving(engine, tmp_path, page):
    """A server whose agents play a script."""
    started: list[Running] = []

    def start(*script: Any, **settings: Any) -> httpx.Client:
        host = httpx.URL(page).netloc.decode()
        fields = {"runs": tmp_path / "runs", "allow_hosts": (host,), **settings}
        driver = ScriptedModel(script)
        running = Running(create_app(engine, Settings(**fields), driver)).__enter__()
        started.append(running)
        return httpx.Client(base_url=running.address, timeout=120)

    yield start
    for running in started:
        running.__exit__()


def until(client: httpx.Client, id: str, *statuses: str) -> dict[str, Any]:
    deadline = time.monotonic() + 120
    while (run := client.get(f"/runs/{id}").json())["status"] not in statuses:
        assert time.monotonic() < deadline, run
        time.sleep(0.05)
    return run


def steps(client: httpx.Client, id: str, count: int) -> None:
    """Wait for so many."""
    deadline = time.monotonic() + 60
    while client.get(f"/runs/{id}").json()["steps"] < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def events(client: httpx.Client, id: str, **options: Any) -> list[dict[str, Any]]:
    """All of them, to the end of the run."""
    found, name, number = [], "", 0
    with client.stream("GET", f"/runs/{id}/events", **options) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            kind, _, value = line.partition(": ")
            name, number = (value if kind == "event" else name), (int(value) if kind == "id" else number)
            if kind == "data":
                found.append({"name": name, "number": number, **json.loads(value)})
    return found


def test_a_run_from_start_to_its_files(serving, page):
    client = serving(PRESS, DONE)
    started = client.post("/runs", json={"task": "Press it", "url": page, **VIEW})
    assert started.status_code == 201, started.text
    id = started.json()["id"]
    told = events(client, id)
    assert [it["name"] for it in told] == ["seen", "planned", "step", "seen", "planned", "step", "ended"]
    assert [it["number"] for it in told] == list(range(1, 8))
    assert told[1]["description"] == "Click at (500, 250)"
    assert told[2]["action"]["action"] == "left_click"
    again = events(client, id, headers={"Last-Event-ID": "5"})
    assert again == told[5:] == events(client, id, params={"after": 5})
    run = until(client, id, "success")
    assert (run["steps"], run["result"]["answer"], run["task"]) == (2, "one", "Press it")
    assert "folder" not in json.dumps([run, told])
    assert [each["id"] for each in client.get("/runs").json()["data"]] == [id]
    names = [each["name"] for each in client.get(f"/runs/{id}/files").json()["data"]]
    assert {"run.json", "journal.jsonl", "000.png", "001.png"} <= set(names)
    with Image.open(BytesIO(client.get(f"/runs/{id}/files/000.png").content)) as picture:
        assert picture.size == (480, 360)
    assert client.get(f"/runs/{id}/screenshot").headers["content-type"] == "image/jpeg"
    exported = client.get(f"/runs/{id}/export/playwright")
    compile(exported.text, "run.py", "exec")
    assert exported.headers["content-disposition"].startswith("attachment")
    metrics = client.get(str(client.base_url).replace("/v1/", "/metrics")).text
    assert 'saccade_runs_total{status="success"} 1.0' in metrics


def test_files_outside_the_run_are_not_sent(serving, page, tmp_path):
    client = serving(WAIT)
    id = client.post("/runs", json={"task": "Wait", "url": page, **VIEW}).json()["id"]
    until(client, id, "acting")
    (tmp_path / "secret").write_text("x")
    folder = next((tmp_path / "runs").iterdir())
    (folder / "link").symlink_to(tmp_path / "secret")
    deadline = time.monotonic() + 60
    while not (folder / "state.json").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for name in ("state.json", "link", "..%2F..%2Fsecret", "%2Fetc%2Fpasswd"):
        assert client.get(f"/runs/{id}/files/{name}").status_code == 404, name
    assert client.get(f"/runs/{id}/export/gif").status_code == 409
    assert client.get(f"/runs/{id}/export/exe").status_code == 404


def test_approve_and_refuse(serving, page):
    client = serving(PRESS, PRESS, DONE)
    order = {"task": "Press twice", "url": page, "ask_before": "risky", "thinking": "deep", **VIEW}
    id = client.post("/runs", json=order).json()["id"]
    asked = until(client, id, "approving")
    assert asked["plan"] == "Click at (500, 250)"
    assert asked["risk"]
    assert client.post(f"/runs/{id}/answer", json={"text": "x"}).status_code == 409
    assert client.post(f"/runs/{id}/approve", json={}).status_code == 200
    steps(client, id, 1)
    until(client, id, "approving")
    client.post(f"/runs/{id}/approve", json={"approve": False, "text": "Not again"})
    done = [it for it in events(client, id) if it["name"] == "step"]
    assert done[0]["error"] is None
    assert done[1]["error"] == "this action was not approved"
    assert "The user says: Not again" in done[2]["told"]


def test_answer_pause_tell_resume_cancel(serving, page):
    client = serving({"action": "ask_user", "text": "Which one?"}, WAIT)
    id = client.post("/runs", json={"task": "Ask me", "url": page, **VIEW}).json()["id"]
    assert until(client, id, "asking")["question"] == "Which one?"
    client.post(f"/runs/{id}/pause")
    client.post(f"/runs/{id}/answer", json={"text": "the first"})
    until(client, id, "paused")
    client.post(f"/runs/{id}/tell", json={"text": "Hurry"})
    client.post(f"/runs/{id}/resume", json={"text": "Go on"})
    until(client, id, "acting")
    begin = time.monotonic()
    assert client.post(f"/runs/{id}/cancel").status_code == 200
    assert until(client, id, "interrupted")["result"]["steps"] == 1
    assert time.monotonic() - begin < 10, "it does not wait for the 30 seconds of the action"
    assert client.post(f"/runs/{id}/pause").status_code == 409
    step = next(it for it in events(client, id) if it["name"] == "step")
    assert step["user_reply"] == "the first"


def test_limits_and_policy(serving, page):
    client = serving(WAIT, WAIT, max_runs=1)
    order = {"task": "Wait", "url": page, **VIEW}

    def error(**fields: Any) -> tuple[int, Any]:
        answer = client.post("/runs", json={**order, **fields})
        return answer.status_code, answer.json()["error"]["code"] or answer.json()["error"]["param"]

    assert error(url="file:///etc/passwd") == (403, "policy")
    assert error(url="http://169.254.169.254/") == (403, "policy")
    assert error(allow_hosts=["10.0.0.7"]) == (403, "allow_hosts")
    assert error(max_steps=0) == (400, "max_steps")
    assert error(tusk="x") == (400, "unknown_parameter")
    assert error(task="  ")[0] == 400
    assert client.get("/runs/none").status_code == 404
    assert client.post("/runs", json=order).status_code == 201
    full = client.post("/runs", json=order)
    assert (full.status_code, full.headers["Retry-After"]) == (429, "10")


def test_shutting_down_journals_what_runs(serving, page, tmp_path, engine):
    settings = Settings(runs=tmp_path / "runs", allow_hosts=("127.0.0.1",))
    with Running(create_app(engine, settings, ScriptedModel([PRESS, WAIT]))) as running:
        client = httpx.Client(base_url=running.address, timeout=120)
        id = client.post("/runs", json={"task": "Press it", "url": page, **VIEW}).json()["id"]
        steps(client, id, 1)
    run = json.loads(next((tmp_path / "runs").glob("*/run.json")).read_text())
    assert (run["status"], run["reason"]) == ("interrupted", "the run was stopped")
    assert len(next((tmp_path / "runs").glob("*/journal.jsonl")).read_text().splitlines()) == 1
