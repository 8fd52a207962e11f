"""The checkpoint's own wire format: its chat template, its tokenizer, its placeholders and stop tokens.

Everything comes from the checkpoint's files; nothing of the format is written down here. Text from outside
never becomes a control token: see `_neutral`.
"""

import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import jinja2
import numpy as np
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from PIL import Image
from tokenizers import Tokenizer

from ..errors import CheckpointError, InputError
from ..vision.images import Source, load_image
from ..vision.processor import Visual
from ..vision.video import Video, load_video
from .calls import ParsedReply, ToolCall, parse_reply
from .config import ModelConfig

__all__ = ["ChatFormat", "ParsedReply", "Prompt", "TextStream", "ToolCall", "parse_reply"]

TAG = re.compile(r"</?\w+>")  # <think>, </tool_call>, ...: tokens that are markup, though not "special"
LoadImage = Callable[[Source], Image.Image]
LoadVideo = Callable[..., Video]  # (source, fps or None), as `VideoProcessor.load`
ZERO_WIDTH_SPACE = "\u200b"
UNFINISHED = "\ufffd"  # what the bytes of a cut character decode to
RECENT = 16  # prompts whose ids are remembered, so that a conversation that goes on is not read again
LONGEST_CHARACTER = 4  # bytes, so at most as many tokens


@dataclass(frozen=True)
class Prompt:
    ids: np.ndarray  # int64 [T]; every picture already takes as many tokens as it has
    images: list[Visual]  # pictures and videos in reading order
    thinking: bool  # the prompt ends inside an opened <think>
    empty: bool = False  # which is to be closed at once


@dataclass(frozen=True)
class Placeholders:
    """The tokens that stand for what is seen, by their ids."""

    image: int
    video: int
    start: int
    end: int

    @classmethod
    def of(cls, config: ModelConfig) -> "Placeholders":
        return cls(
            config.image_token_id,
            config.video_token_id,
            config.vision_start_token_id,
            config.vision_end_token_id,
        )


