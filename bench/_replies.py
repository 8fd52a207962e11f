"""Random replies under a constraint: tokenizers, tools and schemas to write them with, and what must hold.

Shared by `bench/grammar.py` and the tests. Tokens are drawn uniformly among those allowed, so a reply is as
strange as the grammar lets it be.
"""

import enum
import json
import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from saccade import model
from saccade.errors import SaccadeError
from saccade.model.calls import ParsedReply, parse_reply
from saccade.model.constraint import Constraint
from saccade.model.grammar import Grammar, Grammars
from saccade.model.vocabulary import Vocabulary
from saccade.tools.actions import computer_use_schema, parse_action
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

MODEL = Path(model.__file__).parent
CONTROL = "<|endoftext|> <|im_start|> <|im_end|> <|vision_start|> <|vision_end|> <|image_pad|>".split()
MARKUP = "<think> </think> <tool_call> </tool_call> <tool_response> </tool_response>".split()
# As Qwen2 and later split text before they merge bytes.
WORDS = Regex(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# Text without an end is ended: before each free token, with this probability, by one of these if it may come.
CLOSERS = ["\n</parameter>\n", "<|im_end|>", "</think>", "}", "]", '"', "0"]
CLOSE = 0.5
# What a reader might stumble over, tried now and then wherever it may come.
TRAPS = [
    "</parameter",
    "<parameter=text>\n",
    "</function>\n</tool_call>",
    "<tool_call>\n",
    "</think>",
    "\n\n",
    "\\",
]
TRAP = 0.1
LONGEST = 4000


@cache
def builtin() -> Vocabulary:
    return vocabulary(Tokenizer.from_file(str(MODEL / "builtin" / "tokenizer.json")))


@cache
def qwen_like(size: int = 1500) -> Vocabulary:
    """Byte-level BPE in the manner of Qwen, trained on this project's own texts; the output is padded."""
    tokenizer = Tokenizer(models.BPE())
    pieces = [pre_tokenizers.Split(WORDS, "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(pieces)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    texts = [file.read_text("utf-8") for file in sorted(MODEL.glob("*.py"))]
    tokenizer.train_from_iterator([*texts, json.dumps(computer_use_schema())], trainer)
    add_markup(tokenizer)
    return vocabulary(tokenizer, padding=37)


def add_markup(tokenizer: Tokenizer) -> None:
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in CONTROL])
    tokenizer.add_tokens([AddedToken(text, special=False, normalized=False) for text in MARKUP])


def vocabulary(tokenizer: Tokenizer, padding: int = 0) -> Vocabulary:
    found = [tokenizer.token_to_id(text) for text in ("<|endoftext|>", "<|im_end|>")]
    stops = [token for token in found if token is not None]
    return Vocabulary(tokenizer, tokenizer.get_vocab_size() + padding, stops)


def random_reply(grammar: Grammar, rng: random.Random, **limits: Any) -> list[int]:
    """Tokens of a whole reply: forced ones as they come, the others uniformly among those allowed."""
    constraint = Constraint(grammar, **limits)
    ids: list[int] = []
    while not constraint.finished:
        for token in constraint.forced() or choose(grammar.vocabulary, constraint, rng):
            if token in grammar.vocabulary.stop_ids:
                return ids
            constraint.accept(token)
            ids.append(token)
        if len(ids) >= LONGEST:
            raise AssertionError("this reply does not end")
    return ids


def choose(vocabulary: Vocabulary, constraint: Constraint, rng: random.Random) -> list[int]:
    for chance, texts in ((TRAP, TRAPS), (CLOSE, CLOSERS)):
        tokens = encoded(vocabulary, rng.choice(texts)) if rng.random() < chance else []
        if tokens and fits(constraint, tokens):
            return tokens
    return [rng.choice(constraint.mask().nonzero()[:, 0].tolist())]


def fits(constraint: Constraint, tokens: list[int]) -> bool:
    """Whether all of these may come next; the constraint is left as it was."""
    taken = 0
    for token in tokens:
        if not constraint.mask()[token]:
            break
        constraint.accept(token)
        taken += 1
    constraint.rollback(taken)
    return taken == len(tokens)


@cache
def encoded(vocabulary: Vocabulary, text: str) -> list[int]:
    return vocabulary.encode(text)


def read(vocabulary: Vocabulary, ids: Sequence[int], tools: Sequence[dict], thinking: bool) -> ParsedReply:
    """The reply as the engine reads it."""
    return parse_reply(vocabulary.tokenizer.decode(list(ids), skip_special_tokens=False), tools, thinking)


class Colour(enum.Enum):
    RED = "red"
    DARK_BLUE = "dark blue"


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Place(Strict):
    """Nested, with numbers in bounds."""

    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(gt=-180, lt=180)
    label: str | None = None


class Circle(Strict):
    kind: Literal["circle"]
    radius: Annotated[float, Field(gt=0, le=100)]


class Box(Strict):
    kind: Literal["box"]
    sides: tuple[int, int]


class Node(Strict):
    """Recursive."""

    value: int
    next: "Node | None" = None


class Everything(Strict):
    """Every kind of parameter that pydantic writes."""

    title: str = Field(min_length=1, max_length=12)
    code: str = Field(pattern=r"^[A-Z]{2}-\d{3}$")
    colour: Colour
    level: Literal[1, 2, 3]
    places: list[Place] = Field(min_length=1, max_length=3)
    shape: Annotated[Circle | Box, Field(discriminator="kind")]
    counts: dict[str, int]
    chain: Node | None = None
    day: date = date(2026, 1, 1)
    moment: datetime | None = None
    key: uuid.UUID | None = None
    ratio: float | None = None
    flag: bool = False
    note: str | int = ""


class Search(Strict):
    """A small tool."""

    query: str
    limit: int = Field(default=10, ge=1, le=50)


def tool_of(kind: type[BaseModel]) -> dict:
    function = {
        "name": kind.__name__.lower(),
        "description": kind.__doc__,
        "parameters": kind.model_json_schema(),
    }
    return {"type": "function", "function": function}


COMPUTER = [computer_use_schema()]
TOOLS = {kind.__name__.lower(): kind for kind in (Everything, Search)}
USER_TOOLS = [tool_of(kind) for kind in TOOLS.values()]


def check_action(reply: ParsedReply) -> None:
    """Exactly one action, and nothing besides."""
    (call,) = reply.calls
    parse_action(call.name, call.arguments)
    assert not reply.text, reply


def check_calls(reply: ParsedReply) -> None:
    """One call or more, each with arguments that fit the tool."""
    assert reply.calls, reply
    for call in reply.calls:
        TOOLS[call.name].model_validate(call.arguments)


def check_any(reply: ParsedReply) -> None:
    """Text, calls or both; what looks like a call is one."""
    if reply.calls:
        check_calls(reply)
    assert "<tool_call>" not in reply.text


def check_text(reply: ParsedReply) -> None:
    assert not reply.calls
    assert "<tool_call>" not in reply.text


def check_answer(reply: ParsedReply) -> None:
    Everything.model_validate_json(reply.text)


@dataclass(frozen=True)
class Case:
    name: str
    vocabulary: Callable[[], Vocabulary]
    grammar: Callable[[Grammars], Grammar]
    tools: Sequence[dict]
    check: Callable[[ParsedReply], None]

    def compile(self) -> Grammar:
        return self.grammar(Grammars(self.vocabulary()))

    def write(self, grammar: Grammar, seed: int) -> int:
        """Write and check one reply; the number of its tokens. Raises AssertionError when it is wrong."""
        ids = random_reply(grammar, random.Random(seed))
        reply = read(grammar.vocabulary, ids, self.tools, grammar.thinking)
        try:
            self.check(reply)
        except (AssertionError, ValueError, SaccadeError) as error:
            text = grammar.vocabulary.text(ids)
            raise AssertionError(f"{self.name}: {text!r} was read as {reply}") from error
        return len(ids)


def _case(name: str, vocabulary: Callable[[], Vocabulary], **options: Any) -> Case:
    return Case(
        name, vocabulary, lambda grammars: grammars.calls(COMPUTER, **options), COMPUTER, check_action
    )


def _tools(name: str, vocabulary: Callable[[], Vocabulary], check: Callable, **options: Any) -> Case:
    return Case(name, vocabulary, lambda grammars: grammars.calls(USER_TOOLS, **options), USER_TOOLS, check)


CASES = [
    _case("actions, XML, built-in", builtin, thinking=True),
    _case("actions, XML, BPE", qwen_like, thinking=True),
    _case("actions, XML, no thought", qwen_like),
    _case("actions, JSON, built-in", builtin, form="json", thinking=True),
    _case("actions, JSON, BPE", qwen_like, form="json"),
    _tools("user tools, XML", qwen_like, check_calls, thinking=True),
    _tools("user tools, JSON", qwen_like, check_calls, form="json"),
    _tools("user tools, several calls", builtin, check_calls, parallel=True, thinking=True),
    _tools("user tools, auto", qwen_like, check_any, choice="auto", parallel=True),
    _tools("user tools, named", qwen_like, check_calls, choice="search", thinking=True),
    _tools("user tools, none", qwen_like, check_text, choice="none", thinking=True),
    Case(
        "pydantic answer",
        qwen_like,
        lambda grammars: grammars.answer(Everything, thinking=True),
        [],
        check_answer,
    ),
    Case(
        "pydantic answer, built-in", builtin, lambda grammars: grammars.answer(Everything), [], check_answer
    ),
]
