"""What can go wrong, in OpenAI's form: status, message, type, param, code. Knows our own errors as well.

{"error": {"message": "...", "type": "invalid_request_error", "param": "messages", "code": null}}
"""

import logging
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from ...errors import CapacityError, ContextError, InputError, PolicyError, QueueFullError, SaccadeError

log = logging.getLogger(__name__)
INVALID = "invalid_request_error"
CODES = {404: "unknown_url", 405: "unknown_url", 413: "body_too_large"}
KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class ApiError(Exception):
    """An answer that is an error; `param` names the field of the request that is to blame."""

    def __init__(
        self,
        status: int,
        message: str,
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ):
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        kind = KINDS.get(self.status, INVALID if self.status < 500 else "server_error")
        return {
            "error": {"message": self.message, "type": kind, "param": self.param, "code": self.code},
        }

    def response(self) -> JSONResponse:
        return JSONResponse(self.body(), self.status, self.headers)


def api_error(error: Exception, retry_after_s: int = 1) -> ApiError:
    """What a client hears of an error of ours; of a fault of the server it hears nothing but that."""
    message = " ".join(str(error).split())
    match error:
        case ApiError():
            return error
        case QueueFullError():
            return ApiError(429, message, code="queue_full", headers={"Retry-After": str(retry_after_s)})
        case ContextError():
            return ApiError(400, message, "messages", "context_length_exceeded")
        case CapacityError():
            return ApiError(400, message, code="capacity_exceeded")
        case PolicyError():
            return ApiError(403, message, code="policy")
        case InputError() | SaccadeError():
            return ApiError(400, message)
    log.error("a request failed", exc_info=error)
    return ApiError(500, "the server failed to answer this request; its log says why", code="internal_error")


def invalid(error: RequestValidationError) -> ApiError:
    """The first fault that validation found, with the name of the field."""
    first = error.errors()[0]
    param = ".".join(str(part) for part in first["loc"] if part != "body")
    if first["type"] == "extra_forbidden":
        return ApiError(400, f"there is no parameter {param!r}", param, "unknown_parameter")
    if first["type"] == "json_invalid":
        return ApiError(400, f"the body is no JSON: {first.get('ctx', {}).get('error', first['msg'])}")
    message = first["msg"].removeprefix("Value error, ")
    return ApiError(400, f"{param}: {message}" if param else message, param or None)


async def on_error(request: Request, error: Exception) -> JSONResponse:
    """For FastAPI: every exception as an answer."""
    match error:
        case RequestValidationError():
            return invalid(error).response()
        case HTTPException():
            where = f"{request.method} {request.url.path}"
            message = f"there is no {where}" if error.status_code in (404, 405) else str(error.detail)
            code = CODES.get(error.status_code)
            return ApiError(error.status_code, message, None, code, dict(error.headers or {})).response()
    return api_error(error).response()
