"""Runs that go on unwatched: several watchers, hands on the page, approval, questions, the end."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
import pytest_asyncio
from saccade.agent import Agent, Secret
from saccade.errors import InputError
from saccade.tools import Browser
from saccade.tools.actions import Key, LeftClick, Type
from saccade.ui.desk import Defaults, Desk, Order
from saccade.ui.liverun import LiveRun, deed
from saccade.ui.registry import Registry

from .conftest import ASK, DELETE, DONE, PRESS, WAIT

LOOPS = pytest.mark.asyncio(loop_scope="module")
Start = Callable[..., LiveRun]


@pytest_asyncio.fixture(loop_scope="module")
async def registry() -> AsyncIterator[Registry]:
    registry = Registry()
    yield registry
    await asyncio.to_thread(registry.close)


@pytest.fixture
def start(registry: Registry, site: str, script, tmp_path) -> Start:
    def start(*lines: dict, **settings) -> LiveRun:
        settings = {"out": tmp_path / "run", **settings}
        agent = Agent("Count", script(*lines), Browser(site), **settings)
        return registry.start(agent, "me")

    return start


async def until(live: LiveRun, *phases: str) -> None:
    async def wait() -> None:
        async for _ in live.watch():
            if live.phase in phases:
                return

    await asyncio.wait_for(wait(), 90)


async def told(live: LiveRun) -> list[str]:
    await until(live, "ended")
    return [text for step in live.steps for text in step.told]


@LOOPS
async def test_two_watch_the_same_run(start: Start, registry: Registry, tmp_path):
    live = start(PRESS, DONE)

    async def kinds(after: int = 0) -> list[str]:
        return [event["event"] async for event in live.events(after)]

    first, second = await asyncio.gather(kinds(), kinds(2))
    assert first == ["seen", "planned", "step", "seen", "planned", "step", "ended"]
    assert second == first[2:]
    assert live.result is not None
    assert live.result.answer == "one"
    assert json.loads((tmp_path / "run" / "run.json").read_text())["spec"].endswith(".jsonl")
    assert registry.of("me") == [live]
    assert registry.of("you") == []
    registry.forget(live.id)
    with pytest.raises(InputError, match="there is no run"):
        registry.get(live.id)


@LOOPS
async def test_hands_on_the_page_and_on_it_goes(start: Start):
    live = start(PRESS, {**WAIT, "time": 1}, DONE)
    with pytest.raises(InputError, match="pause it first"):
        await live.act(LeftClick(coordinate=(500, 250)))
    live.pause()
    await until(live, "paused")
    assert await live.act(LeftClick(coordinate=(500, 600))) is None
    before = live.frame
    assert await live.act(Type(text="my password")) is None
    assert before is not None
    assert live.frame is not None
    assert live.frame.image.tobytes() != before.image.tobytes()
    live.resume("Go on")
    heard = await told(live)
    assert any("the user acted" in text.lower() for text in heard)
    assert "The user says: I did this in the page myself: left click at [500, 600], typed text." in heard
    assert "The user says: Go on" in heard
    assert "my password" not in json.dumps([step.to_dict() for step in live.steps])


@LOOPS
async def test_a_risky_action_waits_for_a_person(start: Start):
    live = start(DELETE, PRESS, DELETE, DONE, ask_before="risky")
    await until(live, "approving")
    assert live.risk is not None
    assert "deletes" in live.risk
    live.approve(False, "Keep the account")
    await until(live, "thinking", "acting")
    await until(live, "approving")
    live.approve(True)
    assert "The user says: Keep the account" in await told(live)
    first, _, third, _ = live.steps
    assert first.error == "this action was not approved"
    assert third.error is None
    assert third.visible


@LOOPS
async def test_a_question_is_answered_with_hands_on_the_page(start: Start):
    live = start(ASK, DONE)
    await until(live, "asking")
    assert live.question == "Which <i>name</i>?"
    await live.act(Key(keys=("Tab",)))
    live.answer("Ada")
    assert await told(live) == ["The user says: I did this in the page myself: pressed Tab."]
    assert live.steps[0].user_reply == "Ada"


@LOOPS
async def test_stop_ends_a_run_that_waits_for_nobody(start: Start):
    live = start(ASK)
    await until(live, "asking")
    live.stop()
    await until(live, "ended")
    assert live.result is not None
    assert live.result.status == "interrupted"


@LOOPS
async def test_only_the_latest_of_the_ended_are_known(
    start: Start, registry: Registry, monkeypatch, tmp_path
):
    monkeypatch.setattr("saccade.ui.registry.KEPT", 1)
    lives = []
    for number in range(3):
        lives.append(start(DONE, out=tmp_path / str(number)))
        await until(lives[-1], "ended")
    assert registry.runs == lives[1:]


@LOOPS
async def test_what_cannot_start_is_one_line(registry: Registry, tmp_path):
    agent = Agent("Go", "/no/such.jsonl", Browser("http://127.0.0.1:9/"), out=tmp_path / "run")
    live = registry.start(agent)
    await until(live, "ended")
    assert live.error is not None
    assert "cannot read the script" in live.error
    assert live.log[-1]["event"] == "error"


@LOOPS
async def test_secrets_reach_neither_thought_nor_log(start: Start):
    line = {**PRESS, "thought": "The code is hunter2!"}
    live = start(line, DONE, secrets={"code": Secret("hunter2!", ("127.0.0.1",))})
    thoughts = {live.thought async for _ in live.watch()}
    assert not any("hunter2!" in thought for thought in thoughts)
    assert "hunter2!" not in json.dumps(live.log)


@LOOPS
async def test_the_builtin_model_is_heard_while_it_thinks(registry: Registry, site: str, tmp_path):
    agent = Agent("Press the button", "builtin", Browser(site), out=tmp_path / "run", max_steps=1)
    live = registry.start(agent)
    thoughts: list[str] = []
    hear = live.hear
    live.hear = lambda thought: (thoughts.append(thought), hear(thought))[1]  # type: ignore[method-assign]
    await until(live, "ended")
    assert live.error is None
    assert len(thoughts) > 3
    assert live.steps[0].thought.strip() == thoughts[-1]


def test_what_was_typed_is_not_told():
    assert deed(Type(text="secret")) == "typed text"
    assert deed(Key(keys=("s",))) == "pressed a key"


@LOOPS
async def test_a_button_pressed_twice_starts_one_run(registry, site, script, tmp_path):
    desk = Desk(Defaults(runs=tmp_path, allow_hosts=(site.split("/")[2],)), registry)
    order = Order("Count", site, "folder", str(script({**WAIT, "time": 1}, DONE)), "fast", 64, "never", 5, "")
    first, again = desk.start(order, "me"), desk.start(order, "me")
    other, hers = desk.start(replace(order, task="Count on"), "me"), desk.start(order, "her")
    assert first is again
    assert len({first.id, other.id, hers.id}) == 3
    for live in (first, other, hers):
        await until(live, "ended")
    later = desk.start(order, "me")
    assert later is not first, "it has ended"
    await until(later, "ended")
