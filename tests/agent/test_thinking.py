"""How much a step thinks, from evidence; and the second looks that cost a reply."""

import pytest
from saccade.agent import Agent, Preferences, Reply, Run, ScriptedModel, ToolCall, Usage
from saccade.agent.thinking import Budget, effort_for

CLICK = {"action": "left_click", "coordinate": [500, 300]}
OTHER = {"action": "left_click", "coordinate": [100, 900]}
DONE_TWICE = {"action": "answer", "text": "done"}
LONG = Preferences((640, 480), "conversation")
LOOPS = pytest.mark.asyncio(loop_scope="module")


def efforts(steps) -> list[tuple[str, int | None, str]]:
    found = [effort_for("auto", steps[:i]) for i in range(len(steps) + 1)]
    return [(str(it.thinking), getattr(it.thinking, "max_tokens", None), it.reason) for it in found]


def test_the_first_step_thinks_and_routine_does_not(make_step):
    steps = [make_step(0, CLICK), make_step(1, OTHER)]
    assert efforts(steps) == [
        ("deep", 1024, "the first step"),
        ("fast", None, "routine"),
        ("fast", None, "routine"),
    ]


def test_a_budget_bounds_every_thought(make_step):
    stuck = [make_step(0, CLICK), *(make_step(i, OTHER, changed=0.0) for i in (1, 2, 3))]
    asked = [effort_for(Budget(mode, 700), steps) for mode in ("deep", "auto") for steps in ([], stuck)]
    assert [(str(it.thinking), getattr(it.thinking, "max_tokens", None)) for it in asked] == [
        ("deep", 700)
    ] * 4
    assert effort_for(Budget("fast", 700), stuck).thinking == "fast"


def test_trouble_thinks_more_each_time(make_step):
    steps = [
        make_step(0, CLICK),
        make_step(1, OTHER, changed=0.0),
        make_step(2, None, error="no action found in the reply"),
        make_step(3, OTHER, changed=0.0),
        make_step(4, CLICK),
    ]
    assert efforts(steps)[2:] == [
        ("deep", 1024, "no visible change"),
        ("deep", 2048, "an error"),
        ("deep", 4096, "no visible change"),
        ("fast", None, "routine"),
    ]


def test_an_unsure_or_repeated_step_thinks(make_step):
    assert efforts([make_step(0, CLICK, confidence=0.2)])[-1] == ("deep", 1024, "low confidence")
    same = [make_step(i, CLICK, screen="same") for i in range(2)]
    assert efforts(same)[-1] == ("deep", 1024, "a repeated action")


def test_a_quiet_action_is_no_trouble(make_step):
    assert efforts([make_step(0, {"action": "wait", "time": 1}, changed=0.0)])[-1][2] == "routine"


def test_asked_modes_are_taken_at_their_word(make_step):
    steps = [make_step(0, CLICK, changed=0.0)]
    assert effort_for("fast", steps).thinking == "fast"
    assert effort_for("deep", []).thinking == "deep"


class Modes(ScriptedModel):
    """Notes the thinking mode of each request."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.modes: list[str] = []

    async def reply(self, messages, tools, thinking="auto") -> Reply:
        self.modes.append(str(thinking))
        return await super().reply(messages, tools, thinking)


def modes_of(agent: Agent, script, preferences: Preferences = LONG) -> Modes:
    agent.model = Modes(script, preferences, Usage(10, 0, 2, 3))
    return agent.model


@LOOPS
async def test_modes_of_a_run_and_what_each_cost(start):
    agent = await start("/counter", [])
    dead = {"action": "left_click", "coordinate": [500, 900]}
    press = {"action": "left_click", "coordinate": [500, 250]}
    model = modes_of(agent, [press, dead, dead, {"action": "terminate", "status": "success"}])
    run = await agent.run()
    assert model.modes == ["deep", "fast", "fast", "deep"]
    assert {mode: (it.steps, it.tokens) for mode, it in run.by_thinking.items()} == {
        "deep": (2, 10),
        "fast": (2, 10),
    }


@LOOPS
async def test_a_snapshot_model_thinks_as_it_was_trained(start):
    agent = await start("/counter", [])
    model = modes_of(agent, [{"action": "answer", "text": "1"}], Preferences((640, 480), "snapshot"))
    await agent.run()
    assert model.modes == ["auto"]


@LOOPS
async def test_a_risky_action_without_thought_is_thought_over(start, browser):
    order = {"action": "left_click", "coordinate": [500, 550]}
    field = {"action": "type", "text": "Ada", "coordinate": [500, 150]}
    agent = await start("/pay", [])
    model = modes_of(agent, [field, order, {"action": "answer", "text": "I would rather not"}])
    run = await agent.run()
    assert model.modes == ["deep", "fast", "deep"]
    assert run.answer == "I would rather not"
    assert run.steps[1].usage == Usage(20, 0, 4, 6)
    assert await browser.evaluate("document.title") == "Pay"


@LOOPS
async def test_zoom_refines_where_the_action_lands(start, browser):
    """The first look is off by half a screen's height; in the enlarged part the middle is the right place."""
    sure = Reply(calls=[ToolCall("computer_use", {"action": "left_click", "coordinate": [500, 520]})])
    closer = {"action": "left_click", "coordinate": [500, 100]}
    agent = await start("/counter", [], zoom="always", max_steps=1)
    model = modes_of(agent, [sure, closer])
    run = await agent.run()
    assert run.steps[0].action.coordinate == (500, 381)
    assert run.steps[0].call.arguments["coordinate"] == [500, 381]
    assert await browser.evaluate("n") == 1
    assert model.seen[1][0]["content"][0]["image"].size == (640, 480)
    assert model.modes == ["deep", "fast"]


