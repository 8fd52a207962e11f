"""Other replies that a model was near to: where its choice was closest, the second choice, and on from there.

An n-best list without a beam: one greedy reply tells at each of its tokens how likely it was to go otherwise.
Where there is a thought, it alone is weighed: how surely a place is pointed at says nothing of whether to go
there. Knows pieces and probabilities; knows nothing of the network.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .request import Phase, Piece


@dataclass(frozen=True)
class Fork:
    """How another reply begins, and the natural log of how likely such a beginning is."""

    opening: tuple[int, ...]
    logprob: float


def weighed(pieces: Sequence[Piece]) -> Phase:
    """What replies differ in: their thoughts if there are any, else their answers."""
    return "thinking" if any(piece.top and piece.phase == "thinking" for piece in pieces) else "answer"


def logprob_of(pieces: Iterable[Piece], phase: Phase) -> float:
    """Of all that was chosen in this phase."""
    return math.fsum(piece.logprob or 0.0 for piece in pieces if piece.phase == phase)


def forks(pieces: Sequence[Piece], phase: Phase, count: int) -> list[Fork]:
    """The likeliest `count` ways to leave a reply in this phase; `pieces` must tell what else was likely."""
    written: list[int] = []
    found, total = [], 0.0
    for piece in pieces:
        if piece.token is None:
            continue
        if piece.phase == phase:
            others = (choice for choice in piece.top if choice[0] != piece.token)
            found += [Fork((*written, token), total + logprob) for token, logprob in others]
            total += piece.logprob or 0.0
        written.append(piece.token)
    return sorted(found, key=lambda fork: -fork.logprob)[:count]
