"""Guessing changes nothing but time: the same tokens as without, whatever the guesses are worth."""

import asyncio
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from saccade.errors import InputError
from saccade.model.engine import Engine, Limits, Piece, Thinking
from saccade.model.mtp import MultiTokenPredictor
from saccade.model.sampling import Sampling
from saccade.model.speculation import looked_up

from . import tiny
from .talk import babble, picture, script, tokens, turns, user

SAMPLED = Sampling(1.0, top_k=40, presence_penalty=0.5, seed=3)


@pytest.fixture(params=["moe", "dense-tied"])
def folder(request: pytest.FixtureRequest, make_pair) -> Path:
    return make_pair(request.param).folder


def guessing(folder: Path, guesses: int, **options) -> Engine:
    """The checkpoint with a random prediction head, whose guesses are worth little."""
    plain = Engine.from_pretrained(folder)
    head = MultiTokenPredictor(replace(plain.model.config.text, mtp_num_hidden_layers=1))
    tiny.randomise(head, seed=4)
    plain.model.mtp = head.requires_grad_(False)
    return Engine(plain.model, plain.chat, plain.processor, guesses=guesses, **{"lookups": 0, **options})


def plain_of(engine: Engine) -> Engine:
    """The same network, token by token."""
    return Engine(engine.model, engine.chat, engine.processor, lookups=0)


class Oracle:
    """Guesses what the network will write, as written before, with an error at every `period`-th guess."""

    def __init__(self, text: list[int], period: int):
        self.text, self.period, self.count = text, period, 0

    def __call__(self, sequence) -> list[int]:
        assert sequence.draft.rows is not None
        following = self.text[len(sequence.ids) : len(sequence.ids) + 4]
        return [self._spoilt(token) for token in following]

    def _spoilt(self, token: int) -> int:
        self.count += 1
        return token if self.count % self.period else (token + 1) % 290


@pytest.mark.parametrize("sampling", [Sampling(), SAMPLED], ids=["greedy", "sampled"])
@pytest.mark.parametrize("guesses", [1, 4, 7])
def test_a_random_head_changes_nothing(folder: Path, guesses: int, sampling: Sampling):
    engine = guessing(folder, guesses)
    for n in (1, 2, 3):  # later turns start from states that earlier ones left
        plain = plain_of(engine)
        assert tokens(engine, turns(n), 30, sampling=sampling) == tokens(
            plain, turns(n), 30, sampling=sampling
        )


@pytest.mark.parametrize("sampling", [Sampling(), SAMPLED], ids=["greedy", "sampled"])
@pytest.mark.parametrize("period", [1, 2, 3, 5, 10**9])
def test_guesses_that_are_often_right(folder: Path, period: int, sampling: Sampling):
    engine = guessing(folder, 4)
    expected = tokens(plain_of(engine), turns(2), 60, sampling=sampling)
    engine.scheduler._guess = Oracle(expected, period)  # type: ignore[method-assign]
    generation = engine.generate(turns(2), max_tokens=60, sampling=sampling)
    assert [piece.token for piece in generation if piece.token is not None] == expected
    assert generation.reply is not None
    usage = generation.reply.usage
    assert usage.drafted_tokens > 0
    if period == 10**9:
        assert usage.acceptance > 0.9
        assert engine.scheduler.steps < 20, "five tokens in a step"
    if period == 1:
        assert usage.accepted_tokens == 0


async def test_guessing_in_a_batch(folder: Path):
    """Members that accept differently, one of which is cancelled, with prefixes shared and dropped."""
    engine = guessing(folder, 3, limits=Limits(chunk_tokens=50, prefix_bytes=400_000))
    talks = [turns(n) for n in (1, 3, 2, 2)]

    async def run(i: int) -> list[int]:
        generation = engine.generate(talks[i], max_tokens=20 + i, sampling=replace(SAMPLED, seed=i))
        return [e.token async for e in generation if isinstance(e, Piece) and e.token is not None]

    cancelled = asyncio.create_task(engine.reply(turns(4), []))
    together = asyncio.gather(*map(run, range(4)))
    await asyncio.sleep(0.05)
    cancelled.cancel()
    for i, got in enumerate(await together):
        plain = plain_of(engine)
        assert got == tokens(plain, talks[i], 20 + i, sampling=replace(SAMPLED, seed=i))


@pytest.mark.parametrize("guesses", [0, 2])
@pytest.mark.parametrize("sampling", [Sampling(), SAMPLED], ids=["greedy", "sampled"])
@pytest.mark.parametrize("lookups", [1, 4, 7])
def test_what_stood_before_changes_nothing(folder: Path, lookups: int, sampling: Sampling, guesses: int):
    engine = guessing(folder, guesses, lookups=lookups)
    for n in (1, 2, 3):
        assert tokens(engine, turns(n), 30, sampling=sampling) == tokens(
            plain_of(engine), turns(n), 30, sampling=sampling
        )


def test_what_is_repeated_is_written_several_tokens_at_a_time(folder: Path):
    """A network that says one letter for ever, and so is always guessed right."""
    engine = Engine.from_pretrained(folder)
    babble(engine)
    engine.scheduler.lookups = 7
    reply = engine.generate([user("Go")], max_tokens=64, thinking="fast").finish()
    assert reply.text.endswith("a" * 60)
    assert reply.usage.acceptance > 0.9
    assert engine.scheduler.steps < 20


