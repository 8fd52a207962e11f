"""The loop with a scripted model on real pages in a real browser."""

import asyncio
import json
import time

import pytest
from saccade.agent import Agent, Preferences, Reply, Run, ScriptedModel, ToolCall, Usage
from saccade.errors import BrowserError, CheckpointError, ContextError
from saccade.tools import Browser

PRESS = {"action": "left_click", "coordinate": [500, 250], "thought": "Press the button"}
DEAD = {"action": "left_click", "coordinate": [500, 900], "thought": "Press nothing"}
DONE = {"action": "terminate", "status": "success"}
SMALL = Preferences((640, 480), "snapshot")


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_run_to_success(start, tmp_path):
    agent = await start("/counter", [PRESS, PRESS, DONE], own=True)
    run = await agent.run()
    assert (run.success, run.status, run.answer) == (True, "success", None)
    assert [step.describe() for step in run.steps] == ["Click at (500, 250)"] * 2 + ["Finish: success"]
    assert [step.visible for step in run.steps] == [True, True, False]
    assert run.steps[0].screenshot.size == (640, 480)
    assert run.steps[0].screen != run.steps[1].screen
    assert run.usage == Usage(30, 12, 6, 3)
    assert run.timings.observe > 0
    assert run.timings.act > 0
    assert run.timings.total <= run.seconds
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        *("000.png", "001.png", "002.png"),
        *("journal.jsonl", "run.json"),
    ]
    assert json.loads((tmp_path / "run" / "run.json").read_text())["success"] is True
    assert not agent.browser.started


async def test_the_model_sees_screenshot_and_memory(start):
    agent = await start("/counter", [PRESS, DONE])
    await agent.run()
    image, text = agent.model.seen[1][0]["content"]
    assert image["image"].size == (640, 480)
    assert text["text"] == "Task: Press it\nDone:\n1. Press the button"


async def test_each_line_is_written_before_the_next_step(start, tmp_path):
    agent = await start("/counter", [PRESS, PRESS, DONE])
    async for step in agent.stream():
        lines = (tmp_path / "run" / "journal.jsonl").read_text().splitlines()
        assert len(lines) == step.number
        assert json.loads(lines[-1])["timings"].keys() == {"observe", "vision", "prefill", "decode", "act"}
        assert (tmp_path / "run" / f"{step.index:03d}.png").exists()
    assert agent.result.success


async def test_an_answer_is_success(start):
    run = await (await start("/counter", [{"action": "answer", "text": "42"}])).run()
    assert (run.success, run.answer) == (True, "42")


async def test_giving_up_is_failure(start):
    run = await (await start("/counter", [{"action": "terminate", "status": "failure"}])).run()
    assert (run.success, run.status) == (False, "failure")


async def test_malformed_replies_become_observations(start):
    agent = await start("/counter", ["gibberish", {"action": "teleport"}, PRESS, DONE])
    run = await agent.run()
    assert run.success
    assert run.steps[0].error == "no action found in the reply"
    assert "teleport" in run.steps[1].error
    lines = agent.model.seen[-1][0]["content"][1]["text"].split("\n")
    assert lines[2] == "1. no valid action (failed: no action found in the reply)"


async def test_a_prompt_that_does_not_fit_is_shortened(start):
    """The model's context holds six pictures; nobody had said so."""

    def small_context(messages) -> dict:
        pictures = [part for it in messages for part in it["content"] if part.get("type") == "image"]
        if len(pictures) > 6:
            raise ContextError("seven pictures are too many")
        return PRESS if len(seen) < 9 else DONE

    agent = await start("/counter", small_context, preferences=Preferences((640, 480), "conversation"))
    seen = agent.model.seen
    run = await agent.run()
    assert run.success, run.reason
    assert len(run.steps) >= 8


async def test_malformed_replies_in_a_row_end_the_run(start):
    run = await (await start("/counter", lambda messages: "gibberish")).run()
    assert run.status == "failure"
    assert len(run.steps) == 3
    assert "3 replies in a row" in run.reason


async def test_only_the_first_call_counts(start):
    calls = [ToolCall("computer_use", {"action": "answer", "text": word}) for word in ("one", "two")]
    run = await (await start("/counter", [Reply(calls=calls)])).run()
    assert run.answer == "one"


async def test_a_loop_is_noted_and_then_stopped(start):
    agent = await start("/dead", lambda messages: DEAD, preferences=Preferences((640, 480), "conversation"))
    run = await agent.run()
    assert run.status == "failure"
    assert "stuck" in run.reason
    assert [bool(step.note) for step in run.steps] == [False, False, True, True, True]
    assert "Try something else" in agent.model.seen[-1][-1]["content"][0]["text"]


async def test_the_limit_of_steps(start):
    run = await (await start("/counter", lambda messages: PRESS)).run(max_steps=2)
    assert (run.status, len(run.steps)) == ("limit", 2)


async def test_the_limit_of_tokens(start):
    run = await (await start("/counter", lambda messages: PRESS, max_tokens=20)).run()
    assert (run.status, len(run.steps)) == ("limit", 2)
    assert "tokens" in run.reason


async def test_the_page_has_the_last_word(start):
    run = await (await start("/counter", [PRESS, PRESS, PRESS], until="n === 2")).run()
    assert (run.success, len(run.steps)) == (True, 2)
    assert run.final_path.name == "final.png"


