"""A tokenizer's vocabulary as bytes: what a grammar needs to know of it.

Every token is the bytes that it writes, added tokens such as `</think>` or `[512` as well, so that a grammar
over text allows each spelling of it. Control tokens (turns, pictures) write nothing: no text contains them.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence

import llguidance
import numpy as np
from tokenizers import Tokenizer

from ..errors import CheckpointError

MARKUP = re.compile(r"</?\w+>")  # <think>, </tool_call>: text, even where a checkpoint calls it special
LONGEST_CHARACTER = 4  # bytes in UTF-8


class Vocabulary:
    """`size` V: of the model's output, which may exceed the tokenizer's; `stop_ids` end a turn.

    `texts`: the bytes of each token. `rests` [V]: the bytes that a character cut at a token's end still
    lacks; -n for a token of n bytes that only continue one.
    """

    def __init__(self, tokenizer: Tokenizer, size: int, stop_ids: Iterable[int]):
        """Raises CheckpointError for a tokenizer whose tokens are not bytes."""
        if not _is_byte_level(tokenizer):
            raise CheckpointError("the tokenizer is not byte-level BPE: constrained decoding needs its bytes")
        self.size, self.stop_ids = size, frozenset(stop_ids)
        self.tokenizer = tokenizer
        added = tokenizer.get_added_tokens_decoder()
        silent = {i for i, token in added.items() if token.special and not MARKUP.fullmatch(token.content)}
        texts = {i: token.content.encode() for i, token in added.items()}
        names = {i: tokenizer.id_to_token(i) for i in range(size) if i not in texts}
        silent |= self.stop_ids | {i for i, name in names.items() if name is None}
        texts |= {i: _written(name) for i, name in names.items() if name is not None}
        self.texts = [b"" if i in silent else texts[i] for i in range(size)]
        self.rests = np.array([_rest(text) for text in self.texts], np.int8)
        self._sorted = sorted(text for text in self.texts if text)
        self.llguidance = llguidance.LLTokenizer(
            llguidance.TokenizerWrapper(_Wrapped(self, silent)), eos_token=sorted(self.stop_ids)
        )

    def encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def text(self, tokens: Sequence[int]) -> bytes:
        return b"".join(self.texts[token] for token in tokens)

    def has_longer(self, start: bytes) -> bool:
        """Whether some token begins with these bytes and goes on."""
        after = bisect_right(self._sorted, start)
        return after < len(self._sorted) and self._sorted[after].startswith(start)


def missing_bytes(text: bytes | bytearray) -> int:
    """How many bytes the last character still lacks."""
    for back, byte in enumerate(reversed(text[-LONGEST_CHARACTER:])):
        if byte & 0xC0 != 0x80:  # no continuation
            length = 1 if byte < 0xC0 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return max(0, length - 1 - back)
    return 0


def _rest(text: bytes) -> int:
    """The bytes that the last character lacks after this token; -n for n bytes that only go on with one."""
    return -len(text) if text and all(byte & 0xC0 == 0x80 for byte in text) else missing_bytes(text)


class _Wrapped:
    """The attributes and the call by which llguidance reads a tokenizer."""

    bos_token_id = None

    def __init__(self, vocabulary: Vocabulary, silent: set[int]):
        self.special_token_ids = sorted(silent)
        self.eos_token_id = min(vocabulary.stop_ids)
        self.tokens = [text or b"<|%d|>" % i for i, text in enumerate(vocabulary.texts)]
        self._encode = vocabulary.encode

    def __call__(self, text: bytes | str) -> list[int]:
        return self._encode(text if isinstance(text, str) else text.decode())


def _is_byte_level(tokenizer: Tokenizer) -> bool:
    decoder = json.loads(tokenizer.to_str()).get("decoder") or {}
    return "ByteLevel" in [step.get("type") for step in (decoder, *decoder.get("decoders", ()))]


def _byte_alphabet() -> dict[str, int]:
    """The character by which byte-level BPE writes each byte: printable ones stand for themselves."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(others)}


BYTES = _byte_alphabet()


def _written(name: str) -> bytes:
    """The bytes of a token's name; a name outside the alphabet stands for itself, as in `tokenizers`."""
    return bytes(BYTES[char] for char in name) if all(char in BYTES for char in name) else name.encode()
