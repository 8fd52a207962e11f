"""The application: one engine, its rooms, and what surrounds them. `serve.py` runs it."""

import threading
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from ... import __version__
from ...errors import QueueFullError, SaccadeError
from .chat import Chat
from .errors import ApiError, api_error, on_error
from .guard import Guard
from .metrics import Metrics
from .settings import Settings

if TYPE_CHECKING:
    from ...model.engine import Engine


def create_app(engine: "Engine", settings: Settings | None = None) -> FastAPI:
    """`app.state.closing` is an event: once set, new requests are refused while running ones end."""
    settings = settings or Settings()
    app = FastAPI(title="Saccade", version=__version__, docs_url=None, redoc_url=None)
    metrics, closing = Metrics(engine), threading.Event()
    app.state.closing, app.state.metrics = closing, metrics
    app.include_router(Chat(engine, settings, metrics, __version__).router)

    async def on_trouble(request: Any, error: Exception) -> JSONResponse:
        wait = metrics.retry_after_s if isinstance(error, QueueFullError) else 1
        return api_error(error, wait).response()

    for kind in (ApiError, SaccadeError, Exception):
        app.add_exception_handler(kind, on_trouble)
    for kind in (RequestValidationError, HTTPException):
        app.add_exception_handler(kind, on_error)

    @app.get("/health")
    async def health() -> JSONResponse:
        ending = closing.is_set()
        status = "shutting_down" if ending else "ok"
        return JSONResponse({"status": status, "model": engine.name}, 503 if ending else 200)

    @app.get("/metrics")
    async def counted() -> Response:
        return Response(metrics.text(), media_type=metrics.content_type)

    app.add_middleware(Guard, settings=settings, metrics=metrics, closing=closing)  # type: ignore[arg-type]
    if settings.origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=list(settings.origins), allow_methods=["*"], allow_headers=["*"]
        )
    return app