async def test_the_page_overrules_the_model(start):
    async def pressed_twice(page) -> bool:
        return await page.evaluate("n") == 2

    run = await (await start("/counter", [PRESS, DONE], until=pressed_twice)).run()
    assert (run.success, run.status) == (False, "failure")
    assert "the page does not" in run.reason


async def test_a_condition_that_throws_does_not_hold_yet(start):
    run = await (await start("/counter", [PRESS], until="document.querySelector('#none').textContent")).run()
    assert (run.status, len(run.steps)) == ("failure", 2)


async def test_a_condition_that_is_no_javascript(start):
    run = await (await start("/counter", [PRESS], until="n ===")).run()
    assert run.status == "error"
    assert "no JavaScript" in run.reason


async def test_a_question_without_a_user(start):
    run = await (await start("/form", [{"action": "ask_user", "text": "Which size?"}])).run()
    assert (run.status, run.reason) == ("needs_user", "Which size?")


async def test_a_question_with_a_user(start):
    agent = await start(
        "/form", [{"action": "ask_user", "text": "Which size?"}, DONE], ask_user=lambda _: "large"
    )
    run = await agent.run()
    assert run.success
    assert "the user answers: large" in agent.model.seen[1][0]["content"][1]["text"]


async def test_a_denied_action_is_an_observation(start):
    async def never(action, observation) -> bool:
        return action.action == "terminate"

    run = await (await start("/counter", [PRESS, DONE], approve=never)).run()
    assert run.success
    assert run.steps[0].error == "this action was not approved"
    assert run.steps[0].effect is None


async def test_on_step_sees_each_step(start):
    seen = []
    await (await start("/counter", [PRESS, DONE], on_step=seen.append)).run()
    assert [step.index for step in seen] == [0, 1]


async def test_scrubbed_text_reaches_no_file(start, tmp_path):
    script = [{"action": "type", "coordinate": [500, 250], "text": "hunter2"}, DONE]
    await (await start("/form", script, scrub=lambda text: text.replace("hunter2", "***"))).run()
    files = [path for path in (tmp_path / "run").iterdir() if path.suffix != ".png"]
    assert "hunter2" not in "".join(path.read_text() for path in files)


async def test_a_running_browser_stays_open_and_as_it_is(start, browser):
    run = await (
        await start("/counter", [PRESS, DONE], preferences=Preferences((800, 600), "snapshot"))
    ).run()
    assert run.steps[0].screenshot.size == (640, 480)
    assert browser.started


async def test_several_agents_in_one_browser(browser, site, tmp_path):
    """At once, each with cookies and pages of its own."""

    async def one(name: str, presses: int) -> tuple[Run, str]:
        own = Browser(f"{site}/counter", (640, 480), share=browser)
        async with own:
            await own.evaluate("name => { document.cookie = `who=${name}` }", name)
            script = [*[PRESS] * presses, DONE]
            run = await Agent("Press it", ScriptedModel(script, SMALL), own, out=tmp_path / name).run()
            return run, await own.evaluate("document.cookie + ' ' + b.textContent")

    ends = await asyncio.gather(one("ada", 2), one("eve", 4), one("kim", 3))
    assert [run.status for run, _ in ends] == ["success"] * 3
    assert [state for _, state in ends] == ["who=ada 2", "who=eve 4", "who=kim 3"]


async def test_the_browser_starts_while_the_model_loads(site, tmp_path):
    """And what a failing model leaves behind is closed."""
    browser, seen = Browser(f"{site}/counter"), []

    def load() -> ScriptedModel:
        for _ in range(200):
            if browser._prepared:
                break
            time.sleep(0.05)
        seen.append(browser._prepared is not None)
        return ScriptedModel([DONE], SMALL)

    run = await Agent("Press it", load, browser, out=tmp_path / "run").run()
    assert seen == [True]
    assert run.steps[0].screenshot.size == (640, 480)

    def fail() -> ScriptedModel:
        raise CheckpointError("no such model")

    with pytest.raises(CheckpointError):
        await Agent("Press it", fail, browser, out=tmp_path / "other").run()
    assert browser._prepared is None
    assert not (tmp_path / "other").exists()


async def test_a_page_that_cannot_be_opened_leaves_nothing(tmp_path):
    with pytest.raises(BrowserError, match="cannot open"):
        await Agent("t", ScriptedModel([DONE]), Browser("http://127.0.0.1:9/"), out=tmp_path / "run").run()
    assert list(tmp_path.iterdir()) == []


async def test_a_browser_that_dies_is_an_error_of_the_run(start):
    agent = await start("/counter", lambda messages: PRESS, own=True)
    async for step in agent.stream():
        if step.index == 0:
            await agent.browser.close()
    assert agent.result.status == "error"
    assert len(agent.result.steps) == 1


async def test_an_interrupted_run_is_written_down(start, tmp_path):
    asked = asyncio.Event()

    def wait_long(messages) -> dict:
        asked.set()
        return {"action": "wait", "time": 20}

    agent = await start("/counter", wait_long, own=True)
    task = asyncio.create_task(agent.run())
    await asked.wait()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "interrupted"
    assert not agent.browser.started


async def test_a_failing_model_is_written_down_and_raised(start, tmp_path):
    def fail(messages):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await (await start("/counter", fail)).run()
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "error"
