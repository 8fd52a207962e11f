"""Tasks of a wish or two: what stands in a field or a list decides what is due, and the button comes last."""

import random
import re
from collections import Counter

import pytest

from train.pages import widgets
from train.pages.page import Choice, Sections, Select
from train.pages.prose import paragraph
from train.render import Renderer, Scene
from train.shape import SHAPES
from train.tasks import TaskWriter
from train.tasks.errands import errand
from train.tasks.filling import picking, typing_twice
from train.tasks.obstacles import behind
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


@pytest.mark.parametrize("block", [widgets.tabs, widgets.accordion])
def test_what_is_behind_tabs_or_headings_is_looked_for_in_their_order(block, monkeypatch):
    monkeypatch.setattr("train.pages.LAYOUTS", {lambda b: block(b) + paragraph(b): 1})
    renderer, due = Renderer(16, SHAPES["p8"]), Counter()
    for see in sights(renderer.render([*range(16)], "train")):
        clause = behind(see)
        if clause is None:
            continue
        assert clause.step is not None
        target = next(e for e in see.visible if see.box(e) == clause.step.box)
        due[target.role] += 1
        if target.role == "link":  # it is seen
            assert see.say.cased(target.name).lower() in clause.text.lower()
            continue
        widget = next(
            w
            for w in see.scene.page.widgets
            if isinstance(w, Choice | Sections)
            and target.id in (w.options if isinstance(w, Choice) else w.heads)
        )
        heads = widget.options if isinstance(widget, Choice) else widget.heads
        before = heads[
            isinstance(widget, Choice) : heads.index(target.id)
        ]  # the first tab was open by itself
        assert [f"Click {see.line(see.element(id))}" for id in before] == clause.past
        assert not target.value
    renderer.close()
    assert len(due) == 2
    assert min(due.values()) > 5, due
