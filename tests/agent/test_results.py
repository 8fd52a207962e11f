"""What a run comes to: typed output, the page's conditions, an independent look."""

import pytest
from pydantic import BaseModel
from saccade.agent import Agent, Preferences, Reply, Run, ScriptedModel, ToolCall, Usage
from saccade.errors import InputError

LOOPS = pytest.mark.asyncio(loop_scope="module")

LONG = Preferences((640, 480), "conversation")
PRESS = {"action": "left_click", "coordinate": [500, 250]}
DONE = {"action": "terminate", "status": "success"}


class Price(BaseModel):
    """A price with its currency."""

    amount: float
    currency: str = "EUR"


def call(name: str, **arguments) -> Reply:
    return Reply(calls=[ToolCall(name, arguments)], usage=Usage(10, 0, 0, 5))


def judge(*verdicts: dict) -> ScriptedModel:
    return ScriptedModel([call("verdict", **verdict) for verdict in verdicts])


@LOOPS
async def test_output_of_the_users_type(start):
    agent = await start("/counter", [PRESS, call("finish", amount="4.5", evidence_step=1)], output=Price)
    run = await agent.run()
    assert run.success
    assert run.output == Price(amount=4.5)
    assert run.evidence == run.steps[0]
    assert Run.load(run.folder, output=Price).output == Price(amount=4.5)


@LOOPS
async def test_output_that_does_not_fit_is_asked_for_again(start):
    script = [
        call("finish", amount="cheap"),
        {"action": "answer", "text": "about five euros"},
        {"action": "answer", "text": '{"amount": 5}'},
    ]
    run = await (await start("/counter", script, output=Price)).run()
    assert run.output == Price(amount=5)
    assert "amount: Input should be a valid number" in run.steps[0].error
    assert "call finish with its fields" in run.steps[1].error


@LOOPS
async def test_an_answer_names_its_evidence(start):
    run = await (await start("/counter", [PRESS, {"action": "answer", "text": "1"}])).run()
    assert run.evidence == run.steps[1]


@LOOPS
async def test_a_second_look_that_agrees(start):
    checker = judge({"success": True, "reason": "it says 1", "evidence_step": 2})
    agent = await start("/counter", [PRESS, {"action": "answer", "text": "1"}], verify=checker)
    run = await agent.run()
    assert (run.success, run.verified, run.evidence) == (True, True, run.steps[1])
    assert run.checks == Usage(10, 0, 0, 5)
    content = checker.seen[0][0]["content"]
    assert content[0] == {"type": "text", "text": "The task was: Press it"}
    assert len([part for part in content if part["type"] == "image"]) == 3
    assert Run.load(run.folder).verified is True


@LOOPS
async def test_a_second_look_that_disagrees_is_told_and_then_ends_it(start):
    no = {"success": False, "reason": "the counter says 0"}
    agent = await start("/counter", [DONE, PRESS, DONE], preferences=LONG, verify=judge(no, no))
    run = await agent.run()
    assert (run.status, run.verified, len(run.steps)) == ("failure", False, 3)
    assert "the counter says 0" in str(agent.model.seen[1])


@LOOPS
async def test_a_rejected_claim_may_be_made_good(start):
    verdicts = judge(
        {"success": "false", "reason": "not pressed"}, {"success": "true", "reason": "it says 1"}
    )
    run = await (await start("/counter", [DONE, PRESS, DONE], verify=verdicts)).run()
    assert (run.success, run.verified, len(run.steps)) == (True, True, 3)


@LOOPS
async def test_a_look_without_a_verdict_leaves_it_open(start):
    run = await (await start("/counter", [DONE], verify=ScriptedModel(["Hm."]))).run()
    assert (run.success, run.verified) == (True, None)


@LOOPS
@pytest.mark.parametrize("condition", ["css=#b", "text=1", "url=*/counter", "n > 0"])
async def test_conditions_that_hold(start, condition):
    run = await (await start("/counter", [PRESS, PRESS], until=condition)).run()
    assert (run.success, len(run.steps)) == (True, 1)


@LOOPS
@pytest.mark.parametrize("condition", ["css=.none", "text=twenty", "url=*/form"])
async def test_conditions_that_do_not_hold_overrule_the_model(start, condition):
    run = await (await start("/counter", [DONE], until=condition)).run()
    assert run.status == "failure"


@LOOPS
async def test_a_condition_that_is_no_selector(start):
    run = await (await start("/counter", [PRESS], until="css=##")).run()
    assert run.status == "error"
    assert "no selector" in run.reason


@LOOPS
async def test_a_run_comes_back_from_its_folder(start):
    run = await (await start("/counter", [PRESS, "gibberish", {"action": "answer", "text": "1"}])).run()
    again = Run.load(run.folder)
    assert again == run
    assert Run.from_dict(run.to_dict(steps=True)) == run
    assert again.history == run.history
    assert again.errors == ["step 2: no action found in the reply"]
    assert len(again.urls) == 1
    assert again.cost(input=1.0, output=2.0, cached=0.5) == pytest.approx(42e-6)


@LOOPS
async def test_a_run_can_be_plotted(start, tmp_path):
    pytest.importorskip("matplotlib")
    run = await (await start("/counter", [PRESS, DONE])).run()
    assert run.plot(tmp_path / "run.png").stat().st_size > 10_000


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(InputError, match="no run in"):
        Run.load(tmp_path)
    with pytest.raises(InputError, match="no run in"):
        Agent.from_run(tmp_path)
