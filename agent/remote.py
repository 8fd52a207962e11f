"""A ChatModel behind any OpenAI-compatible server: vLLM, SGLang, a hosted service, `saccade serve`.

Knows HTTP and the wire's form; loads no torch. A reply without a valid call is asked for again, a bounded
number of times; what is still wrong then is the agent's to answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any, Literal, cast, get_args
from urllib.parse import parse_qs, urlsplit

import httpx

from ..errors import ActionError, ContextError, InputError, ModelError
from ..tools.actions import ACTIONS, FUNCTION_NAME, parse_action
from .protocol import Preferences, Reply
from .wire import PictureFormat, Pictures, from_wire, to_wire

Dialect = Literal["qwen", "dashscope", "openai", "saccade"]
RETRIED = (408, 409, 429, 500, 502, 503, 504)
LONGEST_PAUSE_S = 20.0
THINKING_TOKENS = 2048
ACQUAINT_S = 5.0


class RemoteModel:
    """
    model = RemoteModel("http://127.0.0.1:8000/v1", "Qwen/Qwen3.5-35B-A3B")
    run = Agent("Find the cheapest lamp", model).run_sync()

    model: its name on the server; None takes the only one that the server offers.
    dialect: how thinking is switched. "qwen" through `chat_template_kwargs` (vLLM, SGLang), "dashscope" by
        `enable_thinking` and `thinking_budget`, "openai" not at all; "saccade" with a budget, and one call
        that is certain to be valid (`saccade serve`, see `acquaint`).
    timeout_s: for one whole reply. retries: after a lost connection or a busy server, with growing pauses.
    repairs: how often a reply without a valid call is asked for again.
    options: further fields of each request, such as {"temperature": 0.2}.
    """

    def __init__(
        self,
        base_url: str,
        model: str | None = None,
        api_key: str | None = None,
        *,
        dialect: Dialect = "qwen",
        timeout_s: float = 120.0,
        retries: int = 3,
        repairs: int = 2,
        max_tokens: int = 4096,
        picture_format: PictureFormat = "jpeg",
        preferences: Preferences | None = None,
        options: Mapping[str, Any] | None = None,
    ):
        self.base_url = base_url.rstrip("/")
        self.name = model or ""
        self.dialect: Dialect = dialect
        self.timeout_s = timeout_s
        self.retries = retries
        self.repairs = repairs
        self.max_tokens = max_tokens
        self.preferences = preferences or Preferences()
        self.options = dict(options or {})
        self._pictures = Pictures(picture_format)
        self._http: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}

    @classmethod
    def from_spec(cls, spec: str, api_key: str | None = None) -> "RemoteModel":
        """`http://host:port/v1#model?dialect=openai`; raises InputError for an option that is not known."""
        parts = urlsplit(spec)
        name, _, query = parts.fragment.partition("?")
        dialect = parse_qs(query).get("dialect", ["qwen"])[-1]
        if dialect not in get_args(Dialect):
            raise InputError(f"the dialect is {dialect!r}; give {', '.join(get_args(Dialect))}")
        url = parts._replace(fragment="").geturl()
        return cls(url, name or None, api_key, dialect=cast(Dialect, dialect))

    def acquaint(self) -> "RemoteModel":
        """Ask the server what it is: `saccade serve` tells the viewport and the memory that its model was
        trained on, and takes more than others do. Those, and one that does not answer, stay as they are; so
        does a dialect that was chosen.
        """
        if self.dialect != "qwen":
            return self
        local = urlsplit(self.base_url).hostname in ("127.0.0.1", "localhost", "::1")
        try:
            with httpx.Client(timeout=ACQUAINT_S, headers=self._headers, trust_env=not local) as http:
                models = http.get(f"{self.base_url}/models").json()["data"]
            (card,) = [it for it in models if self.name in ("", it["id"]) and "saccade" in it]
            wishes = card["saccade"]
            viewport = tuple(wishes["viewport"]) if wishes["viewport"] else None
            self.preferences = Preferences(viewport, wishes["memory"])
            self.name, self.dialect = card["id"], "saccade"
        except (httpx.HTTPError, ValueError, LookupError, TypeError):
            pass  # its first reply will say what is wrong, if anything is
        return self

    async def reply(self, messages: list[dict], tools: list[dict], thinking: str = "auto") -> Reply:
        """Raises ModelError: unreachable, refused, not understood; ContextError: the prompt does not fit."""
        start = perf_counter()
        http = self._client()
        self.name = self.name or await self._only_model(http)
        sent = to_wire(messages, self._pictures, self.dialect != "openai")
        reply = await self._ask(http, sent, tools, thinking)
        usage, repairs = reply.usage, 0
        while (fault := fault_of(reply, tools)) and repairs < self.repairs:
            sent = [*sent, *correction(reply, fault)]
            reply = await self._ask(http, sent, tools, thinking)
            usage, repairs = usage + reply.usage, repairs + 1
        return replace(reply, usage=usage, timings={"decode": perf_counter() - start})

    def _client(self) -> httpx.AsyncClient:
        """Connections stay open between replies; they belong to the loop in which they were made."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            local = urlsplit(self.base_url).hostname in ("127.0.0.1", "localhost", "::1")
            self._http = httpx.AsyncClient(timeout=self.timeout_s, headers=self._headers, trust_env=not local)
            self._loop = loop
        assert self._http is not None
        return self._http

    async def _ask(
        self, http: httpx.AsyncClient, sent: list[dict], tools: list[dict], thinking: str
    ) -> Reply:
        body = {"model": self.name, "messages": sent, "max_tokens": self.max_tokens, **self.options}
        if tools:
            body |= {"tools": tools}
        if tools and self.dialect == "saccade":
            body |= {"tool_choice": "required", "parallel_tool_calls": False}
        body |= thinking_fields(self.dialect, thinking)
        answer = await self._send(lambda: http.post(f"{self.base_url}/chat/completions", json=body))
        verbs = list(ACTIONS) if FUNCTION_NAME in _names(tools) else []
        try:
            return from_wire(answer, verbs)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise ModelError(
                f"{self.base_url} answers in another form ({error!r}): {answer!r:.200}"
            ) from None

    async def _only_model(self, http: httpx.AsyncClient) -> str:
        answer = await self._send(lambda: http.get(f"{self.base_url}/models"))
        names = [str(model["id"]) for model in answer.get("data", ())]
        if len(names) != 1:
            raise InputError(
                f"{self.base_url} offers {', '.join(names) or 'no model'}; add #NAME to the address"
            )
        return names[0]

    async def _send(self, request: Callable[[], Awaitable[httpx.Response]]) -> dict[str, Any]:
        """The answer's JSON; what may pass by itself is tried again."""
        for attempt in range(self.retries + 1):
            last = attempt == self.retries
            try:
                response = await request()
            except httpx.TimeoutException:
                raise ModelError(f"{self.base_url} gave no reply within {self.timeout_s:g} s") from None
            except httpx.HTTPError as error:
                if last:
                    raise ModelError(
                        f"cannot reach {self.base_url} ({error or type(error).__name__})"
                    ) from None
            else:
                if response.status_code not in RETRIED or last:
                    return self._read(response)
                await asyncio.sleep(pause_s(response, attempt))
                continue
            await asyncio.sleep(min(0.2 * 2**attempt, LONGEST_PAUSE_S))
        raise AssertionError("the last attempt returns or raises")

    def _read(self, response: httpx.Response) -> dict[str, Any]:
        if response.is_success:
            try:
                answer = response.json()
            except ValueError:
                answer = None
            if isinstance(answer, dict):
                return answer
            raise ModelError(f"{response.url} sends no JSON object: is the address right, with its /v1?")
        said = " ".join(response.text.split())[:300]
        match response.status_code:
            case 401 | 403:
                raise ModelError(f"{self.base_url} refuses the key ({said}); set SACCADE_API_KEY")
            case 404:
                raise ModelError(f"{self.base_url} has no model {self.name!r}, or no such path ({said})")
            case 400 | 413 if "context" in said.lower() or "too long" in said.lower():
                raise ContextError(f"the prompt does not fit {self.name}: {said}")
            case code:
                raise ModelError(f"{self.base_url} answers {code}: {said}")


