"""People around a run: pause, take over, say something, approve, stop; and what they keep secret."""

import asyncio
import json
import queue
import time
from typing import Any

import numpy as np
import pytest
from saccade.agent import Preferences, Reply, Secret, ToolCall, tool
from saccade.agent.events import Asked, Ended, NeedsApproval, Paused, Planned, Resumed, Seen
from saccade.agent.run import Step
from saccade.errors import InputError, SaccadeError
from saccade.tools import Browser

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONG = Preferences((640, 480), "conversation")
PRESS = {"action": "left_click", "coordinate": [500, 250]}
ORDER = {"action": "left_click", "coordinate": [500, 550]}
WAIT = {"action": "wait", "time": 20}
DONE = {"action": "terminate", "status": "success"}
CODE = "hunter2!"


def calls(*arguments: dict) -> Reply:
    return Reply(calls=[ToolCall("computer_use", line) for line in arguments])


async def test_all_events_in_their_order(start):
    agent = await start(
        "/counter", [PRESS, {"action": "ask_user", "text": "Enough?"}], ask_user=lambda _: "yes"
    )
    kinds = []
    async for event in agent.events(max_steps=2):
        kinds.append(type(event))
    assert kinds == [Seen, Planned, Step, Seen, Planned, Asked, Step, Ended]


async def test_leaving_the_events_ends_the_run(start):
    agent = await start("/counter", [PRESS, WAIT])
    events = agent.events()
    async for event in events:
        if isinstance(event, Planned) and event.action.action == "wait":
            break
    start_s = time.monotonic()
    await events.aclose()
    assert time.monotonic() - start_s < 2
    assert agent.result.status == "interrupted"


async def test_stop_ends_at_once_with_a_result(start, tmp_path):
    agent = await start("/counter", [PRESS, WAIT])
    asyncio.get_running_loop().call_later(1.0, agent.stop)
    start_s = time.monotonic()
    run = await agent.run()
    assert time.monotonic() - start_s < 5
    assert (run.status, run.reason, len(run.steps)) == ("interrupted", "the run was stopped", 1)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "interrupted"


async def test_stop_before_the_first_step(start, tmp_path):
    agent = await start("/counter", [PRESS])
    agent.stop()
    with pytest.raises(SaccadeError, match="stopped before its first step"):
        await agent.run()
    assert not (tmp_path / "run").exists()


async def test_take_over(start, browser):
    """A person presses while the run is paused; the model hears of it and goes on from what it sees."""
    agent = await start("/counter", [PRESS, DONE], preferences=LONG, until="n === 3")
    seen = []

    def person(event) -> None:
        seen.append(type(event))
        if isinstance(event, Step) and event.index == 0:
            agent.pause()
        if isinstance(event, Paused):
            task = asyncio.create_task(act())
            seen.append(task)

    async def act() -> None:
        await browser.page.mouse.click(320, 120)
        await browser.page.mouse.click(320, 120)
        agent.resume("I pressed it twice")

    agent.on_event = person
    run = await agent.run()
    assert run.success
    assert Resumed in seen
    assert run.steps[1].told[0].startswith("The user acted in the page meanwhile")
    assert run.steps[1].told[1] == "The user says: I pressed it twice"
    assert "I pressed it twice" in str(agent.model.seen[1])


async def test_a_pause_without_a_hand_in_the_page(start):
    """What the agent itself had just done is no person's doing."""
    agent = await start("/counter", [PRESS, DONE], preferences=LONG)

    def person(event) -> None:
        if isinstance(event, Step) and event.index == 0:
            agent.pause()
        if isinstance(event, Paused):
            asyncio.get_running_loop().call_later(0.1, agent.resume)

    agent.on_event = person
    run = await agent.run()
    assert run.steps[1].told == ("The user paused the run; the page is as before.",)


async def test_a_pause_between_plan_and_action_drops_a_stale_plan(start, browser):
    agent = await start("/counter", [PRESS, DONE])

    def person(event) -> None:
        if isinstance(event, Planned) and event.index == 0:
            agent.pause()
        if isinstance(event, Paused):
            asyncio.get_running_loop().create_task(act())

    async def act() -> None:
        await browser.page.mouse.click(320, 120)
        agent.resume()

    agent.on_event = person
    run = await agent.run()
    assert run.steps[0].error == "the user acted in the page meanwhile: look again"
    assert await browser.evaluate("n") == 1


async def test_only_risky_actions_are_asked_about(start, browser):
    asked = []
    agent = await start(
        "/pay",
        [PRESS, ORDER, DONE],
        ask_before="risky",
        approve=lambda action, seen: asked.append(action) or False,
    )
    events = []
    agent.on_event = events.append
    run = await agent.run()
    assert [action.describe() for action in asked] == ["Click at (500, 550)"]
    assert run.steps[0].error is None
    assert run.steps[1].error == "this action was not approved"
    (needed,) = [event for event in events if isinstance(event, NeedsApproval)]
    assert needed.reason == "spends money (button 'Place order')"
    assert await browser.evaluate("document.title") == "Pay"


async def test_a_refusal_may_say_why(start):
    agent = await start("/counter", [PRESS, DONE], approve=lambda action, seen: "use the keyboard")
    run = await agent.run()
    assert run.steps[0].error == "this action was not approved: use the keyboard"


