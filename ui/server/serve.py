"""Sockets and signals: where the server listens, how it says that it is ready, and how it ends.

The first signal ends it in order: new requests are refused, replies are written to their end, agents stop and
are journaled, for at most `grace_s`. A second signal ends it at once.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from fastapi import FastAPI

from ...errors import InputError
from .closing import Closing


def serve(
    app: FastAPI,
    listener: socket.socket,
    grace_s: float,
    ready: Callable[[str], None],
    access_log: bool = False,
) -> None:
    """Until a signal comes. `ready` hears the address once requests are answered."""
    config = uvicorn.Config(
        app,
        log_level="info" if access_log else "warning",
        access_log=access_log,
        timeout_graceful_shutdown=max(round(grace_s), 1),
        server_header=False,
    )
    asyncio.run(Server(config, ready, app.state.closing).serve([listener]))


def listening(host: str, port: int) -> socket.socket:
    """Port 0 takes a free one. Raises InputError when the address cannot be used."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        code = getattr(error, "errno", None)
        what = os.strerror(code) if code and code > 0 else str(error)
        raise InputError(f"cannot serve at {host}:{port} ({what}); give another --host or --port") from None


class Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[str], None], closing: Closing):
        super().__init__(config)
        self._ready, self._closing = ready, closing

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            host, port = sockets[0].getsockname()[:2]
            self._ready(f"http://{f'[{host}]' if ':' in host else host}:{port}/v1")

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Unlike uvicorn's own, the signal is not raised again afterwards: this end is an orderly one."""
        self._closing.set()
        self.force_exit, self.should_exit = self.should_exit, True