def thinking_fields(dialect: Dialect, thinking: str) -> dict[str, Any]:
    """`auto` leaves it to the server."""
    if thinking == "auto" or dialect == "openai":
        return {}
    deep = thinking == "deep"
    if dialect == "dashscope":
        budget = getattr(thinking, "max_tokens", THINKING_TOKENS)
        return {"enable_thinking": deep, **({"thinking_budget": budget} if deep else {})}
    if dialect == "saccade":
        budget = getattr(thinking, "max_tokens", None)
        return {"thinking": {"mode": thinking, **({"budget": budget} if budget is not None else {})}}
    return {"chat_template_kwargs": {"enable_thinking": deep}}


def fault_of(reply: Reply, tools: Sequence[dict]) -> str | None:
    """Why the reply cannot be acted upon, in one line; None when it can, or when no call is asked for."""
    if not tools:
        return None
    if not reply.calls:
        return "it holds no call of a function"
    for call in reply.calls:
        known = next((tool["function"] for tool in tools if tool["function"]["name"] == call.name), None)
        if call.name == FUNCTION_NAME or (known is None and call.name in ACTIONS):
            try:
                parse_action(call.name, call.arguments)
            except ActionError as error:
                return str(error)
        elif known is None:
            return f"there is no function {call.name!r}: use one of {', '.join(_names(tools))}"
        elif missing := set(known.get("parameters", {}).get("required", ())) - call.arguments.keys():
            return f"{call.name} needs {', '.join(sorted(missing))}"
    return None


def correction(reply: Reply, fault: str) -> list[dict]:
    """The faulty turn as text, and what is wrong with it: a call that no server could render is no call."""
    said = reply.text or "; ".join(f"{call.name}({call.arguments})" for call in reply.calls) or "(nothing)"
    asked = f"Your last reply cannot be used: {fault}. Reply with one valid call of a function, nothing else."
    return [{"role": "assistant", "content": said}, {"role": "user", "content": asked}]


def pause_s(response: httpx.Response, attempt: int) -> float:
    """What the server asks for, else growing; bounded."""
    try:
        wanted = float(response.headers["Retry-After"])
    except (KeyError, ValueError):
        wanted = 0.2 * 2**attempt
    return min(max(wanted, 0.0), LONGEST_PAUSE_S)


def _names(tools: Sequence[dict]) -> list[str]:
    return [tool["function"]["name"] for tool in tools]
