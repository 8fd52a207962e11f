"""A site with a button that counts, a field and a dangerous button; models that play scripts."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

PAGE = (
    b"<meta charset=utf-8><title>Counter</title><style>body{margin:0}button,input{display:block;width:100vw;"
    b"box-sizing:border-box;font:60px sans-serif}</style><script>n = 0</script><button style='height:50vh' "
    b"onclick='this.textContent = ++n'>0</button><input aria-label=Name style='height:20vh'><button "
    b"style='height:30vh' onclick='this.textContent = `Gone`'>Delete account</button>"
)
PRESS = {"thought": "Press <b>it</b> {value} ${1}", "action": "left_click", "coordinate": [500, 250]}
DELETE = {"thought": "Away with it", "action": "left_click", "coordinate": [500, 850]}
ASK = {"thought": "I do not know", "action": "ask_user", "text": "Which <i>name</i>?"}
WAIT = {"thought": "Wait", "action": "wait", "time": 30}
DONE = {"thought": "It says one", "action": "answer", "text": "one"}
Script = Callable[..., str]


class Counter(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Counter)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """A model that plays the given lines, then gives up."""

    def write(*lines: dict) -> str:
        path = tmp_path / f"script-{time.monotonic_ns()}.jsonl"
        path.write_text("\n".join(json.dumps(line) for line in lines))
        return str(path)

    return write