@LOOPS
async def test_zoom_auto_looks_again_only_when_it_may_pay(start):
    big = {"action": "left_click", "coordinate": [500, 250]}
    agent = await start("/counter", [], zoom="auto", max_steps=1)
    assert modes_of(agent, [big, big]).modes == []
    await agent.run()
    assert len(agent.model.modes) == 1


def deeds(run: Run) -> list[str]:
    return [step.action.action for step in run.steps if step.action]


class Torn(ScriptedModel):
    """Always presses the dead middle first, and knows what else it might do."""

    asked = 0

    async def alternatives(self, messages, tools, thinking, least):
        self.asked += 1
        near = {"action": "left_click", "coordinate": [504, 300]}
        lines = [near, {"action": "no such"}, {"action": "answer", "text": "nothing"}, OTHER]
        return [self._as_reply(line) for line in lines]


@LOOPS
@pytest.mark.parametrize("memory", ["snapshot", "conversation"])
async def test_what_led_nowhere_gives_way_to_what_else_was_likely(browser, site, tmp_path, memory):
    model = Torn(lambda _: CLICK, Preferences((640, 480), memory), Usage(10, 4, 2, 1))
    await browser.page.goto(site + "/dead")
    run = await Agent("Press it", model, browser, out=tmp_path / "run", max_steps=3).run()
    if memory == "snapshot":
        assert deeds(run) == ["left_click", "answer"]
        assert [step.instead for step in run.steps] == ["", "Click at (500, 300), which led nowhere before"]
        assert run.steps[1].usage == Usage(50, 20, 10, 5)  # of all that were written
        assert model.asked == 1
    else:
        assert deeds(run) == ["left_click"] * 3
        assert model.asked == 0


TASK = "Press the red button at the top, then press the blue button below it, then say goodbye to everyone"
RED, BLUE, DONE = "Press the red button at the top", "press the blue button below it", "Done"
LATER = {"action": "left_click", "coordinate": [500, 600]}


class Hasty(ScriptedModel):
    """Leaves out the blue button, unless it is asked what else it might do."""

    asked = 0

    async def alternatives(self, messages, tools, thinking, least):
        self.asked += 1
        merged = {"thought": f"Press the blue button at the top\n{DONE}", **LATER}
        unsaid, right = {"thought": "Click it", **LATER}, {"thought": f"{BLUE}\nClick it", **LATER}
        return [self._as_reply(line) for line in (merged, unsaid, right)]


@LOOPS
@pytest.mark.parametrize("quotes", [True, False])
async def test_who_loses_the_place_in_the_task_is_asked_again(browser, site, tmp_path, quotes):
    end = {"thought": "say goodbye to everyone\nBye", "action": "answer", "text": "Goodbye"}
    script = [{"thought": f"{RED}\nClick it", **CLICK}, end, end]
    model = Hasty(script, Preferences((640, 480), "snapshot", quotes))
    await browser.page.goto(site + "/dead")
    run = await Agent(TASK, model, browser, out=tmp_path / "run").run()
    thoughts = [step.thought.partition("\n")[0] for step in run.steps]
    said = "say goodbye to everyone"
    assert thoughts == ([RED, BLUE, said] if quotes else [RED, said])
    assert model.asked == int(quotes)


@LOOPS
@pytest.mark.parametrize("sure", [True, False])
async def test_once_more_for_the_same_wish_only_when_it_is_sure(browser, site, tmp_path, sure):
    """Who has hardly another idea clicks again: a stepper wants it."""

    class Counting(ScriptedModel):
        async def alternatives(self, messages, tools, thinking, least):
            other = {"thought": "press it twice\nBye", "action": "answer", "text": "2"}
            return [] if least > 0.01 and sure else [self._as_reply(other)]

    again = {"thought": "press it twice\nClick the plus icon", **CLICK}
    model = Counting([again, again, DONE_TWICE], Preferences((640, 480), "snapshot", True))
    await browser.page.goto(site + "/counter")
    run = await Agent("Please press it twice", model, browser, out=tmp_path / "run").run()
    assert deeds(run) == ["left_click"] * (1 + sure) + ["answer"]


