"""Many callers, one network: together as alone, in turn, and none the worse for another's errors."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest
import torch
from saccade.errors import CapacityError, ContextError, QueueFullError
from saccade.model import scheduler as scheduler_module
from saccade.model.engine import Action, Done, Engine, Limits, Piece
from saccade.model.sampling import Sampling

from .conftest import Pair
from .talk import babble, picture, script, tokens, turns, user, written


@pytest.fixture
def engine(hybrid: Pair) -> Engine:
    return Engine.from_pretrained(hybrid.folder, limits=Limits(chunk_tokens=40))


def alone(engine: Engine) -> Engine:
    """The same network with nothing cached."""
    return Engine(engine.model, engine.chat, engine.processor)


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@pytest.fixture
def widths(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many sequences shared each decoding step."""
    seen: list[int] = []
    step = scheduler_module.Batches.step
    monkeypatch.setattr(
        scheduler_module.Batches, "step", lambda s, g, spare: seen.append(len(g)) or step(s, g, spare)
    )
    return seen


async def test_batched_equals_single(pair: Pair, widths: list[int]):
    engine = Engine.from_pretrained(pair.folder, limits=Limits(chunk_tokens=40))
    talks = [turns(n, f"Agent {n}. " * n) for n in (1, 3, 2, 4)]
    settings = [Sampling(), Sampling(1.0, seed=1), Sampling(), Sampling(1.3, top_k=9, seed=2)]
    lengths = (40, 9, 25, 33)

    async def run(i: int) -> list[int]:
        generation = engine.generate(talks[i], max_tokens=lengths[i], sampling=settings[i])
        return [e.token async for e in generation if isinstance(e, Piece) and e.token is not None]

    together = await asyncio.gather(*map(run, range(4)))
    assert max(widths) > 1
    for i in range(4):
        assert together[i] == tokens(alone(engine), talks[i], lengths[i], sampling=settings[i])


def test_a_long_prompt_does_not_stall_the_others(engine: Engine):
    """Stepped by hand: a token in every step, while the other prompt is read."""
    babble(engine)
    scheduler, chunks = engine.scheduler, 0
    scheduler._thread = threading.current_thread()
    writing = engine.generate([user("Go")], max_tokens=70, thinking="fast")
    reading = engine.generate([user("x" * 2000)], max_tokens=1)
    writing._begin(lambda signal: None, True)
    (sequence,) = writing._sequences
    while not sequence.ids:
        scheduler.step()
    reading._begin(lambda signal: None, False)
    (prompt,) = reading._sequences
    while not prompt.prefill.done:
        written, chunks = len(sequence.ids), chunks + 1
        scheduler.step()
        assert len(sequence.ids) == written + 1
    assert chunks >= 2000 / 40
    while scheduler.busy:
        scheduler.step()
    assert len(sequence.ids) == 70


async def test_events_tell_all(engine: Engine):
    script(engine, 'Hm.\n</think>\n\nI go.<tool_call>{"name": "f", "arguments": {"a": 1}}</tool_call>')
    events = [event async for event in engine.generate([user("Go", picture(1))], logprobs=True)]
    pieces = [event for event in events if isinstance(event, Piece)]
    assert "".join(piece.text for piece in pieces).startswith("Hm.\n</think>\n\nI go.<tool_call>")
    assert {piece.phase for piece in pieces} == {"thinking", "answer"}
    assert all(piece.logprob is not None and piece.logprob < 0 for piece in pieces)
    assert [type(event) for event in events[-2:]] == [Action, Done]
    action, done = events[-2:]
    assert isinstance(action, Action)
    assert isinstance(done, Done)
    assert (action.call.name, action.call.arguments) == ("f", {"a": 1})
    assert done.reply.calls == [action.call]
    assert 0 < done.reply.timings["first_token"] < sum(done.reply.timings.values())


def test_the_queue_is_bounded(hybrid: Pair):
    engine = Engine.from_pretrained(hybrid.folder, limits=Limits(running=1, waiting=2))
    babble(engine)
    first = iter(engine.generate([user("a")]))
    next(first)
    begun = []

    def take_one() -> None:
        pieces = iter(engine.generate([user("b")]))
        begun.append(next(pieces))
        pieces.close()

    threads = [threading.Thread(target=take_one) for _ in range(2)]
    for thread in threads:
        thread.start()
    while len(engine.scheduler._waiting) < 2:
        time.sleep(0.001)
    with pytest.raises(QueueFullError, match="2 requests are waiting"):
        engine.generate([user("c")]).finish()
    first.close()
    for thread in threads:
        thread.join(60)
    assert len(begun) == 2


