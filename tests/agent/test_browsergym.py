"""BrowserGym's actions both ways, and a whole run of our agent through its interface."""

import asyncio

import pytest
from saccade.agent import Agent, Preferences, ScriptedModel
from saccade.agent.browsergym import GymBrowser, GymEnv, from_gym, to_gym
from saccade.errors import ActionError
from saccade.tools import Browser, Geometry
from saccade.tools.actions import parse_action

SIZE = Geometry(1000, 500, 1000, 500)


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("mouse_click(500.0, 250.0)", {"action": "left_click", "coordinate": [500, 500]}),
        ("mouse_click(10.0, 20.0, button='right')", {"action": "right_click", "coordinate": [10, 40]}),
        ("mouse_dblclick(10.0, 20.0)", {"action": "double_click", "coordinate": [10, 40]}),
        ("mouse_move(10.0, 20.0)", {"action": "mouse_move", "coordinate": [10, 40]}),
        (
            "mouse_drag_and_drop(0.0, 0.0, 10.0, 20.0)",
            {"action": "left_click_drag", "start_coordinate": [0, 0], "coordinate": [10, 40]},
        ),
        ("keyboard_type('it is')", {"action": "type", "text": "it is"}),
        ("keyboard_press('Control+a')", {"action": "key", "keys": ["Control", "a"]}),
        ("scroll(0, 200)", {"action": "scroll", "pixels": -200}),
        ("noop(500)", {"action": "wait", "time": 0.5}),
        ("goto('http://a/')", {"action": "goto", "url": "http://a/"}),
        ("go_back()", {"action": "back"}),
        ("tab_focus(1)", {"action": "switch_tab", "tab": 1}),
        ("send_msg_to_user('42')", {"action": "answer", "text": "42"}),
    ],
)
def test_actions_both_ways(code, arguments):
    action = parse_action("computer_use", arguments)
    assert to_gym(action, SIZE) == code
    assert from_gym(code, SIZE) == [action]


@pytest.mark.parametrize(
    "code", ["click('a12')", "mouse_click(", "mouse_click('a')", "x = 1\nimport os", "__import__('os')"]
)
def test_what_is_no_coordinate_action(code):
    with pytest.raises(ActionError, match="no coordinate action"):
        from_gym(code, SIZE)


def environment(site: str) -> GymEnv:
    async def pressed(browser: Browser) -> float:
        return float(await browser.evaluate("n") >= 2)

    return GymEnv(lambda: Browser(site + "/counter", viewport=(640, 480)), "Press it twice", pressed)


def test_the_environment_alone(site):
    env = environment(site)
    obs, _ = env.reset()
    assert (obs["goal"], obs["screenshot"].shape) == ("Press it twice", (480, 640, 3))
    obs, reward, terminated, _, _ = env.step("click('a1')")
    assert "no coordinate action" in obs["last_action_error"]
    obs, reward, terminated, _, _ = env.step("mouse_click(320, 100)")
    assert (reward, terminated, obs["last_action_error"]) == (0.0, False, "")
    obs, reward, terminated, _, _ = env.step("mouse_click(320, 100)\nnoop(10)")
    assert (reward, terminated) == (1.0, True)
    env.close()


def test_our_agent_in_an_environment(site, tmp_path):
    press = {"action": "left_click", "coordinate": [500, 250]}
    script = [press, press, {"action": "answer", "text": "done"}]

    async def play() -> tuple:
        async with GymBrowser(environment(site)) as browser:
            run = await Agent(
                browser.goal, ScriptedModel(script, Preferences()), browser, out=tmp_path / "run"
            ).run()
            await browser.answer(run.answer)
            return run, browser

    run, browser = asyncio.run(play())
    assert (run.task, run.success, browser.over) == ("Press it twice", True, True)
    assert browser.reward >= 1.0
    assert [step.visible for step in run.steps] == [True, True, False]