class ChatFormat:
    """Messages -> token ids, and token ids -> text."""

    def __init__(
        self, tokenizer: Tokenizer, template: str, placeholders: Placeholders, stop_ids: Iterable[int]
    ):
        self.tokenizer, self.placeholders = tokenizer, placeholders
        self.stop_ids = frozenset(stop_ids)
        self.form: Literal["xml", "json"] = "xml" if "<function=" in template else "json"  # of a call
        self._template = _compile(template)
        added = tokenizer.get_added_tokens_decoder().values()
        special = [token.content for token in added if token.special]
        tags = [token.content for token in added if TAG.fullmatch(token.content)]
        self._special, self._control = _any_of(special), _any_of([*special, *tags])
        self._end = self._turn_end(template)
        self._heads: deque[tuple[str, np.ndarray]] = deque(maxlen=RECENT)

    @classmethod
    def from_pretrained(cls, folder: str | Path, config: ModelConfig) -> "ChatFormat":
        """Raises CheckpointError: tokenizer or template missing, broken, or at odds with config.json."""
        folder = Path(folder)
        tokenizer = _tokenizer(folder / "tokenizer.json")
        if tokenizer.get_vocab_size() > config.text.vocab_size:
            raise CheckpointError(
                f"{folder}: tokenizer.json has {tokenizer.get_vocab_size()} tokens, the model "
                f"{config.text.vocab_size}: check that both belong together"
            )
        placeholders = Placeholders.of(config)
        for kind, token in vars(placeholders).items():
            if tokenizer.id_to_token(token) is None:
                raise CheckpointError(
                    f"{folder}: tokenizer.json has no token {token}, the {kind} token of config.json: "
                    "check that both belong together"
                )
        stops = _stop_ids(folder, tokenizer, config)
        if not stops:
            raise CheckpointError(f"{folder} names no end token: add eos_token_id to generation_config.json")
        return cls(tokenizer, _template_text(folder), placeholders, stops)

    def encode(
        self,
        messages: Sequence[dict],
        tools: Sequence[dict] | None,
        thinking: bool,
        image_tokens: Callable[[Visual], int],
        video: LoadVideo = load_video,
        image: LoadImage = load_image,
    ) -> Prompt:
        """The prompt that asks for the next turn.

        `image_tokens` tells how many tokens a picture takes, or each moment of a video; `video` reads one,
        `image` a picture.
        Raises InputError for messages that the template refuses.
        """
        text, visuals = self.render(messages, tools, thinking, video, image)
        encoded = self._encode_prompt(text)
        kinds = (self.placeholders.image, self.placeholders.video)
        shown = [kinds[isinstance(v, Video)] for v in visuals for _ in range(_runs(v))]
        is_visual = np.isin(encoded, kinds)
        if encoded[is_visual].tolist() != shown:
            raise InputError(
                f"the chat template placed {is_visual.sum()} of {len(shown)} pictures and video frames: "
                "put pictures and videos into user messages"
            )
        counts = np.ones_like(encoded)
        counts[is_visual] = [image_tokens(v) for v in visuals for _ in range(_runs(v))]
        return Prompt(encoded.repeat(counts), visuals, text.rstrip().endswith("<think>"))

    def render(
        self,
        messages: Sequence[dict],
        tools: Sequence[dict] | None,
        thinking: bool,
        video: LoadVideo = load_video,
        image: LoadImage = load_image,
    ) -> tuple[str, list[Visual]]:
        """The prompt as text, one placeholder per picture or moment of a video, and both in order."""
        visuals: list[Visual] = []
        plain = [self._plain(message, visuals, video, image) for message in messages]
        try:
            text = self._template.render(
                messages=plain,
                tools=[_shown(tool) for tool in tools or ()] or None,
                enable_thinking=thinking,
                add_generation_prompt=True,
            )
        except (jinja2.TemplateError, TypeError, ValueError, LookupError, AttributeError) as error:
            raise InputError(f"the chat template refuses these messages: {error}") from None
        return self._with_moments(text, [v for v in visuals if isinstance(v, Video)]), visuals

    def _with_moments(self, text: str, videos: Sequence[Video]) -> str:
        """Each moment of a video in markers of its own, after its time; the template has one for all."""
        start, pad, end = (
            self.tokenizer.id_to_token(token)
            for token in (self.placeholders.start, self.placeholders.video, self.placeholders.end)
        )
        before, *rest = text.split(f"{start}{pad}{end}")
        if len(rest) != len(videos):
            return text  # `encode` complains
        written = ("".join(f"<{at:.1f} seconds>{start}{pad}{end}" for at in v.moments) for v in videos)
        return before + "".join(moments + after for moments, after in zip(written, rest, strict=True))

    def _encode_prompt(self, text: str) -> np.ndarray:
        """As `encode_text`, which is asked only for what follows the turns of a recent prompt."""
        known = [head for head in tuple(self._heads) if text.startswith(head[0])]
        head, ids = max(known, key=lambda it: len(it[0]), default=("", np.empty(0, np.int64)))
        ids = np.concatenate((ids, np.array(self.encode_text(text[len(head) :]), dtype=np.int64)))
        if self._end is not None and self._end[1] in ids:
            word, token = self._end
            turns = np.flatnonzero(ids == token)[-1] + 1
            self._heads.append((text[: text.rindex(word) + len(word)], ids[:turns]))
        return ids

    def _turn_end(self, template: str) -> tuple[str, int] | None:
        """The token that ends a turn, and its word; None unless text is cut there whatever surrounds it."""
        for token in sorted(self.stop_ids):
            word = self.tokenizer.id_to_token(token)
            if not word or word not in template:
                continue
            parts = (f"a {word}", f" b\n{word}", f"\n c{word}", "d")
            if [self.encode_text(part)[-1] for part in parts[:3]] == [token] * 3 and (
                self.encode_text("".join(parts)) == [id for part in parts for id in self.encode_text(part)]
            ):
                return word, token
        return None

    def encode_text(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Sequence[int]) -> str:
        return self.tokenizer.decode(list(ids), skip_special_tokens=False)

    def _plain(
        self, message: dict, visuals: list[Visual], video: LoadVideo, image: LoadImage
    ) -> dict[str, Any]:
        """The message with neutral text, arguments as objects, and its pictures moved to `visuals`."""
        tokens = self._control if message.get("role") in ("user", "tool") else self._special
        plain = {
            key: _neutral(value, tokens)
            for key, value in message.items()
            if key not in ("content", "tool_calls")
        }
        plain["content"] = _content(message.get("content"), tokens, visuals, video, image)
        if message.get("tool_calls"):
            plain["tool_calls"] = [_neutral(_plain_call(call), tokens) for call in message["tool_calls"]]
        return plain


class TextStream:
    """Text as its tokens arrive: each call returns what that token completes, which may be nothing yet."""

    def __init__(self, chat: ChatFormat):
        self._decode = chat.decode
        self._pending: list[int] = []

    def __call__(self, token: int) -> str:
        self._pending.append(token)
        text = self._decode(self._pending)
        if text.endswith(UNFINISHED) and len(self._pending) < LONGEST_CHARACTER:
            return ""
        self._pending.clear()
        return text

    def rest(self) -> str:
        """What an unfinished character leaves behind."""
        text = self._decode(self._pending)
        self._pending.clear()
        return text


def _runs(visual: Visual) -> int:
    """How many runs of placeholders it takes."""
    return len(visual.moments) if isinstance(visual, Video) else 1


def _content(
    content: Any, tokens: re.Pattern, visuals: list[Visual], video: LoadVideo, image: LoadImage
) -> Any:
    if content is None or isinstance(content, str):
        return _neutral(content or "", tokens)
    return [_part(part, tokens, visuals, video, image) for part in content]