@LOOPS
@pytest.mark.parametrize("named", [True, False])
async def test_an_end_before_all_is_named_gives_way_to_what_is_left(browser, site, tmp_path, named):
    class Early(ScriptedModel):
        async def alternatives(self, messages, tools, thinking, least):
            lines = [{"thought": "Click 'Offers'", **OTHER}, {"thought": "Click 'Send'", **LATER}]
            return [self._as_reply(line) for line in lines] if least == 0.05 else []

    end = {"thought": "Done", "action": "terminate", "status": "success"}
    script = [{"thought": "Click 'Offers'", **CLICK}, end, end]
    model = Early(script, Preferences((640, 480), "snapshot", True))
    await browser.page.goto(site + "/dead")
    task = "Tick 'Offers' and click 'Send'" if named else "Tick 'Offers' and send it"
    run = await Agent(task, model, browser, out=tmp_path / "run").run()
    assert [step.thought for step in run.steps][1:] == (["Click 'Send'", "Done"] if named else ["Done"])


@LOOPS
async def test_a_garbled_wish_does_not_give_way_to_one_that_is_not_said(browser, site, tmp_path):
    """Though what is not said names something that nobody touched."""

    class Garbled(ScriptedModel):
        async def alternatives(self, messages, tools, thinking, least):
            lines = [{"thought": "Type it into 'Code'", **OTHER}, {"thought": "press 'Code'\nClick", **LATER}]
            return [self._as_reply(line) for line in lines]

    script = [{"thought": "press 'Cod'd'\nClick 'Code'", **CLICK}]
    model = Garbled(script, Preferences((640, 480), "snapshot", True))
    await browser.page.goto(site + "/dead")
    run = await Agent("Now press 'Code'", model, browser, out=tmp_path / "run", max_steps=1).run()
    assert run.steps[0].thought == "press 'Code'\nClick"


@LOOPS
@pytest.mark.parametrize(
    ("first", "better"),
    [
        ("tick Milk and type aB3x into Code\nClick 'Code'", "tick Milk\nClick 'Milk'"),
        ("type aB3x into Code\nType 'ab3x' into 'Code'", "type aB3x into Code\nType 'aB3x' into 'Code'"),
    ],
)
async def test_the_second_half_first_or_other_capitals_are_odd(browser, site, tmp_path, first, better):
    def line(thought: str) -> dict:
        deed = thought.rpartition("\n")[2]
        if deed.startswith("Click"):
            return {"thought": thought, **LATER}
        return {"thought": thought, "action": "type", "text": deed[6:10], "coordinate": [500, 600]}

    class Hurried(ScriptedModel):
        async def alternatives(self, messages, tools, thinking, least):
            return [self._as_reply(line(better))] if least == 0.05 else []

    model = Hurried([line(first)], Preferences((640, 480), "snapshot", True))
    await browser.page.goto(site + "/dead")
    task = "tick Milk and type aB3x into Code" if "Milk" in first else "type aB3x into Code"
    run = await Agent(task, model, browser, out=tmp_path / "run", max_steps=1).run()
    assert run.steps[0].thought == better


@LOOPS
@pytest.mark.parametrize(
    ("third", "is_again"),
    [
        ({"thought": "pick Rome\nOpen 'Towns'", **CLICK}, True),  # at the same place
        ({"thought": "pick Rome\nOpen 'Town'", **OTHER}, True),  # in the same words
        ({"thought": "pick Rome\nOpen 'Towns'", **OTHER}, False),
        ({"thought": "tick Milk\nOpen 'Towns'", **CLICK}, False),  # for another wish
    ],
)
async def test_what_was_done_for_a_wish_is_not_done_for_it_again(browser, site, tmp_path, third, is_again):
    """Open, choose, open once more: the list would hang over what is next."""

    class Forgetful(ScriptedModel):
        async def alternatives(self, messages, tools, thinking, least):
            return [self._as_reply(OTHER | {"thought": "say ciao\nCiao"})] if least == 0.05 else []

    script = [
        {"thought": "pick Rome\nOpen 'Town'", **CLICK},
        {"thought": "pick Rome\nClick 'Rome'", **LATER},
        third,
    ]
    model = Forgetful(script, Preferences((640, 480), "snapshot", True))
    await browser.page.goto(site + "/counter")
    task = "pick Rome, tick Milk, say ciao"
    run = await Agent(task, model, browser, out=tmp_path / "run", max_steps=3).run()
    assert run.steps[2].thought == ("say ciao\nCiao" if is_again else third["thought"])


@LOOPS
@pytest.mark.parametrize("named", [True, False])
async def test_what_led_nowhere_does_not_give_way_to_a_success_that_is_none(browser, site, tmp_path, named):
    class Weary(ScriptedModel):
        async def alternatives(self, messages, tools, thinking, least):
            return [self._as_reply({"thought": "Done", "action": "terminate", "status": "success"})]

    model = Weary(lambda _: CLICK, Preferences((640, 480), "snapshot", True))
    await browser.page.goto(site + "/dead")
    task = "Open 'Letters'" if named else "Open the letters"
    run = await Agent(task, model, browser, out=tmp_path / "run", max_steps=3).run()
    assert deeds(run) == (["left_click"] * 3 if named else ["left_click", "terminate"])
