"""The engine's replies: equal to the reference, whatever is cached, and clear when something does not fit."""

import asyncio
import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from saccade.agent.thinking import Budget
from saccade.errors import CheckpointError, ContextError, InputError
from saccade.model import hub
from saccade.model.engine import Engine, Limits, Preferences, Thinking
from saccade.model.sampling import Sampling
from saccade.vision import still
from saccade.vision.still import Still

from . import tiny
from .conftest import Pair
from .talk import picture, script, tokens, turns, user, written


@pytest.fixture(params=["moe", "vl", "dense-tied"])
def folder(request: pytest.FixtureRequest, make_pair) -> Path:
    return make_pair(request.param).folder


@pytest.fixture
def engine(hybrid: Pair) -> Engine:
    return Engine.from_pretrained(hybrid.folder)


def test_greedy_tokens_equal_transformers(pair: Pair):
    engine = Engine.from_pretrained(pair.folder)
    messages = [user("Hello", picture(1), picture(2, 40, 12))]
    prompt = engine.encode(messages, [], True)
    pixels, grid = engine.processor(prompt.images)
    ids = torch.from_numpy(prompt.ids)[None]
    expected = pair.reference.generate(
        ids, attention_mask=torch.ones_like(ids), pixel_values=pixels, image_grid_thw=grid,
        mm_token_type_ids=(ids == tiny.IMAGE).int(), max_new_tokens=12, do_sample=False,
        eos_token_id=[tiny.EOS, tiny.IM_END], pad_token_id=tiny.EOS,
    )  # fmt: skip
    stopped = [
        token for token in expected[0, ids.shape[1] :].tolist() if token not in (tiny.EOS, tiny.IM_END)
    ]
    assert tokens(engine, messages) == stopped


def test_videos_beside_pictures_equal_transformers(pair: Pair):
    engine = Engine.from_pretrained(pair.folder)
    frames = [picture(seed, 20, 28) for seed in range(5)]
    message = user("And this?", picture(7))
    message["content"].insert(0, {"type": "video", "video": frames, "fps": 2})
    prompt = engine.encode([message], [], True)
    (videos, video_grid), (pixels, grid) = (engine.processor([visual]) for visual in prompt.images)
    assert video_grid[0, 0] == 3
    ids = torch.from_numpy(prompt.ids)[None]
    inputs = {"pixel_values_videos": videos, "video_grid_thw": video_grid}
    inputs |= {"pixel_values": pixels, "image_grid_thw": grid}
    kinds = (ids == tiny.IMAGE).int() + 2 * (ids == tiny.VIDEO).int()
    expected = pair.reference.generate(
        ids, attention_mask=torch.ones_like(ids), mm_token_type_ids=kinds, max_new_tokens=12, do_sample=False,
        eos_token_id=[tiny.EOS, tiny.IM_END], pad_token_id=tiny.EOS, **inputs,
    )  # fmt: skip
    ends = (tiny.EOS, tiny.IM_END)
    written = [token for token in expected[0, ids.shape[1] :].tolist() if token not in ends]
    assert tokens(engine, [message]) == written
    assert tokens(engine, [message]) == written, "from the cache"
    moved = {**message, "content": [{"type": "video", "video": frames[::-1]}, *message["content"][1:]]}
    assert tokens(engine, [moved]) == tokens(Engine.from_pretrained(pair.folder), [moved])


def test_cached_equals_uncached(folder: Path):
    """A growing conversation: each reply equals that of an engine that has seen nothing."""
    engine, seen = Engine.from_pretrained(folder), []
    for n in range(1, 6):
        generation = engine.generate(turns(n), max_tokens=8)
        got = written(generation)
        assert generation.reply is not None
        seen.append(generation.reply.usage.cached_tokens)
        fresh = Engine.from_pretrained(folder).generate(turns(n), max_tokens=8)
        assert got == written(fresh)
        assert fresh.reply is not None
        assert fresh.reply.usage.cached_tokens == 0
    assert seen == sorted(seen)
    before = len(engine.encode(turns(4), [], True).ids)
    assert seen[-1] > before - 30, "only the newest turn is computed"


