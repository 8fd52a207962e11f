"""Pages of the agent benchmark, and the server that answers them. Knows no contestant.

Each page has one button; click number n ends, at once or a little later, with `done n` in a box whose colour
says n. So a contestant's picture or text of the page tells whether it was taken before or after the end.
"""

import base64
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

BUTTON = (200, 130)
BOX = (600, 130)
VIEWPORT = (1280, 800)

_HEAD = """<!doctype html><title>bench</title><style>
  body { margin: 0; font: 14px sans-serif }
  #go, #end { position: absolute; top: 100px; width: 200px; height: 60px }
  #go { left: 100px } #end { left: 500px }
  main { padding-top: 200px }
</style>
<button id=go>go</button><output id=end>done 0</output>
<script>
  let n = 0;
  const show = (n) => { end.textContent = `done ${n}`; end.style.background = `rgb(40, ${16 * n}, 200)` };
  show(0);
</script>"""
_NOW = "<script>go.onclick = () => show(++n)</script>"
_FIELD = "<p><label>Field {i} <input name=f{i} value='value {i}'></label></p>"
_ROW = "<tr><td>{i}<td><a href=#{i}>item {i}</a><td><button>edit</button><td><input value={i}>"
_ROWS = "".join(_ROW.format(i=i) for i in range(300))


@dataclass(frozen=True)
class Page:
    """`own_s` is how long the page itself takes from the click to its end."""

    name: str
    body: str
    own_s: float = 0.0


PAGES = [
    Page("form", f"<main>{''.join(_FIELD.format(i=i) for i in range(12))}</main>{_NOW}"),
    Page(
        "300-row table", f"<main><table>{''.join(_ROW.format(i=i) for i in range(300))}</table></main>{_NOW}"
    ),
    Page(
        "animation, 400 ms",
        """<style>@keyframes slide { to { translate: 600px } }
        #box { width: 60px; height: 60px; background: teal } #box.on { animation: slide .4s linear }</style>
        <main><div id=box></div></main><script>
        go.onclick = () => { n++; box.className = "on" };
        box.onanimationend = () => { box.className = ""; show(n) }</script>""",
        0.4,
    ),
    Page(
        "fetch, 700 ms",
        "<script>go.onclick = () => { n++; fetch('/wait?ms=700').then(() => show(n)) }</script>",
        0.7,
    ),
    Page(
        "setTimeout, 300 ms",
        "<script>go.onclick = () => { n++; setTimeout(() => show(n), 300) }</script>",
        0.3,
    ),
    Page(
        "endless poll",
        f"{_NOW}<script>(function poll() {{ fetch('/wait?ms=200').finally(poll) }})()</script>",
    ),
    Page("WebSocket", f"{_NOW}<script>new WebSocket(location.href.replace('http', 'ws'))</script>"),
    Page(
        "endless spinner",
        f"""{_NOW}<style>@keyframes spin {{ to {{ rotate: 360deg }} }}
        #it {{ width: 80px; height: 80px; border: 8px solid teal; border-top-color: white; border-radius: 50%;
               animation: spin 1s linear infinite }}</style>
        <main><div id=it></div><canvas id=c></canvas></main><script>(function draw(t) {{
        c.getContext("2d").fillStyle = `hsl(${{t / 9}}, 90%, 50%)`;
        c.getContext("2d").fillRect(0, 0, 99, 99); requestAnimationFrame(draw) }})(0)</script>""",
    ),
]


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if "Sec-WebSocket-Key" in self.headers:
            return self._hold_socket()
        parts = urlsplit(self.path)
        if parts.path == "/wait":
            time.sleep(int(parse_qs(parts.query)["ms"][0]) / 1000)
            return self._send("late")
        index = parts.path.strip("/")
        return self._send(_HEAD + PAGES[int(index)].body if index.isdigit() else "")

    def _send(self, text: str) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(ConnectionError):  # the page has gone meanwhile
            self.wfile.write(body)

    def _hold_socket(self) -> None:
        """RFC 6455: shake hands, then say nothing until the page goes."""
        magic = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(magic.encode(), usedforsecurity=False).digest()).decode()
        self.wfile.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept.encode() + b"\r\n\r\n"
        )
        self.rfile.read(1)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve() -> Iterator[str]:
    """The address of the pages: `/0`, `/1`, ..."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
