"""What the engine writes under a grammar: one valid action, after a thought within its budget."""

from dataclasses import replace

import pytest
import torch
from pydantic import BaseModel
from saccade.errors import InputError
from saccade.model.engine import Engine, Piece, Thinking
from saccade.model.sampling import Sampling
from saccade.tools.actions import computer_use_schema, parse_action

from .conftest import Pair
from .talk import babble, picture, tokens, user
from .test_speculation import guessing

TOOLS = [computer_use_schema()]
WILD = Sampling(temperature=1.5, seed=0)


class Answer(BaseModel):
    price: int
    sold_out: bool


@pytest.fixture
def engine(hybrid: Pair) -> Engine:
    return roomy(Engine.from_pretrained(hybrid.folder))


def roomy(engine: Engine) -> Engine:
    """Byte by byte, the tools alone fill the context of the tiny checkpoint."""
    engine.max_context = 10_000
    return engine


@pytest.mark.parametrize("mode", ["fast", "deep"])
@pytest.mark.parametrize("guesses", [0, 3])
def test_noise_is_a_valid_action(hybrid: Pair, guesses: int, mode: str):
    """A random network, at high temperature: what it writes parses, and `transformers` has no say in it."""
    engine = guessing(hybrid.folder, guesses) if guesses else Engine.from_pretrained(hybrid.folder)
    plain, finished = roomy(Engine(engine.model, engine.chat, engine.processor)), 0
    roomy(engine)
    for seed in range(3):
        options = {"thinking": Thinking(mode, 20), "sampling": replace(WILD, seed=seed)}  # type: ignore[arg-type]
        generation = engine.generate([user("Go", picture(seed))], TOOLS, max_tokens=500, **options)
        pieces = [piece for piece in generation if piece.token is not None]
        reply = generation.reply
        assert reply is not None
        if reply.finish_reason == "length":
            continue  # an endless text, as noise may write
        finished += 1
        (call,) = reply.calls
        parse_action(call.name, call.arguments)
        assert (reply.thinking.mode, bool(reply.thought)) == (mode, mode == "deep")
        assert reply.usage.thinking_tokens == sum(piece.phase == "thinking" for piece in pieces)
        assert reply.usage.answer_tokens == sum(piece.phase == "answer" for piece in pieces)
        again = plain.generate([user("Go", picture(seed))], TOOLS, max_tokens=500, **options)
        assert [p.token for p in again if p.token is not None] == [piece.token for piece in pieces]
    assert finished


@pytest.mark.parametrize("budget", [0, 16, 256])
def test_who_would_think_for_ever_acts(engine: Engine, budget: int):
    babble(engine)
    reply = engine.generate([user("Go")], TOOLS, thinking=Thinking("deep", budget), max_tokens=600).finish()
    closing = 120  # bytes of the closing sentence and its tag, each a token here
    assert reply.usage.thinking_tokens <= budget + closing
    assert reply.thinking.closed_by == ("repetition" if budget > 48 else "budget")
    assert reply.finish_reason == "length" or len(reply.calls) == 1


def test_forced_text_costs_no_steps(engine: Engine):
    written = tokens(engine, [user("Go")], 400, tools=TOOLS, thinking="fast", sampling=WILD)
    assert engine.scheduler.steps < 0.8 * len(written)


def test_answers_by_schema(engine: Engine):
    for seed in range(5):
        settings = replace(WILD, seed=seed)
        generation = engine.generate([user("Go")], schema=Answer, sampling=settings, thinking="fast")
        reply = generation.finish()
        if reply.finished:
            Answer.model_validate_json(reply.text)


def test_a_tool_may_be_named_or_left(engine: Engine):
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    reply = engine.generate([user("Go")], [*TOOLS, tool], tool_choice="f", thinking="fast").finish()
    assert [(call.name, call.arguments) for call in reply.calls] == [("f", {})]
    free = engine.generate([user("Go")], [tool], tool_choice="none", thinking="fast", max_tokens=30).finish()
    assert free.calls == []
    with pytest.raises(InputError):
        engine.generate([user("Go")], [tool], tool_choice="g").finish()


def sharpen(engine: Engine, factor: float) -> None:
    """Make every choice clearer or vaguer, without changing which is the likeliest."""
    original = engine.model.logits
    engine.model.logits = lambda hidden: original(hidden) * factor  # type: ignore[method-assign]


async def test_auto_thinks_only_when_unsure(engine: Engine):
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {
        "n": {"type": "integer", "minimum": 0, "maximum": 99}}, "required": ["n"]}}}  # fmt: skip
    thinking = Thinking("auto", 10)
    sharpen(engine, 1000)
    sure = engine.generate([user("Go")], [tool], thinking=thinking)
    events = [event async for event in sure]
    assert sure.reply is not None
    report = sure.reply.thinking
    assert (report.mode, report.tried_tokens, sure.reply.usage.thinking_tokens) == ("auto", 0, 0)
    assert report.minimum is not None
    assert report.minimum > 0.5
    assert len(sure.reply.calls) == 1
    assert "".join(e.text for e in events if isinstance(e, Piece)).strip().startswith("<tool_call>")
    sharpen(engine, 1e-6)
    unsure = await engine.reply([user("Go")], [tool], thinking=thinking)
    assert unsure.thinking.tried_tokens > 0
    assert unsure.thinking.mean is not None
    assert unsure.thinking.mean < 0.5
    assert unsure.usage.thinking_tokens > 0
    assert unsure.usage.cached_tokens > 0, "the prompt was read for the first try"
    assert len(unsure.calls) == 1


async def test_auto_can_be_cancelled_in_either_half(engine: Engine):
    sharpen(engine, 1e-6)
    for pieces in (1, 40):
        generation = engine.generate([user("Go")], TOOLS, thinking=Thinking("auto"), max_tokens=60)
        seen = 0
        async for event in generation:
            seen += isinstance(event, Piece)
            if seen == pieces:
                generation.stop()
        assert generation.reply is not None
    assert torch.is_tensor(engine.prefill(engine.encode([user("Go")], [], True)).run(engine.pictures))
