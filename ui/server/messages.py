"""The messages of a request -> those of the engine. What comes from outside is data: a picture is what the
request carries, never a path of this machine or an address that the server would have to fetch.
"""

from collections.abc import Sequence
from typing import Any

from .errors import ApiError

ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool"}
KEPT = ("content", "reasoning_content", "tool_calls", "tool_call_id", "name")
SEEN = ("image_url", "video_url")


def engine_messages(messages: Sequence[dict[str, Any]], max_images: int) -> list[dict[str, Any]]:
    """Raises ApiError, with the place in the request."""
    plain = [_message(message, f"messages.{i}") for i, message in enumerate(messages)]
    seen = sum(
        part["type"] in SEEN for it in plain if isinstance(it["content"], list) for part in it["content"]
    )
    if seen > max_images:
        raise ApiError(
            400, f"{seen} pictures are sent and {max_images} are allowed", "messages", "too_many_images"
        )
    return plain


def _message(message: dict[str, Any], place: str) -> dict[str, Any]:
    role = message.get("role")
    if role not in ROLES:
        raise ApiError(400, f"{place}.role is {role!r}: use {', '.join(ROLES)}", f"{place}.role")
    kept = {name: message[name] for name in KEPT if message.get(name) is not None}
    content = _content(message.get("content"), role, f"{place}.content")
    if "tool_calls" in kept:
        kept["tool_calls"] = [
            _call(call, f"{place}.tool_calls.{i}") for i, call in enumerate(kept["tool_calls"])
        ]
    return {**kept, "role": ROLES[role], "content": content}


def _content(content: Any, role: str, place: str) -> str | list[dict[str, Any]]:
    if content is None and role == "assistant":
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise ApiError(400, f"{place} is neither text nor a list of parts", place)
    parts = [_part(part, f"{place}.{i}") for i, part in enumerate(content)]
    if role == "user":
        return parts
    if any(part["type"] != "text" for part in parts):
        raise ApiError(400, f"{place}: pictures and videos go into messages of the user", place)
    return "".join(part["text"] for part in parts)


def _part(part: Any, place: str) -> dict[str, Any]:
    match part:
        case {"type": "text", "text": str(text)}:
            return {"type": "text", "text": text}
        case {"type": ("image_url" | "video_url") as kind} if kind in part:
            value = part[kind]
            url = value.get("url") if isinstance(value, dict) else value
            if not isinstance(url, str) or not url.startswith("data:"):
                raise ApiError(400, f"{place}.{kind} is no data URL: send data:TYPE;base64,...", place)
            return {"type": kind, kind: {"url": url}, **({"fps": part["fps"]} if part.get("fps") else {})}
    kind = part.get("type") if isinstance(part, dict) else type(part).__name__
    raise ApiError(400, f"{place} is of type {kind!r}: use text, image_url or video_url", place)


def _call(call: Any, place: str) -> dict[str, Any]:
    match call:
        case {"function": {"name": str(name), "arguments": arguments}}:
            return {"type": "function", "function": {"name": name, "arguments": arguments or "{}"}}
    raise ApiError(400, f"{place} is no call of a function: give function.name and .arguments", place)
