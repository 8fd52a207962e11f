"""Server-sent events: values in, lines out, with comments while nothing comes. Knows no engine."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse

from .errors import api_error

END = "data: [DONE]\n\n"
STILL_HERE = ": still here\n\n"


def event(value: Any, name: str | None = None, number: int | None = None) -> str:
    head = (f"event: {name}\n" if name else "") + (f"id: {number}\n" if number is not None else "")
    return f"{head}data: {json.dumps(value, ensure_ascii=False)}\n\n"


async def response(lines: AsyncGenerator[str], keep_alive_s: float) -> StreamingResponse:
    """Waits for the first line, for a while: an error of the start is an answer with its own status."""
    first = asyncio.ensure_future(_next(lines))
    await asyncio.wait([first], timeout=keep_alive_s)
    if first.done():
        await first
    body = _alive(lines, first, keep_alive_s)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(body, media_type="text/event-stream", headers=headers)


async def _alive(
    lines: AsyncGenerator[str], first: "asyncio.Future[str | None]", keep_alive_s: float
) -> AsyncGenerator[str]:
    """An error in the middle becomes the last event. When the client leaves, so does the work."""
    coming = first
    try:
        while True:
            await asyncio.wait([coming], timeout=keep_alive_s)
            if not coming.done():
                yield STILL_HERE
                continue
            line = coming.result()
            if line is None:
                return
            yield line
            coming = asyncio.ensure_future(_next(lines))
    except Exception as error:
        yield event(api_error(error).body())
    finally:
        if not coming.done():
            coming.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await coming
        await lines.aclose()


async def _next(lines: AsyncGenerator[str]) -> str | None:
    return await anext(lines, None)


async def until_gone(request: Request, work: Any) -> Any:
    """The result of a coroutine, which is cancelled when the client closes the connection."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait([task, gone], return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
        return await task
    finally:
        gone.cancel()
        if not task.done():
            task.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