def test_what_can_never_fit_is_refused(hybrid: Pair):
    engine = Engine.from_pretrained(hybrid.folder, limits=Limits(memory_bytes=10**6))
    with pytest.raises(CapacityError, match=r"1\.\d MiB and the engine may use 976\.6 KiB: lower max_tokens"):
        engine.generate([user("Go")], max_tokens=4000).finish()
    assert len(tokens(engine, [user("Go")])) > 0


async def test_memory_is_shared_out_in_turn(hybrid: Pair, widths: list[int]):
    engine = Engine.from_pretrained(hybrid.folder)
    one = scheduler_module.state_bytes(engine.model, len(engine.encode([user("Go")], [], True).ids) + 12)
    engine.scheduler.memory_bytes = 2 * one
    await asyncio.gather(*(engine.generate([user("Go")], max_tokens=12).result() for _ in range(5)))
    assert max(widths) == 2


def test_too_many_pictures(hybrid: Pair):
    engine = Engine.from_pretrained(hybrid.folder, limits=Limits(pictures=2))
    with pytest.raises(ContextError, match="3 pictures and the engine takes 2"):
        engine.generate([user("Go", *(picture(i) for i in range(3)))]).finish()
    assert tokens(engine, [user("Go", picture(1))])


async def test_cancelling_frees_everything(engine: Engine):
    babble(engine)
    tasks = [asyncio.create_task(engine.reply(turns(n), [])) for n in (1, 2, 3)]
    await until(lambda: len(engine.scheduler._running) == 3)
    joined = engine.scheduler._batches._joined
    for task in tasks[:2]:
        task.cancel()
    results = await asyncio.gather(*tasks[:2], return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    await until(lambda: len(engine.scheduler._running) == 1)
    assert not tasks[2].done()
    tasks[2].cancel()
    await asyncio.gather(tasks[2], return_exceptions=True)
    await until(lambda: not engine.scheduler.busy)
    assert not joined
    assert not engine.scheduler._waiting


async def test_an_error_ends_its_own_request_alone(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    expected = tokens(alone(engine), [user("Go")])
    original = engine.model.encode_images

    def broken(*arguments):
        raise torch.OutOfMemoryError("no memory for this picture")

    monkeypatch.setattr(engine.model, "encode_images", broken)
    good, bad = await asyncio.gather(
        engine.generate([user("Go")], max_tokens=12).result(),
        engine.generate([user("Go", picture(5))], max_tokens=12).result(),
        return_exceptions=True,
    )
    assert isinstance(bad, CapacityError)
    assert not isinstance(good, BaseException)
    assert good.text + good.thought
    monkeypatch.setattr(engine.model, "encode_images", original)
    assert tokens(engine, [user("Go")]) == expected
    assert tokens(engine, [user("Go", picture(5))])


def test_the_worker_ends_when_idle(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scheduler_module, "IDLE_S", 0.05)
    first = tokens(engine, [user("Go")])
    worker = engine.scheduler._thread
    assert worker is not None
    worker.join(60)
    assert engine.scheduler._thread is None
    assert tokens(engine, [user("Go")]) == first


def test_stop_strings_end_the_reply_and_are_no_part_of_it(engine: Engine):
    script(engine, "</think>One two three")
    generation = engine.generate([user("Go")], stop=["wo th", "never"])
    text = "".join(piece.text for piece in generation)
    assert text.endswith("One t")
    assert generation.reply is not None
    assert (generation.reply.text, generation.reply.finish_reason) == ("One t", "stop")


def test_text_that_was_held_back_is_not_lost(engine: Engine):
    script(engine, "</think>One tw")
    generation = engine.generate([user("Go")], stop=["two"])
    assert "".join(piece.text for piece in generation).endswith("One tw")


def test_a_batch_gives_everyone_his_own_logprobs(engine: Engine):
    generation = engine.generate([user("Go")], max_tokens=3, logprobs=True)
    given = [piece.logprob for piece in generation]
    prompt = engine.encode([user("Go")], [], True)
    with torch.inference_mode():
        expected = engine.prefill(prompt).run(engine.pictures).log_softmax(-1).max()
    assert given[0] == pytest.approx(float(expected), abs=1e-4)
    assert written(engine.generate([user("Go")], max_tokens=3)) == tokens(engine, [user("Go")], 3)


def test_python_ends_cleanly_in_the_middle_of_a_reply(hybrid: Pair):
    code = (
        "from saccade.model.engine import Engine\n"
        f"engine = Engine.from_pretrained({str(hybrid.folder)!r}, threads=1)\n"
        "pieces = iter(engine.generate([{'role': 'user', 'content': 'Go'}], max_tokens=4000))\n"
        "next(pieces)\n"
        "kept = pieces  # still being written when Python ends\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