def _part(
    part: dict, tokens: re.Pattern, visuals: list[Visual], video: LoadVideo, image: LoadImage
) -> dict[str, Any]:
    """The part as templates expect it; a video may tell its `fps`, see `VideoProcessor.load`."""
    match part:
        case {"type": "text", "text": str(text)}:
            return {"type": "text", "text": _neutral(text, tokens)}
        case (
            {"type": "image", "image": source}
            | {"type": "image_url", "image_url": {"url": source}}
            | {"type": "image_url", "image_url": str(source)}
        ):
            visuals.append(image(source))
            return {"type": "image", "image": ""}
        case (
            {"type": "video", "video": source}
            | {"type": "video_url", "video_url": {"url": source}}
            | {"type": "video_url", "video_url": str(source)}
        ):
            visuals.append(video(source, part.get("fps")))
            return {"type": "video", "video": ""}
    kind = part.get("type") if isinstance(part, dict) else type(part).__name__
    raise InputError(f"a message part of type {kind!r} is not supported: use text, image or video")


def _shown(tool: dict) -> dict:
    """The tool as a prompt shows it: extensions (`x-...`) of its parameters are for programs alone."""
    function = tool.get("function", {})
    parameters = function.get("parameters")
    if not isinstance(parameters, dict):
        return tool
    plain = {key: value for key, value in parameters.items() if not key.startswith("x-")}
    return {**tool, "function": {**function, "parameters": plain}}


def _plain_call(call: dict) -> dict:
    """Arguments as an object: OpenAI's form has them as JSON text, templates iterate over them."""
    function = call.get("function", call)
    arguments = function.get("arguments")
    if not isinstance(arguments, str):
        return call
    try:
        function = {**function, "arguments": json.loads(arguments)}
    except ValueError as error:
        raise InputError(f"the arguments of the call {function.get('name')!r} are no JSON: {error}") from None
    return {**call, "function": function} if "function" in call else function


def _neutral(value: Any, tokens: re.Pattern) -> Any:
    """Break control tokens with a zero-width space, so that a page cannot end a turn or forge a picture."""
    match value:
        case str():
            return tokens.sub(lambda found: found[0][0] + ZERO_WIDTH_SPACE + found[0][1:], value)
        case dict():
            return {key: _neutral(item, tokens) for key, item in value.items()}
        case list() | tuple():
            return [_neutral(item, tokens) for item in value]
    return value


def _any_of(words: Iterable[str]) -> re.Pattern:
    """Matches any of the words; nothing at all when there are none."""
    longest_first = sorted((word for word in words if word), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")


def _compile(template: str) -> jinja2.Template:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals |= {
        "raise_exception": _raise,
        "strftime_now": lambda form: datetime.now().strftime(form),
    }
    try:
        return environment.from_string(template)
    except jinja2.TemplateError as error:
        raise CheckpointError(f"the chat template is broken ({error}): download it again") from None


def _to_json(value: Any, ensure_ascii: bool = False, indent: int | None = None, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **options)


def _raise(message: str) -> None:
    raise jinja2.TemplateError(message)


def _tokenizer(path: Path) -> Tokenizer:
    if not path.is_file():
        raise CheckpointError(f"no tokenizer.json in {path.parent}: download it again")
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise CheckpointError(f"{path} cannot be read ({error}): download the file again") from None


def _template_text(folder: Path) -> str:
    """chat_template.jinja, or the `chat_template` of chat_template.json or tokenizer_config.json."""
    jinja = folder / "chat_template.jinja"
    if jinja.is_file():
        return jinja.read_text(encoding="utf-8")
    for name in ("chat_template.json", "tokenizer_config.json"):
        template = read_json(folder / name).get("chat_template")
        if isinstance(template, list):
            template = next((entry["template"] for entry in template if entry["name"] == "default"), None)
        if template:
            return template
    raise CheckpointError(f"no chat_template.jinja in {folder}: download it again")


def _stop_ids(folder: Path, tokenizer: Tokenizer, config: ModelConfig) -> set[int]:
    """Every end token that a file names, in generation_config.json, config.json or tokenizer_config.json."""
    stops: set[int] = set()
    for ids in (read_json(folder / "generation_config.json").get("eos_token_id"), config.text.eos_token_id):
        stops |= {ids} if isinstance(ids, int) else set(ids or ())
    eos = read_json(folder / "tokenizer_config.json").get("eos_token")
    eos = eos.get("content") if isinstance(eos, dict) else eos
    token = tokenizer.token_to_id(eos) if eos else None
    return stops | ({token} if token is not None else set())


def read_json(path: Path) -> dict[str, Any]:
    """The object in an optional file, {} when there is none. Raises CheckpointError when it is broken."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}): download the file again") from None
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} is not a JSON object: download the file again")
    return value