async def test_everything_may_come_from_another_thread(start, browser):
    """As user interfaces do: the run has a loop of its own, the buttons are somewhere else."""
    agent = await start("/counter", [PRESS] * 50, max_steps=50)
    events: queue.Queue = queue.Queue()
    agent.on_event = events.put

    def wait_for(kind: type) -> Any:
        while not isinstance(event := events.get(timeout=60), kind):
            pass
        return event

    def person() -> list[str]:
        wait_for(Step)
        agent.pause()
        wait_for(Paused)
        quiet = events.empty()
        agent.resume("Go on")
        told: tuple[str, ...] = ()
        while not told:  # the step that was planned before the pause may come first
            told = wait_for(Step).told
        agent.tell("Nearly there")
        agent.stop()
        return [str(quiet), *told]

    run, heard = await asyncio.gather(agent.run(), asyncio.to_thread(person))
    assert heard[0] == "True"
    assert heard[-1] == "The user says: Go on"
    assert (run.status, run.reason) == ("interrupted", "the run was stopped")
    assert 2 <= len(run.steps) < 50


async def test_nothing_risky_is_done_when_nobody_is_there(start, browser):
    run = await (await start("/pay", [ORDER, DONE], ask_before="risky")).run()
    assert "nobody is there" in run.steps[0].error
    assert await browser.evaluate("document.title") == "Pay"


async def test_enter_in_a_form_with_a_password_is_risky(start):
    focus = {"action": "left_click", "coordinate": [500, 150]}
    enter = {"action": "key", "keys": ["Enter"]}
    run = await (await start("/pay", [focus, enter, DONE], ask_before="risky")).run()
    assert "submits a form with a card or a password" in run.steps[1].error


async def test_several_calls_in_one_reply(start, browser):
    fields = [
        {"action": "type", "text": word, "coordinate": [500, y]}
        for word, y in zip(("one", "two", "three"), (100, 300, 500), strict=True)
    ]
    agent = await start("/three", [calls(*fields), DONE], preferences=LONG)
    run = await agent.run()
    assert [step.continues for step in run.steps] == [False, True, True, False]
    assert await browser.evaluate("[f0.value, f1.value, f2.value]") == ["one", "two", "three"]
    roles = [message["role"] for message in agent.model.seen[1]]
    assert roles == ["user", "assistant", "tool", "tool", "tool"]
    assert len(agent.model.seen[1][1]["tool_calls"]) == 3
    assert run.usage.prompt_tokens == 10


async def test_further_calls_stop_at_the_first_visible_change(start):
    go = {"action": "left_click", "coordinate": [500, 700]}
    field = {"action": "type", "text": "late", "coordinate": [500, 100]}
    agent = await start("/three", [calls(go, field, field), DONE], preferences=LONG)
    run = await agent.run()
    assert [step.describe() for step in run.steps] == ["Click at (500, 700)", "Finish: success"]
    assert "2 further calls of that reply were not done" in str(agent.model.seen[1])


async def test_a_secret_reaches_the_page_and_nothing_else(start, browser, site, tmp_path):
    """Typed into a plain field, where the page shows it: masked in every picture."""
    script = [
        {"action": "type", "text": "{{code}}", "coordinate": [500, 150]},
        {"action": "answer", "text": "typed"},
    ]
    secrets = {"code": Secret(CODE, (site.removeprefix("http://"),))}
    agent = await start("/pay", script, preferences=LONG, secrets=secrets)
    run = await agent.run()
    assert run.success, run.errors
    assert await browser.evaluate("user.value") == CODE
    written = [path.read_text() for path in (tmp_path / "run").iterdir() if path.suffix != ".png"]
    assert CODE not in "".join(written) + str(agent.model.seen)
    assert "{{code}} on 127.0.0.1" in str(agent.model.seen[0])
    box = await browser.evaluate(
        "(({x, y, width, height}) => [x, y, width, height])(user.getBoundingClientRect())"
    )
    x, y, width, height = (round(value) for value in box)
    field = np.asarray(run.steps[1].screenshot)[y + 2 : y + height - 2, x + 2 : x + width - 2]
    assert (field == (40, 44, 52)).all()


async def test_a_secret_is_not_typed_elsewhere(start, browser):
    script = [{"action": "type", "text": "{{code}}", "coordinate": [500, 150]}, DONE]
    run = await (await start("/pay", script, secrets={"code": Secret(CODE, ("shop.example",))})).run()
    assert "belongs to shop.example" in run.steps[0].error
    assert await browser.evaluate("user.value") == ""


async def test_a_secret_that_nothing_could_keep(start):
    with pytest.raises(InputError, match="the secret 'pin' needs"):
        await start("/pay", [DONE], secrets={"pin": Secret("1", ("shop.example",))})


@tool
async def title_of(browser: Browser) -> dict:
    """The page's title."""
    return {"title": await browser.evaluate("document.title")}


@tool
def divide(a: float, b: float) -> float:
    """Divide a by b."""
    return a / b


async def test_tools_of_the_user(start):
    def use(name: str, **arguments) -> Reply:
        return Reply(calls=[ToolCall(name, arguments)])

    script = [use("title_of"), use("divide", a="1", b=0), use("divide", a="one"), use("multiply", a=1), DONE]
    agent = await start("/counter", script, preferences=LONG, tools=[title_of, divide])
    run = await agent.run()
    assert run.steps[0].result == '{"title": "Counter"}'
    assert [step.error for step in run.steps[1:4]] == [
        "divide: float division by zero",
        "divide: a: Input should be a valid number, unable to parse string as a number",
        "there is no function 'multiply': use one of computer_use, note, title_of, divide",
    ]
    assert '{"title": "Counter"}' in str(agent.model.seen[1])