@pytest.mark.parametrize(
    ("ids", "count", "found"),
    [
        ([5, 6, 7, 8, 5, 6], 4, [7, 8, 5, 6]),
        ([5, 6, 7, 8, 5, 6], 1, [7]),
        ([5, 6, 7, 5, 6, 8, 5, 6], 2, [8, 5]),  # the latest place
        ([4, 5, 6, 7, 3, 5, 6, 8, 4, 5, 6], 2, [7, 3]),  # more of the last tokens stood there
        ([6, 7, 8, 6], 3, []),  # one token alone says nothing
        ([5, 5, 5], 3, [5]),
        ([1, 2, 3], 3, []),
        ([1], 3, []),
    ],
)
def test_where_the_last_tokens_stood_before(ids: list[int], count: int, found: list[int]):
    assert looked_up(np.array(ids), count) == found


def test_lookups_are_a_few():
    with pytest.raises(InputError, match="lookups 8 is out of range: give 0 to 7"):
        Engine.from_pretrained("builtin", lookups=8)


def test_a_budget_holds_while_guessing(folder: Path):
    engine = guessing(folder, 4)
    for budget in (0, 1, 5):
        plain = plain_of(engine)
        assert tokens(engine, turns(1), 25, thinking=Thinking("deep", budget)) == tokens(
            plain, turns(1), 25, thinking=Thinking("deep", budget)
        )


def test_the_end_of_a_turn_among_the_guesses(folder: Path):
    """What follows the end is taken back with it."""
    engine = guessing(folder, 4)
    text = [*engine.chat.encode_text("</think>Done."), tiny.IM_END, 5, 5, 5]
    script(engine, "</think>Done." + "<|im_end|>" * 9)
    engine.scheduler._guess = Oracle(text, 10**9)  # type: ignore[method-assign]
    reply = engine.generate([user("Go")]).finish()
    assert (reply.text, reply.finish_reason, reply.usage.answer_tokens) == ("Done.", "stop", 5)


@torch.inference_mode()
def test_the_heads_own_state_equals_one_pass(folder: Path):
    """Prompt in chunks, then rounds of guessing: the head's rows are those of one forward over all."""
    engine = guessing(folder, 3)
    model = engine.model
    assert model.mtp is not None
    prompt = engine.encode([user("Where is it?", picture(1))], [], True)
    prefill = engine.prefill(prompt)
    while not prefill.done:
        prefill.advance(9, engine.pictures, drafts=True)
    snapshot, follow = prefill.snapshot, [7, 8, 9, 10, 11, 12]
    assert snapshot is not None
    assert snapshot.draft is not None
    start, seen = prefill.next_position, []
    for a, b in pairwise((0, 1, 4, 6)):
        snapshot.draft.guess(model, follow[a], 2, lambda logits: seen.append(logits) or int(logits.argmax()))
        ids = torch.tensor([follow[a:b]])
        positions = torch.arange(start + a, start + b).expand(3, 1, -1)
        x, _ = model.embed(ids)
        snapshot.draft.hold(model, x, model.language_model(x, positions, snapshot.cache), positions)
    fresh = engine.prefill(prompt)
    features = fresh._features(0, fresh.length, engine.pictures)
    x, taps = model.embed(
        torch.cat((fresh.ids, torch.tensor([follow])), dim=1)[:, : fresh.length + 6], features
    )
    assert x.shape[1] == fresh.length + 6
    positions = torch.cat((fresh.positions, torch.arange(start, start + 6).expand(3, 1, -1)), dim=-1)
    hidden = model.language_model(x, positions, model.empty_cache(), taps)
    whole = model.logits(model.mtp(x[:, 1:], hidden[:, :-1], positions[..., :-1], [None]))[0]
    for i, at in enumerate((0, 1, 4)):
        assert (seen[2 * i] - whole[fresh.length - 1 + at]).abs().max() < 1e-4


def test_a_model_without_a_head_cannot_guess(folder: Path):
    with pytest.raises(InputError, match="no multi-token prediction head"):
        Engine.from_pretrained(folder, guesses=2)


@pytest.mark.parametrize("guesses", [0, 2])
@pytest.mark.parametrize("seed", range(3))
def test_what_was_written_begins_the_next_prompt(folder: Path, guesses: int, seed: int):
    """The model's own turn is not read again, and what follows is what it would be without that."""
    engine, talk = guessing(folder, guesses), [user(f"Step {seed}", picture(seed))]
    ids = tokens(engine, talk, 20, sampling=replace(SAMPLED, seed=seed))
    prompt = engine.encode(talk, [], thinking=True)
    while engine.scheduler.busy:  # it tells the end of a reply before it lets go of it
        time.sleep(0.001)
    with torch.inference_mode():
        after = replace(prompt, ids=np.concatenate((prompt.ids, ids, (7, 8, 9))))
        ours, fresh = engine.prefill(after), engine.prefill(after)
        ours.resume(engine.prefixes)
        assert len(prompt.ids) + len(ids) - ours.start in (0, 1)  # the last token was fed, or not any more
        logits = ours.run(engine.pictures)
        while not fresh.done:
            fresh.advance(10**6, engine.pictures, drafts=guesses > 0)
        assert fresh.logits is not None
        assert (logits - fresh.logits).abs().max() < 1e-4
        if guesses:
            drafts = [prefill.snapshot.draft for prefill in (ours, fresh) if prefill.snapshot]
            said = [d.guess(engine.model, 5, 2, lambda row: int(row.argmax())) for d in drafts if d]
            assert len(said) == 2
            assert said[0] == said[1]
