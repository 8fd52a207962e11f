"""The prefix cache: what it finds is exact, what it drops costs time alone, shared bytes count once."""

import random

import numpy as np
import pytest
import torch
from saccade.errors import InputError
from saccade.model.cache import AttentionState, DeltaState, HybridCache
from saccade.model.engine import Engine, Limits
from saccade.model.pictures import Picture
from saccade.model.prefixes import PrefixCache, Snapshot

from .conftest import Pair
from .talk import picture, tokens, turns, user


def key(*ids: int) -> np.ndarray:
    return np.array(ids, dtype=np.int64)


def snapshot(length: int, trunk: AttentionState | None = None) -> Snapshot:
    trunk = trunk or AttentionState.of(torch.zeros(1, 1, length, 4), torch.zeros(1, 1, length, 4))
    delta = DeltaState(torch.zeros(1, 3, 5), torch.zeros(1, 1, 2, 2))
    return Snapshot(HybridCache([trunk, delta], length))


def test_the_longest_prefix_is_found():
    prefixes = PrefixCache(10**6)
    for n in (2, 3, 5):
        prefixes.add(key(*range(n)), snapshot(n))
    prefixes.add(key(0, 1, 9, 9), snapshot(4))
    for ids, length in (((0, 1, 2, 3, 4, 5), 5), ((0, 1, 2, 3), 3), ((0, 1, 9, 9), 4), ((0, 1, 8), 2)):
        found = prefixes.longest(key(*ids))
        assert found is not None
        assert found.cache.length == length
    assert prefixes.longest(key(0)) is None
    assert prefixes.longest(key(7, 1, 2)) is None


def test_the_least_recently_used_goes_first():
    one = snapshot(4).cache.nbytes()
    prefixes = PrefixCache(3 * one)
    for n in range(3):
        prefixes.add(key(n, 0, 0, 0), snapshot(4))
    assert prefixes.longest(key(0, 0, 0, 0)) is not None
    prefixes.add(key(3, 0, 0, 0), snapshot(4))
    known = [prefixes.longest(key(n, 0, 0, 0)) is not None for n in range(4)]
    assert known == [True, False, True, True]
    assert prefixes.nbytes() == 3 * one


def test_shared_buffers_count_once_and_growth_counts():
    prefixes, trunk = PrefixCache(10**6), snapshot(4).cache.layers[0]
    grown = trunk.append(torch.ones(1, 1, 1, 4), torch.ones(1, 1, 1, 4))
    prefixes.add(key(1, 2, 3, 4, 5), snapshot(5, grown))
    before = prefixes.nbytes()
    more = grown.append(torch.ones(1, 1, 2, 4), torch.ones(1, 1, 2, 4))
    prefixes.add(key(1, 2, 3, 4, 5, 6, 7), snapshot(7, more))
    own = snapshot(1).cache.own_bytes()
    assert prefixes.nbytes() == before + own
    more.append(torch.ones(1, 1, 2000, 4), torch.ones(1, 1, 2000, 4))
    assert prefixes.nbytes() > before + own + 2000 * 4 * 4
    prefixes.shrink(0)
    assert (len(prefixes), prefixes.nbytes()) == (0, 0)


def test_a_branch_is_learned_from_recent_prompts():
    prefixes = PrefixCache(10**6)
    assert prefixes.branch(key(1, 2, 3, 4)) == 0
    assert prefixes.branch(key(9, 9)) == 0
    assert prefixes.branch(key(1, 2, 7)) == 2
    assert prefixes.branch(key(1, 2, 7)) == 3


