"""Sequences in the rows of a static cache write what they write elsewhere.

On a CPU steps run without a graph; everything around it is the same.
"""

import asyncio

import pytest
import torch
from saccade.model import batch, seats, stepping
from saccade.model.engine import Engine, Limits, Piece
from saccade.model.memory import static_bytes
from saccade.model.sampling import Sampling
from saccade.model.sequence import Sequence
from saccade.model.stepping import StaticCache

from .conftest import Pair
from .talk import tokens, turns, user

TOOL = {"function": {"name": "f", "parameters": {"properties": {"at": {"type": "array"}}}}}


@pytest.fixture
def seated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seats.Seats, "suit", staticmethod(lambda model: True))
    monkeypatch.setattr(seats, "LEAST_TOKENS", 16)  # so that rooms are outgrown


def elsewhere(engine: Engine) -> Engine:
    """The same network, nothing cached, no seats."""
    other = Engine(engine.model, engine.chat, engine.processor)
    other.scheduler._batches.seats = None
    return other


@pytest.mark.usefixtures("seated")
async def test_seated_equals_ordinary(pair: Pair):
    """They come and go at different times, so seats are passed on."""
    engine = Engine.from_pretrained(pair.folder, limits=Limits(chunk_tokens=40))
    talks = [turns(n, f"Agent {n}. " * n) for n in (1, 3, 2, 4)]
    settings = [Sampling(), Sampling(1.0, seed=1), Sampling(), Sampling(1.3, top_k=9, seed=2)]
    lengths = (40, 9, 25, 33)

    async def run(i: int) -> list[int]:
        generation = engine.generate(talks[i], max_tokens=lengths[i], sampling=settings[i])
        return [e.token async for e in generation if isinstance(e, Piece) and e.token is not None]

    together = await asyncio.gather(*map(run, range(4)))
    for i in range(4):
        assert together[i] == tokens(elsewhere(engine), talks[i], lengths[i], sampling=settings[i])
    room = engine.scheduler._batches.seats
    assert room is not None
    assert not room._seated


@pytest.mark.usefixtures("seated")
async def test_a_conversation_goes_on(hybrid: Pair):
    """States leave their seats for the prefix cache and come back from it."""
    engine = Engine.from_pretrained(hybrid.folder)
    talk = turns(1)
    for step in range(3):
        reply = engine.generate(talk, max_tokens=10, thinking="fast").finish()
        assert reply.text == elsewhere(engine).generate(talk, max_tokens=10, thinking="fast").finish().text
        assert (reply.usage.cached_tokens > 0) == (step > 0)
        talk += [{"role": "assistant", "content": reply.text}, user(f"And then {step}?")]


@pytest.mark.usefixtures("seated")
async def test_forced_tokens_are_fed_one_by_one(hybrid: Pair, monkeypatch: pytest.MonkeyPatch):
    widths: list[int] = []
    step = seats.Seats.step
    monkeypatch.setattr(
        batch.Seats, "step", lambda self, group: widths.append(len(group[0].feed)) or step(self, group)
    )
    engine = Engine.from_pretrained(hybrid.folder)
    ours, theirs = (
        each.generate(
            turns(1), [TOOL], thinking="fast", max_tokens=60, sampling=Sampling(1.0, seed=3)
        ).finish()
        for each in (engine, elsewhere(engine))
    )
    assert (ours.text, ours.calls) == (theirs.text, theirs.calls)
    assert max(widths) > 1


def test_bytes_of_a_static_cache(pair: Pair):
    model = Engine.from_pretrained(pair.folder).model
    cache = StaticCache.empty(model, 3, 40)
    tensors = [x for slots in cache.layers for x in vars(slots).values()] + list(cache.turns)
    assert static_bytes(model, 3, 40) == sum(x.nbytes for x in tensors)


def test_the_first_sequence_is_never_held_twice_as_a_whole(hybrid: Pair, monkeypatch: pytest.MonkeyPatch):
    """When a layer of the static cache is made, all layers before it have left the state they came from."""
    model = Engine.from_pretrained(hybrid.folder).model
    cache = model.empty_cache()
    ids = torch.arange(7)
    model(ids[None], ids.expand(3, 1, -1), cache)
    kept, left = cache.fork(), []
    make = stepping._empty_slots
    monkeypatch.setattr(
        stepping, "_empty_slots", lambda *args: left.append(cache.layers.count(None)) or make(*args)
    )
    moved = StaticCache.empty(model, 2, 16, cache)
    assert left == list(range(len(kept.layers)))
    assert set(cache.layers) == {None}
    copied = StaticCache.empty(model, 2, 16)
    copied.load(0, kept)
    for ours, theirs in zip(moved.layers, copied.layers, strict=True):
        for name, tensor in vars(ours).items():
            assert torch.equal(tensor, vars(theirs)[name]), name


@pytest.mark.usefixtures("seated")
def test_a_static_cache_counts_as_memory(hybrid: Pair, monkeypatch: pytest.MonkeyPatch):
    """Without room for it the forward decodes; idle, it makes way for a sequence."""
    engine, talk = Engine.from_pretrained(hybrid.folder), turns(1)
    scheduler = engine.scheduler
    room = scheduler._batches.seats
    assert room is not None
    submitted: list[Sequence] = []
    submit = scheduler.submit
    monkeypatch.setattr(scheduler, "submit", lambda sequence: submitted.append(sequence) or submit(sequence))
    expected = tokens(engine, talk, 12)
    own, idle = submitted[0].nbytes, room.nbytes
    assert idle > 0
    scheduler.memory_bytes = own + idle - 1
    assert tokens(engine, talk, 12) == expected
    assert room.nbytes < idle, "it was dropped, and what came after it could not grow as large"
    scheduler.memory_bytes = own + idle
    assert tokens(engine, talk, 12) == expected
    assert room.nbytes == idle
