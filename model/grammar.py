"""Constrained decoding: which tokens may come next, so that a reply is always what was asked for.

A Grammar is compiled once for (tools, format) and shared; each sequence has a Matcher. llguidance parses;
which tokens exist is told by `vocabulary.py`, what a reply looks like by `wire.py`.
"""

import json
import logging
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from llguidance import LLMatcher
from pydantic import BaseModel
from torch import Tensor

from ..errors import InputError
from .vocabulary import Vocabulary
from .wire import Form, answer_grammar, call_grammar

KEPT_GRAMMARS = 64
CHOPPED_BY_LIBRARY = 4  # tokens at the end of forced text whose spelling llguidance leaves open by itself

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Grammar:
    """Compiled; `start()` is cheap. `loosened` names schema keywords that could not be enforced."""

    vocabulary: Vocabulary
    prototype: LLMatcher
    thinking: bool
    loosened: tuple[str, ...] = ()

    def start(self) -> "Matcher":
        return Matcher(self.vocabulary, self.prototype.deep_copy())


class Grammars:
    """Grammars of one vocabulary, compiled on first use and kept.

    `thinking`: the prompt ended inside an opened `<think>`, so the reply begins with the rest of a thought.
    All methods raise InputError for tools or schemas that cannot be enforced at all.
    """

    def __init__(self, vocabulary: Vocabulary):
        self.vocabulary = vocabulary
        self._kept: OrderedDict[str, Grammar] = OrderedDict()

    def calls(
        self,
        tools: Sequence[dict],
        *,
        choice: str = "required",
        form: Form = "xml",
        thinking: bool = False,
        parallel: bool = False,
    ) -> Grammar:
        """Replies with calls of OpenAI-style tools: exactly one, or one and more when `parallel`.

        `choice`: "required"; the name of the tool to call; "auto" (text or calls); "none" (text alone).
        """
        if choice == "none" or (choice == "auto" and not tools):
            return self.text(thinking=thinking)
        key = json.dumps(["calls", list(tools), choice, form, thinking, parallel])
        return self._get(
            key, thinking, lambda lenient: call_grammar(tools, choice, form, thinking, parallel, lenient)
        )

    def answer(self, schema: dict[str, Any] | type[BaseModel], *, thinking: bool = False) -> Grammar:
        """Replies of JSON that fits a JSON schema or a pydantic model."""
        plain = schema if isinstance(schema, dict) else schema.model_json_schema()
        key = json.dumps(["answer", plain, thinking])
        return self._get(key, thinking, lambda lenient: answer_grammar(plain, thinking, lenient))

    def text(self, *, thinking: bool = False) -> Grammar:
        """Replies of text, without calls."""
        key = json.dumps(["text", thinking])
        return self._get(key, thinking, lambda lenient: answer_grammar(None, thinking, lenient))

    def _get(self, key: str, thinking: bool, write: Callable[[bool], str]) -> Grammar:
        if key not in self._kept:
            self._kept[key] = self._compile(thinking, write)
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT_GRAMMARS:
            self._kept.popitem(last=False)
        return self._kept[key]

    def _compile(self, thinking: bool, write: Callable[[bool], str]) -> Grammar:
        """All of the schema if possible; without the keywords that llguidance lacks otherwise, said aloud."""
        strict = LLMatcher(self.vocabulary.llguidance, write(False), log_level=0)
        if not strict.is_error():
            return Grammar(self.vocabulary, strict, thinking)
        loose = LLMatcher(self.vocabulary.llguidance, write(True), log_level=0)
        if loose.is_error():
            raise InputError(f"this schema cannot be enforced: {_reason(loose)}: simplify it")
        loosened = tuple(loose.get_grammar_warnings()) or (_reason(strict),)
        log.warning("a schema is enforced only in part: %s", "; ".join(loosened))
        return Grammar(self.vocabulary, loose, thinking, loosened)


class Matcher:
    """One sequence's place in a grammar."""

    def __init__(self, vocabulary: Vocabulary, matcher: LLMatcher):
        self.vocabulary, self._matcher = vocabulary, matcher

    @property
    def finished(self) -> bool:
        """Nothing may follow but the end of the turn."""
        return self._matcher.is_stopped()

    def mask(self) -> Tensor:
        """[V] bool, True for tokens that may come next; those that end the turn count where it may end."""
        bits = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        allowed = np.unpackbits(bits, count=self.vocabulary.size, bitorder="little")
        return torch.from_numpy(allowed).view(torch.bool)

    def accept(self, token: int) -> None:
        accepted = self._matcher.consume_token(token)
        assert accepted, f"token {token} is not allowed here: {_reason(self._matcher)}"

    def rollback(self, n: int) -> None:
        rolled = n == 0 or self._matcher.rollback(n)
        assert rolled, f"{n} tokens cannot be taken back: {_reason(self._matcher)}"

    def forced(self) -> list[int]:
        """Tokens whose text must come next, spelled as the tokenizer spells it; [] when the text is open.

        Stops before a token that could be the beginning of a longer one.
        """
        rest = self._matcher.compute_ff_bytes()  # first: the tokens are those of what it found
        tokens = self._matcher.compute_ff_tokens() if rest else []
        if len(tokens) <= CHOPPED_BY_LIBRARY:
            return tokens
        for i, token in enumerate(tokens):
            if self.vocabulary.has_longer(rest):
                return tokens[:i]
            rest = rest[len(self.vocabulary.texts[token]) :]
        return tokens


def _reason(matcher: LLMatcher) -> str:
    """llguidance's error in one line, without the grammar that it quotes."""
    message = re.split(r"\n *1 \| |\n<state>", matcher.get_error())[0]
    return " ".join(message.split()) or "unknown"
