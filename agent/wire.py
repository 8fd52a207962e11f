"""Between our messages and the JSON of an OpenAI-compatible server, both ways.

Results of tools carry text alone on that wire; a screenshot that belongs to one follows as a user's message.
"""

import base64
import json
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any, Literal

from PIL import Image

from .protocol import Reply, ToolCall, Usage
from .textcalls import read_calls, split_thought

PictureFormat = Literal["jpeg", "png"]
KEPT_PICTURES = 64


class Pictures:
    """Pictures as data URLs, each encoded once: the same screenshot is sent with many requests."""

    def __init__(self, form: PictureFormat = "jpeg"):
        self.form: PictureFormat = form
        self._known: OrderedDict[int, tuple[Image.Image, str]] = OrderedDict()

    def url(self, image: Image.Image) -> str:
        if id(image) not in self._known:
            self._known[id(image)] = (
                image,
                encode(image, self.form),
            )  # the image lives: its id stays its own
        self._known.move_to_end(id(image))
        while len(self._known) > KEPT_PICTURES:
            self._known.popitem(last=False)
        return self._known[id(image)][1]


def encode(image: Image.Image, form: PictureFormat) -> str:
    """JPEG without chroma subsampling: small coloured text stays legible."""
    data, options = BytesIO(), {"quality": 92, "subsampling": 0} if form == "jpeg" else {"compress_level": 3}
    image.convert("RGB").save(data, form.upper(), **options)
    return f"data:image/{form};base64,{base64.b64encode(data.getvalue()).decode()}"


def to_wire(messages: Sequence[dict], pictures: Pictures, reasoning: bool = True) -> list[dict]:
    """Calls get ids in the order in which they stand, so that a prefix of messages stays a prefix."""
    sent: list[dict] = []
    open_calls: list[str] = []
    for message in messages:
        match message["role"]:
            case "assistant":
                turn = _assistant(message, len(sent), reasoning)
                open_calls = [call["id"] for call in turn.get("tool_calls", ())]
                sent.append(turn)
            case "tool":
                sent += _result(message, open_calls.pop(0), pictures)
            case role:
                sent.append({"role": role, "content": _content(message["content"], pictures)})
    return sent


def from_wire(answer: dict[str, Any], verbs: Sequence[str] = ()) -> Reply:
    """Raises KeyError, IndexError, TypeError or ValueError for an answer that has not the agreed form."""
    message = answer["choices"][0]["message"]
    inline, text = split_thought(message.get("content") or "")
    thought = str(message.get("reasoning_content") or message.get("reasoning") or inline).strip()
    calls = [_call(call["function"]) for call in message.get("tool_calls") or ()]
    if not calls:
        calls = read_calls(text, verbs)
        text = "" if calls else text
    return Reply(thought, text, calls, usage_of(answer.get("usage") or {}, thought, text))


def usage_of(usage: dict[str, Any], thought: str, text: str) -> Usage:
    """Thinking tokens as the server counts them; if it does not, by the thought's share of the characters."""
    output = int(usage.get("completion_tokens") or 0)
    thinking = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens")
    if thinking is None:
        thinking = round(output * len(thought) / max(len(thought) + len(text) + 60, 1)) if thought else 0
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    thinking = min(int(thinking), output)
    return Usage(int(usage.get("prompt_tokens") or 0), int(cached), thinking, output - thinking)


def _call(function: dict[str, Any]) -> ToolCall:
    """Arguments that are no JSON object come through as they are, for the repair to name them."""
    arguments = function.get("arguments") or "{}"
    try:
        value = json.loads(arguments) if isinstance(arguments, str) else arguments
    except ValueError:
        value = {"arguments": arguments}
    return ToolCall(function["name"], value if isinstance(value, dict) else {"arguments": value})


def _assistant(message: dict, place: int, reasoning: bool) -> dict:
    turn: dict[str, Any] = {"role": "assistant", "content": message.get("content") or ""}
    if reasoning and message.get("reasoning_content"):
        turn["reasoning_content"] = message["reasoning_content"]
    calls = [_sent_call(call["function"], f"call_{place}_{i}") for i, call in _numbered(message)]
    return {**turn, "tool_calls": calls} if calls else turn


def _numbered(message: dict) -> Iterator[tuple[int, dict]]:
    return enumerate(message.get("tool_calls") or ())


def _sent_call(function: dict, identity: str) -> dict:
    arguments = json.dumps(function["arguments"], ensure_ascii=False)
    return {
        "id": identity,
        "type": "function",
        "function": {"name": function["name"], "arguments": arguments},
    }


def _result(message: dict, identity: str, pictures: Pictures) -> list[dict]:
    parts = _content(message["content"], pictures)
    if isinstance(parts, str):
        return [{"role": "tool", "tool_call_id": identity, "content": parts}]
    report, rest = parts[0]["text"], parts[1:]
    sent = [{"role": "tool", "tool_call_id": identity, "content": report}]
    return [*sent, {"role": "user", "content": rest}] if rest else sent


def _content(content: Any, pictures: Pictures) -> Any:
    return content if isinstance(content, str) else [_part(part, pictures) for part in content]


def _part(part: dict, pictures: Pictures) -> dict:
    if part["type"] == "image":
        return {"type": "image_url", "image_url": {"url": pictures.url(part["image"])}}
    return part
