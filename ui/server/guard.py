"""Before any route: who may ask, from where, how much, and whether the server still takes requests.

Without a key the server is for programs of this machine alone: a web page, even one on a name that resolves
to this machine, is refused by its Origin and Host. Plain ASGI, so that answers may stream.
"""

import hmac
from typing import Any
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException

from .address import is_local
from .closing import Closing
from .errors import ApiError
from .metrics import Metrics
from .settings import Settings

OPEN_PATHS = ("/health",)
LATER = {"Retry-After": "5"}


class Guard:
    def __init__(self, app: Any, settings: Settings, metrics: Metrics, closing: Closing):
        self.app, self.settings, self.metrics, self.closing = app, settings, metrics, closing

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        identity, status = f"req_{uuid4().hex[:16]}", 500

        async def answer(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = identity
                headers["x-content-type-options"] = "nosniff"
            await send(message)

        try:
            self.check(scope["path"], Headers(scope=scope))
            await self.app(scope, self.bounded(receive), answer)
        except ApiError as error:
            await error.response()(scope, receive, answer)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self.metrics.answered(route, status)

    def check(self, path: str, headers: Headers) -> None:
        """Raises ApiError."""
        if path in OPEN_PATHS:
            return
        if self.closing.is_set():
            raise ApiError(503, "the server is shutting down", None, "shutting_down", LATER)
        origin = headers.get("origin")
        if self.settings.api_key is not None:
            if not _same(_key(headers), self.settings.api_key):
                raise ApiError(401, "the API key is missing or wrong", code="invalid_api_key")
        elif not is_local(_host(headers.get("host", ""))):
            raise ApiError(403, f"without an API key the host {headers.get('host')!r} is not served")
        if origin is not None and origin not in self.settings.origins:
            raise ApiError(403, f"pages of {origin} may not use this server (--origin)", code="origin_denied")
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self.settings.max_body_bytes:
            raise self.too_large()

    def bounded(self, receive: Any) -> Any:
        """A body without a length is counted as it comes."""
        total = 0

        async def counted() -> dict[str, Any]:
            nonlocal total
            message = await receive()
            total += len(message.get("body", b""))
            if total > self.settings.max_body_bytes:
                raise HTTPException(413, self.too_large().message)  # which FastAPI lets through
            return message

        return counted

    def too_large(self) -> ApiError:
        return ApiError(
            413, f"the body is larger than {self.settings.max_body_bytes} bytes", code="body_too_large"
        )


def _host(value: str) -> str:
    """`[::1]:8000` -> `::1`."""
    return value.removeprefix("[").split("]")[0] if value.startswith("[") else value.split(":")[0]


def _key(headers: Headers) -> str:
    kind, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if kind.lower() == "bearer" else headers.get("x-api-key", "")


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())
