"""A real server on a free port with the built-in model, and the real `openai` client."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")

import openai
import uvicorn
from fastapi import FastAPI
from saccade.model.engine import Engine
from saccade.ui.server.app import create_app
from saccade.ui.server.serve import Server, listening


class Running:
    """An application that is served by a thread."""

    def __init__(self, app: FastAPI):
        self.app, self.address = app, ""
        self._up = threading.Event()
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=60)
        self.server = Server(config, self._ready, app.state.closing)
        self._listener = listening("127.0.0.1", 0)
        self._thread = threading.Thread(target=self.server.run, args=([self._listener],), daemon=True)

    def _ready(self, address: str) -> None:
        self.address = address
        self._up.set()

    def __enter__(self) -> "Running":
        self._thread.start()
        assert self._up.wait(60)
        return self

    def __exit__(self, *error: Any) -> None:
        self.server.handle_exit(2, None)
        self._thread.join(60)
        assert not self._thread.is_alive()

    @property
    def root(self) -> str:
        return self.address.removesuffix("/v1")


@pytest.fixture(scope="package")
def engine() -> Engine:
    return Engine.from_pretrained("builtin", threads=1)


@pytest.fixture(scope="package")
def server(engine: Engine) -> Iterator[Running]:
    with Running(create_app(engine)) as running:
        yield running


@pytest.fixture(scope="package")
def client(server: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.address, api_key="none", max_retries=0) as client:
        yield client
