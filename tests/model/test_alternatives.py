"""What else a model might have written: forks of one reply, and the replies that go on from them."""

import asyncio
from functools import partial

import pytest
from saccade.errors import InputError
from saccade.model.alternatives import Fork, forks, logprob_of, weighed
from saccade.model.engine import Engine
from saccade.model.request import Piece
from saccade.tools.actions import computer_use_schema

from .conftest import Pair
from .talk import user, written
from .test_replies import roomy

TOOLS = [computer_use_schema()]
TOP = ((7, -0.1), (8, -2.0), (9, -3.0))
SURE = ((5, -0.01), (6, -5.0))


@pytest.fixture
def engine(hybrid: Pair) -> Engine:
    return roomy(Engine.from_pretrained(hybrid.folder))


def test_forks_lie_in_the_thought_and_the_likeliest_come_first():
    thought = [Piece(5, "a", "thinking", -0.01, SURE), Piece(7, "b", "thinking", -0.1, TOP)]
    end = [Piece(3, "c", "answer"), Piece(7, "d", "answer", -0.1, TOP), Piece(None, "e", "answer")]
    assert (weighed([*thought, *end]), weighed(end)) == ("thinking", "answer")
    found = forks([*thought, *end], "thinking", 3)
    assert [fork.opening for fork in found] == [(5, 8), (5, 9), (6,)]
    assert [fork.logprob for fork in found] == pytest.approx([-2.01, -3.01, -5.0])
    assert forks(end, "answer", 1) == [Fork((3, 8), -2.0)]
    assert logprob_of([*thought, *end], "thinking") == pytest.approx(-0.11)


def test_a_reply_begins_with_its_opening(engine: Engine):
    plain = written(engine.generate([user("Go")], TOOLS, thinking="fast", max_tokens=500))
    for n in (1, 9, len(plain)):
        assert plain == written(
            engine.generate([user("Go")], TOOLS, thinking="fast", max_tokens=500, opening=plain[:n])
        )


@pytest.mark.parametrize("token", [-1, 10**6, 65])
def test_an_opening_that_may_not_come_is_refused(engine: Engine, token: int):
    """Of a reply that is a number; the next request is served."""
    with pytest.raises(InputError, match="cannot begin so"):
        engine.generate([user("Go")], schema={"type": "integer"}, thinking="fast", opening=[token]).finish()
    assert written(engine.generate([user("Go")], thinking="fast", max_tokens=2))


@pytest.mark.parametrize("thinking", ["fast", "deep"])
def test_alternatives_are_what_follows_the_forks(engine: Engine, thinking: str):
    """The likeliest first, as the network itself weighs the whole of each."""
    ask = partial(engine.generate, [user("Go")], thinking=thinking, max_tokens=8, logprobs=True)
    first, expected = list(ask(top_logprobs=4)), {}
    phase = weighed(first)
    for fork in forks(first, phase, 3):
        generation = ask(opening=fork.opening)
        worth = fork.logprob + logprob_of(generation, phase)
        assert generation.reply is not None
        expected[worth] = generation.reply
    found = asyncio.run(engine.alternatives([user("Go")], [], thinking, 3, least=0.0, max_tokens=8))
    best = [expected[worth] for worth in sorted(expected, reverse=True)]
    assert [(it.thought, it.text) for it in found] == [(it.thought, it.text) for it in best]
    assert len({it.thought + it.text for it in found} | {"".join(piece.text for piece in first)}) == 4