@pytest.mark.parametrize("budget", [0, 300_000, 10**8])
def test_eviction_changes_nothing_but_time(hybrid: Pair, budget: int):
    """Two agents and a third that branches off, at budgets for nothing, for little and for all."""
    limits = Limits(chunk_tokens=64, prefix_bytes=budget)
    engine = Engine.from_pretrained(hybrid.folder, limits=limits)
    talks = [turns(n, who) for n in (1, 2, 3) for who in ("Alice. ", "Bob. " * 9)]
    talks += [[*turns(2, "Alice. "), {"role": "assistant", "content": "No."}, user("Then?", picture(8))]]
    random.Random(1).shuffle(talks)
    for talk in talks:
        alone = Engine(engine.model, engine.chat, engine.processor, limits=limits)
        assert tokens(engine, talk, 6) == tokens(alone, talk, 6)
    assert engine.prefixes.nbytes() <= budget
    assert bool(len(engine.prefixes)) == (budget > 0)


def test_one_agent_needs_one_buffer(hybrid: Pair):
    """A conversation that only grows appends in place: its states share what they hold."""
    engine = Engine.from_pretrained(hybrid.folder)
    for n in range(1, 7):
        tokens(engine, turns(n), 6)
    buffers = set(engine.prefixes._shared)
    assert len(engine.prefixes) >= 6
    assert len(buffers) <= 2, "the first snapshot still holds what the network gave"


def test_fork_diverge_and_return(hybrid: Pair):
    engine = Engine.from_pretrained(hybrid.folder)
    trunk = turns(3)
    left = [*trunk, {"role": "assistant", "content": "Left."}, user("On", picture(6))]
    right = [*trunk, {"role": "assistant", "content": "Right."}, user("On", picture(7))]
    expected = [tokens(Engine(engine.model, engine.chat, engine.processor), talk) for talk in (left, right)]
    for _ in range(3):
        assert [tokens(engine, left), tokens(engine, right)] == expected


def test_a_picture_that_changes_while_it_waits_is_refused(hybrid: Pair):
    """Or what it shows now would be kept under the name of what it showed."""
    engine, image = Engine.from_pretrained(hybrid.folder), picture(0)
    named = Picture.of(image, engine.processor)
    image.putpixel((0, 0), (1, 2, 3))
    with pytest.raises(InputError, match="copy"):
        engine.pictures(named)
    assert engine.pictures.nbytes() == 0
    assert engine.pictures(Picture.of(image, engine.processor)).tokens.isfinite().all()


def test_a_reply_that_no_prompt_repeats_is_dropped():
    """As soon as a prompt goes on in its conversation in another way; others keep theirs."""
    prefixes = PrefixCache(10**6)
    prefixes.add(key(1, 2, 3), snapshot(3))
    for said in ((1, 2, 3, 4, 5), (1, 2, 8, 4, 5)):
        prefixes.add(key(*said), snapshot(5), written_from=3)
    for _ in range(2):
        found = prefixes.longest(key(1, 2, 3, 4, 5, 6))
        assert found is not None
        assert found.cache.length == 5
    prefixes.longest(key(1, 2, 3, 9, 9, 9))
    assert len(prefixes) == 3, "a prompt repeated it, so one may again"
    prefixes.add(key(1, 2, 3, 7), snapshot(4), written_from=3)
    prefixes.longest(key(1, 2))
    assert len(prefixes) == 4, "that prompt ends before"
    found = prefixes.longest(key(1, 2, 3, 9, 9, 9))
    assert found is not None
    assert found.cache.length == 3
    assert len(prefixes) == 3


def test_what_is_forgotten_is_read_again_and_says_the_same(pair: Pair, monkeypatch: pytest.MonkeyPatch):
    engine, talk, encoded = Engine.from_pretrained(pair.folder), [user("What is this?", picture(1))], []
    pictures = engine.scheduler.pictures
    encode = pictures._encode
    monkeypatch.setattr(pictures, "_encode", lambda visual: encoded.append(visual) or encode(visual))

    def reply():
        return engine.generate(talk, max_tokens=6, thinking="fast").finish()

    first, again = reply(), reply()
    assert (len(encoded), again.usage.cached_tokens > 0) == (1, True)
    engine.forget()
    forgotten = reply()
    assert (len(encoded), forgotten.usage.cached_tokens) == (2, 0)
    assert first.text == again.text == forgotten.text
