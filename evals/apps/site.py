"""An application in service on a free port of this machine: folders of static pages, or a Django site.

A site says whether a judge holds: JavaScript in the page that is open, or SQL in the site's database.
"""

import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Protocol

from saccade.errors import InputError
from saccade.tools import Browser

from .fetch import fetch_npm, fetch_pip

STATIC = {"todomvc": "todomvc@0.1.1", "adminlte": "admin-lte@2.4.18"}
DJANGO = "django==5.2.9"
APPS = (*STATIC, "django")


class Site(Protocol):
    url: str

    def reset(self) -> None:
        """As it was before anybody did anything; what a browser remembers is the browser's affair."""

    async def holds(self, judge: str, browser: Browser) -> bool: ...


@contextmanager
def open_site(app: str) -> Iterator[Site]:
    """Raises InputError for an unknown app, and when its package cannot be fetched."""
    if app == "django":
        with _serve_django(fetch_pip(DJANGO)) as site:
            yield site
    elif app in STATIC:
        with _serve_folder(fetch_npm(STATIC[app])) as site:
            yield site
    else:
        raise InputError(f"there is no app {app!r}: the apps are {', '.join(APPS)}")


class StaticSite:
    def __init__(self, url: str):
        self.url = url

    def reset(self) -> None:
        """Files do not change."""

    async def holds(self, judge: str, browser: Browser) -> bool:
        """On a page to which the model strayed, what the judge asks about does not exist: not done."""
        guarded = f"(() => {{ try {{ return {judge} }} catch {{ return false }} }})()"
        return bool(await browser.evaluate(guarded))


class DjangoSite:
    def __init__(self, url: str, database: Path):
        self.url = url
        self.database = database

    def reset(self) -> None:
        urllib.request.urlopen(f"{self.url}/anew", timeout=20).read()

    async def holds(self, judge: str, browser: Browser) -> bool:
        """One row, whose first column says it."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as database:
            return bool(database.execute(judge).fetchone()[0])


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _serve_folder(folder: Path) -> Iterator[StaticSite]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
    try:
        yield StaticSite(f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def _serve_django(packages: Path) -> Iterator[DjangoSite]:
    script = Path(__file__).with_name("library.py")
    environment = {**os.environ, "PYTHONPATH": str(packages)}
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, str(script), folder],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            port = process.stdout.readline().strip()
            if not port:
                raise InputError(f"the Django site does not start: {process.communicate()[1][-500:]}")
            yield DjangoSite(f"http://127.0.0.1:{port}", Path(folder) / "library.sqlite3")
        finally:
            process.kill()
            process.communicate()
