"""When a run is stuck or spent."""

from dataclasses import replace

import pytest
from saccade.agent import Usage
from saccade.agent.loops import (
    Limits,
    check_limits,
    count_malformed,
    count_repeats,
    goes_in_circles,
    repetition_note,
)
from saccade.agent.run import Outcome, Step
from saccade.errors import InputError
from saccade.tools.element import Element


def ended(steps: list[Step], seconds: float, limits: Limits) -> Outcome:
    outcome = check_limits(steps, seconds, limits)
    assert outcome is not None
    return outcome


def click(x: int, y: int = 300) -> dict:
    return {"action": "left_click", "coordinate": [x, y]}


def test_the_same_place_without_change_repeats(make_step):
    steps = [make_step(i, click(500 + i), changed=0.0) for i in range(4)]
    assert count_repeats(steps) == 4


@pytest.mark.parametrize("second", [click(600), {"action": "double_click", "coordinate": [500, 300]}])
def test_another_place_or_verb_is_no_repetition(make_step, second):
    steps = [make_step(0, click(500), changed=0.0), make_step(1, second, changed=0.0)]
    assert count_repeats(steps) == 1


def test_other_tabs_are_not_near(make_step):
    steps = [make_step(i, {"action": "switch_tab", "tab": i}, changed=0.0) for i in range(3)]
    assert count_repeats(steps) == 1


def test_a_visible_change_begins_anew(make_step):
    changes = [0.0, 0.0, 0.4, 0.0]
    steps = [make_step(i, click(500), changed=change) for i, change in enumerate(changes)]
    assert count_repeats(steps) == 1


def test_taking_turns_without_change_is_seen(make_step):
    steps = [make_step(i, click(500 if i % 2 else 100), changed=0.0) for i in range(7)]
    assert count_repeats(steps) == 4


def test_going_in_circles_over_identical_screens_is_seen(make_step):
    steps = [make_step(i, click(500), changed=0.9, screen="AB"[i % 2]) for i in range(6)]
    assert count_repeats(steps) == 3


def test_pressing_on_while_the_screen_changes_is_fine(make_step):
    steps = [make_step(i, click(500), changed=0.1) for i in range(9)]
    assert count_repeats(steps) == 0
    assert check_limits(steps, 0.0, Limits()) is None


TYPED = {"action": "type", "text": "Lisbon", "coordinate": [500, 300]}
FIELD = Element("input", "textbox", "City", (300, 140, 40, 20))


def circles(turn: Step, steps: list[Step], screen: str = "new") -> bool:
    return goes_in_circles(turn, steps, lambda: screen)


@pytest.mark.parametrize(
    ("before", "changed", "now", "expected"),
    [
        (click(500), 0.0, click(505), True),
        (click(500), 0.0, click(700), False),
        (click(500), 0.2, click(500), False),  # `Next`, once more
        (TYPED, 0.2, TYPED, True),
        (TYPED, 0.2, TYPED | {"text": "Porto"}, False),
        ({"action": "wait", "time": 1}, 0.0, {"action": "wait", "time": 1}, False),
    ],
)
def test_what_led_nowhere_is_not_to_be_done_again(make_step, before, changed, now, expected):
    assert circles(make_step(1, now), [make_step(0, before, changed=changed)]) is expected


def test_steps_without_effect_count_until_the_page_changes(make_step):
    steps = [make_step(0, click(100), changed=0.0), make_step(1, click(300), changed=0.0)]
    again = make_step(9, click(100))
    assert circles(again, steps)
    assert not circles(again, [*steps, make_step(2, click(600))])


def test_the_same_from_the_same_screen_is_a_circle(make_step):
    steps = [make_step(0, click(100), screen="list"), make_step(1, click(300), screen="item")]
    assert circles(make_step(2, click(100)), steps, "list")
    assert not circles(make_step(2, click(300)), steps, "list")


def test_one_control_is_one_place(make_step):
    aimed = {"targets": {"coordinate": FIELD}}
    steps = [make_step(0, click(500), changed=0.0, **aimed)]
    assert circles(make_step(1, click(560), **aimed), steps)
    canvas = {"targets": {"coordinate": replace(FIELD, tag="canvas", role="")}}
    steps = [make_step(0, click(500), changed=0.0, **canvas)]
    assert not circles(make_step(1, click(560), **canvas), steps)


@pytest.mark.parametrize(("role", "expected"), [("checkbox", True), ("switch", True), ("button", False)])
def test_what_was_ticked_just_now_stays(make_step, role, expected):
    aimed = {"targets": {"coordinate": replace(FIELD, tag="div", role=role)}}
    steps = [make_step(0, click(500), **aimed)]
    assert circles(make_step(1, click(510), **aimed), steps) is expected
    assert not circles(make_step(2, click(510), **aimed), [*steps, make_step(1, click(900))])


def scroll(pixels: int) -> dict:
    return {"action": "scroll", "pixels": pixels}


def test_a_page_is_searched_from_end_to_end_once(make_step):
    there = [make_step(0, scroll(-240)), make_step(1, scroll(-240), changed=0.0)]
    back = [make_step(2, scroll(240)), make_step(3, scroll(240), changed=0.0)]
    again = make_step(4, scroll(-240))
    assert not circles(again, [make_step(0, click(1)), *there, *back[:1]])
    assert circles(again, [make_step(0, click(1)), *there, *back])
    assert not circles(again, [*there, *back, make_step(4, click(900))])


def test_a_note_comes_before_the_end(make_step):
    limits = Limits(repeats_before_note=2, repeats_before_stop=3)
    steps = [make_step(i, click(500), changed=0.0) for i in range(3)]
    assert repetition_note(steps[:1], limits) is None
    assert "2 times" in str(repetition_note(steps[:2], limits))
    assert check_limits(steps[:2], 0.0, limits) is None
    outcome = ended(steps, 0.0, limits)
    assert outcome.status == "failure"
    assert "Click at (500, 300)" in outcome.reason


def test_malformed_replies_count_in_a_row(make_step):
    bad, good = make_step(0, None, error="no"), make_step(1, click(1))
    assert count_malformed([bad, bad, good, bad]) == 1
    assert check_limits([bad, good, bad, bad], 0.0, Limits(max_malformed=3)) is None
    assert ended([bad, bad, bad], 0.0, Limits(max_malformed=3)).status == "failure"


@pytest.mark.parametrize(
    ("limits", "seconds", "word"),
    [
        (Limits(max_steps=2), 0, "steps"),
        (Limits(max_seconds=5), 5, "seconds"),
        (Limits(max_tokens=30), 0, "tokens"),
    ],
)
def test_limits(make_step, limits, seconds, word):
    steps = [make_step(i, click(100 * i), usage=Usage(10, 2, 3, 2)) for i in range(2)]
    outcome = ended(steps, seconds, limits)
    assert outcome.status == "limit"
    assert word in outcome.reason


def test_a_limit_of_nothing_is_refused():
    with pytest.raises(InputError, match="max_steps is 0"):
        Limits(max_steps=0)
