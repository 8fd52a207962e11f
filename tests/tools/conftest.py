"""A local web site and one shared browser for the tests of this room."""

import base64
import http.server
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import PurePosixPath
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings
from saccade.tools import Browser

settings.register_profile("saccade", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("saccade")


KINDS = {".pdf": "application/pdf", ".svg": "image/svg+xml"}


class Site:
    """Serves `pages` on a free loopback port; `/wait?ms=` answers late (`&then=`: its body later still),
    `/to?url=` redirects, and what `secure` names asks for "user:password"."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        self.secure: dict[str, str] = {}
        self.hits: list[str] = []
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.answer(self)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                site.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.hits.append(parts.path)
        time.sleep(int(query.get("ms", 0)) / 1000)
        if (secret := self.secure.get(parts.path)) and not _signed(request, secret):
            request.send_response(401)
            request.send_header("WWW-Authenticate", 'Basic realm="Staff"')
            request.send_header("Content-Length", "0")
            return request.end_headers()
        known = parts.path in self.pages or parts.path == "/wait"
        request.send_response(302 if parts.path == "/to" else 200 if known else 404)
        if parts.path == "/to":
            request.send_header("Location", query["url"])
        body = self.pages.get(parts.path, "late").encode()
        kind = KINDS.get(PurePosixPath(parts.path).suffix, "text/html; charset=utf-8")
        if "file" in query:
            kind = "application/octet-stream"
            request.send_header("Content-Disposition", f"attachment; filename={query['file']}")
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        time.sleep(int(query.get("then", 0)) / 1000)
        with suppress(ConnectionError):  # the page has gone meanwhile
            request.wfile.write(body)

    def page(self, path: str, body: str) -> str:
        """Serve an HTML body at `path` and return its address."""
        self.pages[path] = (
            "<!doctype html><style>body{margin:0;font:16px sans-serif} .at{position:absolute}</style>" + body
        )
        return self.url + path

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _signed(request: http.server.BaseHTTPRequestHandler, secret: str) -> bool:
    return request.headers.get("Authorization") == f"Basic {base64.b64encode(secret.encode()).decode()}"


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()


@pytest.fixture
def elsewhere() -> Iterator[Site]:
    """A second host that nobody allowed."""
    site = Site()
    site.page("/secret", "<h1>secret</h1>")
    yield site
    site.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared(site: Site) -> AsyncIterator[Browser]:
    async with Browser(viewport=(1000, 700), allow_hosts=[f"127.0.0.1:{site.port}"]) as browser:
        yield browser
