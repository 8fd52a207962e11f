"""Rendered pages: labels that are true, turns whose clicks land."""

import random
import re
from collections.abc import Iterator

import numpy as np
import pytest

from train.pages import make_page
from train.pages.page import Builder
from train.render import IGNORE, Renderer, Scene
from train.shape import SHAPES
from train.tasks import TaskWriter
from train.words import Words

SEEDS = list(range(40, 56))
SHAPE = SHAPES["p10"]
CELL = SHAPE.patch


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    renderer = Renderer(len(SEEDS), SHAPE)
    yield renderer
    renderer.close()


@pytest.fixture(scope="module")
def scenes(renderer) -> list[Scene]:
    return renderer.render(SEEDS)


def test_a_page_is_a_function_of_its_seed():
    assert make_page(3, "train", 0) == make_page(3, "train", 0)
    assert make_page(3, "train", 0).html != make_page(4, "train", 0).html


def test_rendering_is_repeatable(renderer, scenes):
    again = renderer.render(SEEDS)
    assert all(np.array_equal(a.image, b.image) for a, b in zip(scenes, again, strict=True))


def test_the_character_map_reads_the_names_of_elements(scenes):
    read = checked = 0
    for scene in scenes:
        for element in scene.page.elements:
            if element.role not in ("button", "link") or not scene.is_visible(element):
                continue
            x, y, w, h = scene.boxes[element.id]
            rows = slice(int(y // CELL), int((y + h) // CELL) + 1)
            columns = slice(int(x // CELL), int((x + w) // CELL) + 1)
            found = {chr(c + 32) for c in scene.characters[rows, columns].ravel() if 0 < c < IGNORE}
            checked += 1
            read += {c for c in element.name if "!" <= c <= "~"} <= found | {element.name[0]}
    assert checked > 20
    assert read / checked > 0.8  # narrow letters may share a slot


def test_named_turns_go_through_everything_visible(scenes):
    found = total = 0
    for scene in scenes:
        writer = TaskWriter(scene, random.Random(3), "train")
        turns = writer.named(len(writer.visible))
        aimed = {turn.box for turn in turns if turn.box}
        boxes = {
            scene.boxes[e.id] for e in writer.visible if e.role != "slider"
        }  # of those, a part is aimed at
        # the second step of a search presses a key, and what is as it should be needs no click
        assert len(aimed & boxes) >= 0.5 * len(boxes) - 1
        found, total = found + len(aimed & boxes), total + len(boxes)
    assert found > 0.85 * total


@pytest.mark.parametrize("make", [TaskWriter.turns, TaskWriter.named])
def test_every_click_lies_in_its_target(scenes, make):
    aimed = 0
    for scene in scenes:
        for turn in make(TaskWriter(scene, random.Random(1), "train"), 40):
            if turn.box is None:
                assert "coordinate" not in turn.action
                continue
            left, top, w, h = turn.box
            point = turn.action.get("start_coordinate", turn.action["coordinate"])
            x, y = point[0] * 0.48, point[1] * 0.36
            assert left - 0.3 <= x <= left + w + 0.3
            assert top - 0.3 <= y <= top + h + 0.3
            aimed += 1
    assert aimed > 100


def test_names_differ_by_their_number_where_that_is_wanted():
    rng = random.Random(3)
    builder = Builder(rng, Words(rng, "train"), held_out=False)
    names = builder.distinct(builder.words.place, 5, numbered=1.0)
    assert len(set(names)) == 5
    assert len({re.sub(r"\d+", "", name) for name in names}) == 1


@pytest.mark.parametrize("split", ["train", "heldout"])
def test_fields_whose_name_holds_another(split):
    """Who reads only a part of it takes one for the other."""
    several = alike = 0
    for seed in range(400):
        names = {e.name.lower() for e in make_page(seed, split, 0).elements if e.role == "field" and e.name}
        several += len(names) > 1
        alike += any(one != other and one in other for one in names for other in names)
    assert several > 100
    assert several / 5 < alike < several / 2
