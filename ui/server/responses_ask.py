"""A request of `/v1/responses` -> the chat request that means the same. Knows both wires; knows no engine."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from .errors import ApiError
from .wire import NO_EFFECT, ChatRequest, Count, Effort, Strict, ThinkingOptions

KEPT_NOWHERE = ("previous_response_id", "conversation", "background", "prompt")
WITHOUT_EFFECT = (*NO_EFFECT, "include", "truncation", "stream_options")
TEXTS = ("input_text", "output_text", "text", "reasoning_text", "summary_text")


class Function(Strict):
    """As in chat, without the level of `function`."""

    type: Literal["function"]
    name: Annotated[str, Field(min_length=1, max_length=128)]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class NamedFunction(Strict):
    type: Literal["function"]
    name: str


class Form(Strict):
    type: Literal["text", "json_object", "json_schema"]
    name: str = "answer"
    description: str | None = None
    schema_: Annotated[dict[str, Any] | None, Field(alias="schema")] = None
    strict: bool | None = None

    @model_validator(mode="after")
    def _complete(self) -> "Form":
        if (self.type == "json_schema") != (self.schema_ is not None):
            raise ValueError("a schema goes with type 'json_schema'")
        return self


class Text(Strict):
    format: Form | None = None
    verbosity: str | None = None


class Reasoning(Strict):
    effort: Effort | None = None
    summary: str | None = None


class ResponsesRequest(Strict):
    model: str
    input: str | Annotated[list[dict[str, Any]], Field(min_length=1)]
    instructions: str | None = None
    stream: bool | None = None
    max_output_tokens: Count | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    tools: list[Function] | None = None
    tool_choice: Literal["auto", "none", "required"] | NamedFunction | None = None
    parallel_tool_calls: bool | None = None
    text: Text | None = None
    reasoning: Reasoning | None = None
    thinking: ThinkingOptions | None = None
    metadata: dict[str, str] | None = None

    @model_validator(mode="before")
    @classmethod
    def _stateless(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        kept = next((name for name in KEPT_NOWHERE if values.get(name)), None)
        if kept:
            raise ValueError(
                f"{kept}: nothing is kept between requests; send the whole conversation as input"
            )
        gone = {*KEPT_NOWHERE, *WITHOUT_EFFECT} - {"metadata"}
        return {name: value for name, value in values.items() if name not in gone}

    @model_validator(mode="after")
    def _together(self) -> "ResponsesRequest":
        if self.tool_choice not in (None, "none", "auto") and not self.tools:
            raise ValueError("tool_choice needs tools")
        return self


def chat_request(body: ResponsesRequest) -> ChatRequest:
    """Raises ApiError, with the place in the request."""
    fields: dict[str, Any] = {
        "model": body.model,
        "messages": messages_of(body),
        "max_completion_tokens": body.max_output_tokens,
        "temperature": body.temperature,
        "top_p": body.top_p,
        "tools": [{"type": "function", "function": _function(tool)} for tool in body.tools or ()] or None,
        "tool_choice": _choice(body.tool_choice),
        "parallel_tool_calls": body.parallel_tool_calls,
        "response_format": _format(body.text.format) if body.text and body.text.format else None,
        "reasoning_effort": body.reasoning.effort if body.reasoning else None,
        "thinking": body.thinking,
    }
    return ChatRequest(**{name: value for name, value in fields.items() if value is not None})


def messages_of(body: ResponsesRequest) -> list[dict[str, Any]]:
    """What belongs to one turn of the assistant (thought, text, calls) is several items and one message."""
    messages: list[dict[str, Any]] = []
    if body.instructions:
        messages.append({"role": "system", "content": body.instructions})
    if isinstance(body.input, str):
        return [*messages, {"role": "user", "content": body.input}]
    for i, item in enumerate(body.input):
        message = _message(item, f"input.{i}")
        if message["role"] == "assistant" and messages and messages[-1]["role"] == "assistant":
            _join(messages[-1], message)
        else:
            messages.append(message)
    return messages


def _join(turn: dict[str, Any], more: dict[str, Any]) -> None:
    for name in ("content", "reasoning_content", "tool_calls"):
        if name in more:
            turn[name] = turn[name] + more[name] if name in turn else more[name]


def _message(item: dict[str, Any], place: str) -> dict[str, Any]:
    match item:
        case {"type": "reasoning"}:
            said = [*(item.get("content") or item.get("summary") or ())]
            return {"role": "assistant", "reasoning_content": _words(said, f"{place}.content")}
        case {"type": "function_call", "call_id": call, "name": name, "arguments": arguments}:
            function = {"name": name, "arguments": arguments}
            return {
                "role": "assistant",
                "tool_calls": [{"id": call, "type": "function", "function": function}],
            }
        case {"type": "function_call_output", "call_id": call, "output": output}:
            content = output if isinstance(output, str) else _words(output, f"{place}.output")
            return {"role": "tool", "tool_call_id": call, "content": content}
        case {"role": role, "content": content} if item.get("type", "message") == "message":
            return {"role": role, "content": _content(content, role, f"{place}.content")}
    kind = item.get("type", "message")
    raise ApiError(
        400,
        f"{place} is no whole {kind!r}: use messages, reasoning, function_call and function_call_output",
        place,
    )


def _content(content: Any, role: str, place: str) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return content
    if role != "user":
        return _words(content, place)
    return [_part(part, f"{place}.{i}") for i, part in enumerate(_parts(content, place))]


def _part(part: Any, place: str) -> dict[str, Any]:
    match part:
        case {"type": kind, "text": str(text)} if kind in TEXTS:
            return {"type": "text", "text": text}
        case {"type": "input_image", "image_url": str(url)} if url.startswith("data:"):
            return {"type": "image_url", "image_url": {"url": url}}
        case {"type": "input_image"}:
            raise ApiError(400, f"{place}.image_url is no data URL: send data:TYPE;base64,...", place)
    kind = part.get("type") if isinstance(part, dict) else type(part).__name__
    raise ApiError(400, f"{place} is of type {kind!r}: use input_text or input_image", place)


def _words(content: Any, place: str) -> str:
    """Parts that may hold text alone."""
    parts = [_part(part, f"{place}.{i}") for i, part in enumerate(_parts(content, place))]
    if any(part["type"] != "text" for part in parts):
        raise ApiError(400, f"{place}: pictures go into messages of the user", place)
    return "".join(part["text"] for part in parts)


def _parts(content: Any, place: str) -> Iterable[Any]:
    if not isinstance(content, list):
        raise ApiError(400, f"{place} is neither text nor a list of parts", place)
    return content


def _function(tool: Function) -> dict[str, Any]:
    return tool.model_dump(exclude_none=True, exclude={"type"})


def _choice(choice: str | NamedFunction | None) -> Any:
    if isinstance(choice, NamedFunction):
        return {"type": "function", "function": {"name": choice.name}}
    return choice


def _format(form: Form) -> dict[str, Any]:
    if form.type != "json_schema":
        return {"type": form.type}
    return {
        "type": form.type,
        "json_schema": {"name": form.name, "schema": form.schema_, "strict": form.strict},
    }