def test_cached_logits_at_every_length(hybrid: Pair):
    """Prefixes that end around the chunk length of 64, where others got the first token wrong."""
    engine = Engine.from_pretrained(hybrid.folder, limits=Limits(chunk_tokens=12))
    for length in (40, 41, 62, 63, 64, 65, 127, 128, 129):
        talk = [user("x" * length), {"role": "assistant", "content": "y"}, user("z")]
        assert tokens(engine, talk[:1]) == tokens(Engine.from_pretrained(hybrid.folder), talk[:1])
        assert tokens(engine, talk) == tokens(Engine.from_pretrained(hybrid.folder), talk)


def test_the_same_prompt_again(engine: Engine):
    first, second = (engine.generate(turns(2), max_tokens=8) for _ in range(2))
    assert written(first) == written(second)
    assert second.reply is not None
    assert second.reply.usage.cached_tokens > 0.8 * second.reply.usage.prompt_tokens


def test_a_common_opening_is_kept_across_snapshots(engine: Engine):
    """Prompts that share only their system turn: from the third on, it is not computed again."""
    cached = []
    for step in range(6):
        talk = [{"role": "system", "content": "Rules. " * 20}, user("Task: buy", picture(step))]
        generation = engine.generate(talk, max_tokens=2)
        generation.finish()
        assert generation.reply is not None
        cached.append(generation.reply.usage.cached_tokens)
    assert cached[:2] == [0, 0]
    assert all(count > 140 for count in cached[2:])


def test_another_picture_is_another_prompt(engine: Engine):
    def talk(seed: int) -> list[dict]:
        return [user("Where?", picture(seed)), {"role": "assistant", "content": "Here."}, user("And?")]

    tokens(engine, talk(1))
    generation = engine.generate(talk(2), max_tokens=12)
    assert written(generation) == tokens(Engine(engine.model, engine.chat, engine.processor), talk(2))
    assert generation.reply is not None
    assert generation.reply.usage.cached_tokens == 0


