"""The application: one engine, its rooms, and what surrounds them. `serve.py` runs it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from ... import __version__
from ...errors import QueueFullError, SaccadeError
from .chat import Chat
from .closing import Closing
from .errors import ApiError, api_error, on_error
from .guard import Guard
from .metrics import Metrics
from .responses import Responses
from .runs import Runs
from .settings import Settings

if TYPE_CHECKING:
    from ...model.engine import Engine


def create_app(engine: "Engine", settings: Settings | None = None, driver: Any = None) -> FastAPI:
    """`driver` is the model of the agents, if not the engine. Once `app.state.closing` is set, new requests
    are refused while running ones end.
    """
    settings, metrics, closing = settings or Settings(), Metrics(engine), Closing()
    runs = Runs(driver or engine, settings, metrics, closing)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncGenerator[None]:
        yield
        await asyncio.to_thread(runs.registry.close)

    app = FastAPI(title="Saccade", version=__version__, docs_url=None, redoc_url=None, lifespan=life)
    app.state.closing = closing
    chat = Chat(engine, settings, metrics, __version__)
    app.include_router(chat.router)
    app.include_router(Responses(chat).router)
    app.include_router(runs.router)

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
