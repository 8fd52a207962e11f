"""A run that goes on is as careful as it was: what a person had to approve, a person still has to."""

import pytest
from saccade.agent import Agent, ScriptedModel, Secret

from .conftest import SMALL

LOOPS = pytest.mark.asyncio(loop_scope="module")
LOOK = {"action": "mouse_move", "coordinate": [500, 150]}
ORDER = {"action": "left_click", "coordinate": [500, 550]}
WRITE = {"action": "type", "text": "{{code}}", "coordinate": [500, 150]}
DONE = {"action": "terminate", "status": "success"}


@LOOPS
async def test_approval_is_still_asked_for(start, browser):
    run = await (await start("/pay", [LOOK], ask_before="risky")).run(1)
    assert run.status == "limit"
    again = Agent.from_run(run.folder, ScriptedModel([ORDER, DONE], SMALL), browser=browser, max_steps=5)
    assert again.ask_before == "risky"
    run = await again.run()
    assert "nobody is there" in (run.steps[1].error or "")
    assert await browser.evaluate("document.title") == "Pay"


@LOOPS
async def test_secrets_are_given_anew(start, browser, site):
    run = await (await start("/pay", [LOOK])).run(1)
    secrets = {"code": Secret("hunter2!", (site.removeprefix("http://"),))}
    model = ScriptedModel([WRITE, DONE], SMALL)
    run = await Agent.from_run(run.folder, model, browser=browser, max_steps=5, secrets=secrets).run()
    assert run.success, run.errors
    assert await browser.evaluate("user.value") == "hunter2!"
    assert "hunter2!" not in (run.folder / "journal.jsonl").read_text()
