"""Tasks of a wish or two: what stands in a field or a list decides what is due, and the button comes last."""

import random
import re
from collections import Counter

import pytest

from train.pages.page import Select
from train.render import Renderer, Scene
from train.shape import SHAPES
from train.tasks import TaskWriter
from train.tasks.errands import errand
from train.tasks.filling import picking, typing_twice
from train.tasks.sight import Sight

PAGES = 24


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    renderer = Renderer(8, SHAPES["p8"])
    return [it for start in range(0, PAGES, 8) for it in renderer.render([*range(start, start + 8)], "train")]


def sights(scenes: list[Scene], seeds: int = 12) -> list[Sight]:
    return [TaskWriter(scene, random.Random(i), "train").see for scene in scenes for i in range(seeds)]


def test_one_text_goes_into_two_fields_one_after_the_other(scenes: list[Scene]):
    due = Counter()
    for see in sights(scenes):
        clause = typing_twice(see)
        if clause is None:
            continue
        due[len(clause.past) if clause.step else "settled"] += 1
        if clause.step is None:
            continue
        field = next(e for e in see.elements if e.role == "field" and see.box(e) == clause.step.box)
        wanted = clause.step.action["text"]
        assert field.value != wanted
        assert wanted in clause.text
        if clause.past:  # the first holds it already
            first = next(e for e in see.elements if e.role == "field" and e.value == wanted)
            assert see.line(first) in clause.past[0]
        assert len(clause.past) + len(clause.more) == 1
    assert min(due[0], due[1]) > 10


def test_a_short_errand_has_a_wish_or_two_and_a_button(scenes: list[Scene]):
    lengths, buttons = Counter(), 0
    for see in sights(scenes):
        clauses = errand(see, 1, 2)
        if not clauses:
            continue
        *wishes, last = clauses
        if last.kind != "button":
            wishes.append(last)
        buttons += last.kind == "button"
        lengths[len(wishes)] += 1
        steps = [clause.step is None for clause in wishes]
        assert steps == sorted(steps, reverse=True), "what is done comes before what is not"
    assert set(lengths) == {1, 2}
    assert buttons > 0.4 * lengths.total()


def test_a_list_is_left_without_a_name_only_where_it_is_the_only_one(scenes: list[Scene]):
    named = Counter()
    for see in sights(scenes, 40):
        lists = [w for w in see.scene.page.widgets if isinstance(w, Select)]
        for widget in lists:
            clause = picking(see, widget)
            if clause:
                name = see.element(widget.box).name.lower()
                is_named = not name or re.search(rf"\b{re.escape(name)}\b", clause.text.lower()) is not None
                named[len(lists) == 1, is_named] += 1
    assert named[True, False] > 5
    assert named[False, False] <= 0.02 * named[False, True], "but for slips of the finger"