def test_a_step_looks_at_its_new_picture_alone(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    """Once for its name, where its pixels lie; earlier ones are known, and so is what their turns say."""
    named, read, digest, encode = [], [], still._digest, engine.chat.encode_text
    monkeypatch.setattr(Still, "tobytes", lambda *_: pytest.fail("the pixels are copied"))
    monkeypatch.setattr(still, "_digest", lambda *frames: named.append(frames) or digest(*frames))
    monkeypatch.setattr(engine.chat, "encode_text", lambda text: read.append(text) or encode(text))
    talk = []
    for step in range(4):
        talk.append(user(f"Step {step}", Still.from_array(np.array(picture(step)))))
        named.clear()
        read.clear()
        assert tokens(engine, talk, 2)
        assert named == [(talk[-1]["content"][0]["image"],)]
        assert [f"Step {earlier}" in "".join(read) for earlier in range(step + 1)] == [False] * step + [True]
        talk.append({"role": "assistant", "content": f"I did {step}."})


def test_pictures_behind_the_prefix_are_not_encoded_again(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    engine.pictures.budget_bytes = 0
    encoded = []
    original = engine.model.encode_images
    monkeypatch.setattr(engine.model, "encode_images", lambda *a: encoded.append(a) or original(*a))
    for n in range(1, 5):
        engine.generate(turns(n), max_tokens=1).finish()
    assert len(encoded) == 4


async def test_a_reply_with_a_call(engine: Engine):
    body = "<tool_call>\n<function=f>\n<parameter=at>\n[1, 2]\n</parameter>\n</function>\n</tool_call>"
    script(engine, f"I click é.\n</think>\n\n{body}")
    tool = {"function": {"name": "f", "parameters": {"properties": {"at": {"type": "array"}}}}}
    reply = await engine.reply([user("Go", picture(1))], [tool])
    assert reply.thought == "I click é."
    assert [(call.name, call.arguments) for call in reply.calls] == [("f", {"at": [1, 2]})]
    assert reply.finished
    assert reply.usage.thinking_tokens == len("I click é.\n".encode()) + 1
    assert reply.usage.prompt_tokens == len(engine.encode([user("Go", picture(1))], [tool], True).ids)
    assert set(reply.timings) == {"queue", "vision", "prefill", "decode", "first_token"}
    assert all(seconds > 0 for seconds in reply.timings.values())


async def test_thinking_modes(engine: Engine):
    script(engine, "Done.")
    reply = await engine.reply([user("Go")], [], thinking="fast")
    assert (reply.thought, reply.text, reply.usage.thinking_tokens) == ("", "Done.", 0)
    fast, deep = (engine.encode([user("Go")], [], mode).ids.tolist() for mode in (False, True))
    fast, deep = engine.chat.decode(fast), engine.chat.decode(deep)
    assert fast.endswith("<think>\n\n</think>\n\n")
    assert deep.endswith("<think>\n")
    engine.preferences = Preferences(thinking="fast")
    script(engine, "Done.")
    assert (await engine.reply([user("Go")], [], thinking="auto")).text == "Done."
    with pytest.raises(InputError, match="maximal"):
        await engine.reply([user("Go")], [], thinking="maximal")


@pytest.mark.parametrize("thinking", [Thinking("deep", 5), Budget("deep", 5), Budget("auto", 5)])
def test_a_thinking_budget_closes_the_thought(engine: Engine, thinking: Thinking | str):
    """The engine's own value, or the agent's word for it; "auto" is "deep" to this checkpoint."""
    script(engine, "x" * 5 + "Done.")
    generation = engine.generate([user("Go")], thinking=thinking)
    phases = [(piece.text, piece.phase) for piece in generation]
    assert generation.reply is not None
    assert generation.reply.thought.startswith("xxxxx\n\nConsidering the limited time")
    assert ("</think>", "thinking") in phases
    assert generation.reply.text == "Done."
    assert generation.reply.thinking.closed_by == "budget"
    assert generation.reply.usage.thinking_tokens == sum(phase == "thinking" for _, phase in phases) > 7


def test_a_thinking_budget_never_cuts_a_call(engine: Engine):
    call = (
        "<tool_call>\n<function=f>\n<parameter=text>\n"
        + "long " * 20
        + "\n</parameter>\n</function>\n</tool_call>"
    )
    script(engine, call)
    reply = engine.generate([user("Go")], thinking=Thinking("deep", 10)).finish()
    assert reply.calls[0].arguments == {"text": "long " * 20}


def test_the_token_limit(engine: Engine):
    script(engine, "abcdefgh")
    reply = engine.generate([user("Go")], max_tokens=3).finish()
    assert (reply.thought, reply.finished) == ("abc", False)
    with pytest.raises(InputError):
        engine.generate([user("Go")], max_tokens=0)


def test_a_prompt_that_does_not_fit(engine: Engine):
    engine.max_context = 60
    with pytest.raises(ContextError, match="60"):
        engine.generate([user("x" * 60)]).finish()
    engine.max_context = len(engine.encode([user("x")], [], True).ids) + 2
    assert len(tokens(engine, [user("x")])) <= 2


def test_sampling_is_seeded(engine: Engine):
    settings = [Sampling(temperature=1.5, seed=seed) for seed in (1, 1, 2)]
    first, again, other = (tokens(engine, [user("Go")], sampling=setting) for setting in settings)
    assert first == again != other


def test_pieces_join_to_the_reply(engine: Engine):
    script(engine, "Think 日本\n</think>\n\nAnswer 😀")
    generation = engine.generate([user("Go")])
    pieces = list(generation)
    assert generation.reply is not None
    assert (
        "".join(p.text for p in pieces if p.phase == "answer").strip() == generation.reply.text == "Answer 😀"
    )
    assert generation.reply.thought == "Think 日本"


async def test_the_event_loop_stays_free_and_replies_wait_in_line(engine: Engine):
    ticks, done = 0, asyncio.Event()

    async def tick() -> None:
        nonlocal ticks
        while not done.is_set():
            ticks += 1
            await asyncio.sleep(0.001)

    clock = asyncio.create_task(tick())
    talks = [[user(f"Go {i}", picture(i))] for i in range(3)]
    replies = await asyncio.gather(*(engine.reply(talk, []) for talk in talks))
    done.set()
    await clock
    assert ticks > 10
    alone = Engine(engine.model, engine.chat, engine.processor)
    assert [r.thought for r in replies] == [alone.generate(talk).finish().thought for talk in talks]


async def until_idle(engine: Engine) -> None:
    async with asyncio.timeout(60):
        while engine.scheduler.busy:  # noqa: ASYNC110 (another thread works)
            await asyncio.sleep(0.002)


async def test_a_cancelled_reply_stops(engine: Engine):
    engine.model.logits = lambda hidden: torch.ones(*hidden.shape[:-1], tiny.VOCAB)  # type: ignore[method-assign]
    task = asyncio.create_task(engine.reply([user("Go")], []))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until_idle(engine)


def test_a_reply_stopped_while_it_waits_costs_nothing(engine: Engine):
    generation = engine.generate([user("Go")])
    generation.stop()
    reply = generation.finish()
    assert not reply.finished
    assert reply.usage.prompt_tokens == 0


def test_an_abandoned_iteration_frees_the_engine(engine: Engine):
    pieces = iter(engine.generate([user("Go")]))
    next(pieces)
    pieces.close()
    worker = threading.Thread(target=lambda: tokens(engine, [user("Go")]))
    worker.start()
    worker.join(60)
    assert not worker.is_alive()


def test_it_satisfies_the_agents_protocol(engine: Engine):
    from saccade.agent.protocol import ChatModel

    assert isinstance(engine, ChatModel)
    assert engine.preferences.memory == "conversation"
    assert engine.preferences.viewport is None


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({}, Preferences()),
        ({"viewport": [800, 600], "memory": "snapshot"}, Preferences((800, 600), "snapshot")),
        ({"thinking": "fast", "viewport": None}, Preferences(None, "conversation", "fast")),
    ],
)
def test_preferences(tmp_path: Path, content: dict, expected: Preferences):
    (tmp_path / "saccade.json").write_text(json.dumps(content))
    assert Preferences.from_pretrained(tmp_path) == expected


