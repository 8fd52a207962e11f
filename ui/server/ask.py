"""A checked request -> what the engine is asked. Knows both sides' terms; starts nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ...model.sampling import Sampling
from ...model.thinking import Thinking
from .errors import ApiError
from .messages import engine_messages
from .settings import Settings
from .wire import ChatRequest, NamedTool

if TYPE_CHECKING:
    from ...model.engine import Engine, Generation

SAMPLED = (
    "temperature", "top_p", "top_k", "min_p", "presence_penalty", "frequency_penalty", "repetition_penalty",
    "seed",
)  # fmt: skip
EFFORTS: Mapping[str, Thinking] = {
    "none": Thinking("fast"),
    "minimal": Thinking("fast"),
    "low": Thinking("deep", 512),
    "medium": Thinking("deep", 2048),
    "high": Thinking("deep", 8192),
    "xhigh": Thinking("deep"),
}
ANY_OBJECT = {"type": "object"}


@dataclass(frozen=True)
class Asked:
    """One request in the engine's terms; `calls` says whether the reply may hold calls."""

    arguments: dict[str, Any]
    choices: int
    calls: bool
    logprobs: bool

    @property
    def callable(self) -> list[dict[str, Any]]:
        """The tools that the reply may call."""
        return self.arguments["tools"] if self.calls else []

    def start(self, engine: "Engine") -> "list[Generation]":
        """One generation per choice, not begun yet; a seed counts up from choice to choice."""
        return [
            engine.generate(**{**self.arguments, "sampling": _apart(self.arguments["sampling"], i)})
            for i in range(self.choices)
        ]


def asked_of(request: ChatRequest, engine: "Engine", settings: Settings) -> Asked:
    """Raises ApiError for what cannot be done."""
    choices = request.n or 1
    if choices > settings.max_choices:
        raise ApiError(400, f"n is {choices}: at most {settings.max_choices} here", "n")
    thinking = thinking_of(request)
    tools = [_tool(tool.function.model_dump(exclude_none=True)) for tool in request.tools or ()]
    choice = _choice(request) if tools else "none"
    schema = _schema(request)
    if schema is not None and choice != "none":
        raise ApiError(
            400, "response_format holds every reply to JSON: with tools, set tool_choice to 'none'", "tools"
        )
    arguments = {
        "messages": engine_messages(request.messages, settings.max_images),
        "tools": tools,
        "thinking": thinking,
        "tool_choice": choice,
        "parallel": request.parallel_tool_calls is not False,
        "schema": schema,
        "max_tokens": request.max_completion_tokens or request.max_tokens or settings.max_tokens,
        "sampling": _sampling(request, engine, thinking),
        "stop": [request.stop] if isinstance(request.stop, str) else request.stop or (),
        "logprobs": bool(request.logprobs),
        "top_logprobs": request.top_logprobs or 0,
    }
    return Asked(arguments, choices, choice != "none", bool(request.logprobs))


def thinking_of(request: ChatRequest) -> str | Thinking:
    """`thinking` wins over `enable_thinking`, that over `reasoning_effort`; else the checkpoint decides.

    `thinking.mode` "auto" is the engine's own: think where an answer without a thought was unsure.
    """
    ours, template = request.thinking, request.chat_template_kwargs
    if ours and (ours.mode or ours.budget is not None):
        return Thinking(ours.mode or "deep", ours.budget)
    switches = (request.enable_thinking, template.enable_thinking if template else None)
    enabled = next((switch for switch in switches if switch is not None), None)
    if enabled is not None:
        return Thinking("deep", request.thinking_budget) if enabled else Thinking("fast")
    if request.thinking_budget is not None:
        return Thinking("deep", request.thinking_budget)
    return EFFORTS[request.reasoning_effort] if request.reasoning_effort else "auto"


def _sampling(request: ChatRequest, engine: "Engine", thinking: str | Thinking) -> Sampling | None:
    """The checkpoint's own, with what the request names laid over it; None when it names nothing."""
    given = {name: value for name in SAMPLED if (value := getattr(request, name)) is not None}
    if request.logit_bias:
        size = engine.model.config.text.vocab_size
        strange = [token for token in request.logit_bias if not 0 <= token < size]
        if strange:
            raise ApiError(400, f"logit_bias names token {strange[0]}: there are {size}", "logit_bias")
        given["logit_bias"] = tuple(sorted(request.logit_bias.items()))
    if not given:
        return None
    mode = engine.preferences.thinking if isinstance(thinking, str) else thinking.mode
    return replace(engine.sampling["fast" if mode == "fast" else "deep"], **given)


def _apart(sampling: Sampling | None, place: int) -> Sampling | None:
    if sampling is None or sampling.seed is None or place == 0:
        return sampling
    return replace(sampling, seed=(sampling.seed + place + 2**63) % 2**64 - 2**63)


def _choice(request: ChatRequest) -> str:
    if isinstance(request.tool_choice, NamedTool):
        name = request.tool_choice.function.name
        if name not in [tool.function.name for tool in request.tools or ()]:
            raise ApiError(400, f"tool_choice names {name!r}, which is not among tools", "tool_choice")
        return name
    return request.tool_choice or "auto"


def _tool(function: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", "function": function}


def _schema(request: ChatRequest) -> dict[str, Any] | None:
    form = request.response_format
    if form is None or form.type == "text":
        return None
    return form.json_schema.schema_ if form.json_schema else ANY_OBJECT