@pytest.mark.parametrize(
    "content",
    [{"memory": "none"}, {"memory": []}, {"viewport": "800x600"}, {"viewport": [0, 3]}, {"viewports": 1}],
)
def test_preferences_that_are_not_known(tmp_path: Path, content: dict):
    (tmp_path / "saccade.json").write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=r"saccade\.json"):
        Preferences.from_pretrained(tmp_path)


def test_what_cannot_be_loaded(hybrid: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        Engine.from_pretrained(tmp_path / "none")
    monkeypatch.setattr(hub, "BUILTIN", tmp_path)
    with pytest.raises(CheckpointError, match="built-in"):
        Engine.from_pretrained("builtin")
    for device in ("tpu9", "cuda") if not torch.cuda.is_available() else ("tpu9",):
        with pytest.raises(InputError, match=device):
            Engine.from_pretrained(hybrid.folder, device=device)
    folder = Path(shutil.copytree(hybrid.folder, tmp_path / "checkpoint"))
    (folder / "preprocessor_config.json").write_text('{"patch_size": 14}')
    with pytest.raises(CheckpointError, match=r"preprocessor_config\.json"):
        Engine.from_pretrained(folder)


def test_dtypes(hybrid: Pair):
    assert Engine.from_pretrained(hybrid.folder).model.get_parameter("lm_head.weight").dtype == torch.float32
    half = Engine.from_pretrained(hybrid.folder, dtype=torch.bfloat16)
    assert half.generate([user("Go", picture(1))], max_tokens=4).finish().usage.prompt_tokens > 0


def test_sampling_by_mode(hybrid: Pair, tmp_path: Path):
    folder = Path(shutil.copytree(hybrid.folder, tmp_path / "checkpoint"))
    tiny.edit_json(
        folder / "generation_config.json",
        do_sample=True,
        temperature=0.6,
        fast={"temperature": 0.7, "top_p": 0.8},
    )
    engine = Engine.from_pretrained(folder)
    assert engine.sampling == {"fast": Sampling(0.7, top_p=0.8), "deep": Sampling(0.6)}
    generation = engine.generate([user("Go")], thinking="fast", max_tokens=2)
    generation.finish()
    assert [s.sampler.sampling for s in generation._sequences] == [engine.sampling["fast"]]
