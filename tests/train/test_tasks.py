"""Turns that are true on the rendered page: the page itself says what lies under a click."""

import itertools
import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import pytest

from train import pages
from train.language import Phrases, parse
from train.manner import COUNTS
from train.pages import HEIGHT, WIDTH, apps, lists
from train.pages.icons import ICONS
from train.pages.page import (
    Bulk,
    Calendar,
    Product,
    Record,
    Select,
    Shelf,
    Stepper,
    Ticks,
    Todo,
    Widget,
)
from train.pages.widgets import date_field
from train.phrasebook import BOOK, ORDINALS
from train.render import Renderer, Scene
from train.shape import SHAPES
from train.tasks import Clause, TaskWriter, Turn
from train.tasks.facts import readable
from train.tasks.filling import form_clause
from train.tasks.goals import goal
from train.tasks.goals.shelves import naming
from train.tasks.sight import Sight, plain
from train.tasks.walks import after_search, field_by_field

W = TypeVar("W", bound=Widget)
PAGES, ROUNDS = 8, 24
FIRST = 100  # seed of the pages
FIGURES = "1st 2nd 3rd 4th 5th 6th 7th 8th 9th 10th".split()
UNDER = """(points => JSON.stringify(points.map(([x, y]) => {
  const hit = document.elementFromPoint(x, y), own = hit && hit.closest('[data-e]');
  return own ? +own.dataset.e : -1;
})))"""


@dataclass
class Sample:
    """Scenes with their turns, and per turn the element that the page gave for the point of its action."""

    scenes: list[Scene]
    turns: list[tuple[Scene, Turn, int]]


@pytest.fixture(scope="module", params=["train", "heldout"])
def sample(request) -> Sample:
    renderer = Renderer(PAGES, SHAPES["trial"])
    found = Sample([], [])
    for start in range(FIRST, FIRST + PAGES * ROUNDS, PAGES):
        scenes = renderer.render([start + i for i in range(PAGES)], request.param)
        turns = []
        for i, scene in enumerate(scenes):
            writer = TaskWriter(scene, random.Random(start + i), request.param)
            turns += [(i, scene, turn) for turn in (*writer.named(20), *writer.turns(16))]
        points = [_point(i, turn) for i, _, turn in turns]
        under = json.loads(renderer.browser.evaluate(f"{UNDER}({json.dumps(points)})"))
        found.scenes += scenes
        found.turns += [(scene, turn, id) for (_, scene, turn), id in zip(turns, under, strict=True)]
    renderer.close()
    return found


@pytest.fixture(scope="module")
def applications() -> Sample:
    return pages_of(apps.todo, apps.todo, apps.bulk, apps.product, apps.record)


@pytest.fixture(scope="module")
def shelves() -> Sample:
    return pages_of(lists.cards, lists.items, lists.table, lists.cart)


def pages_of(*blocks) -> Sample:
    """Pages of nothing but one of these blocks."""
    layouts = {lambda b, block=block: f'<div class="pad">{block(b)}</div>': 1 for block in blocks}
    renderer = Renderer(PAGES, SHAPES["trial"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "LAYOUTS", layouts)
        starts = range(0, PAGES * ROUNDS, PAGES)
        scenes = [scene for start in starts for scene in renderer.render([start + i for i in range(PAGES)])]
    renderer.close()
    return Sample(scenes, [])


def _point(page: int, turn: Turn) -> list[float]:
    """The action's point in the tall page, or one that is nowhere."""
    key = "start_coordinate" if "start_coordinate" in turn.action else "coordinate"
    x, y = turn.action.get(key, (-1000, -1000))
    return [min(x * WIDTH / 1000, WIDTH - 1), min(y * HEIGHT / 1000, HEIGHT - 1) + page * HEIGHT]


def test_the_page_answers_every_click_with_its_target(sample):
    aimed = 0
    for scene, turn, under in sample.turns:
        if turn.box is None:
            assert "coordinate" not in turn.action
            continue
        assert under >= 0, (turn, "nothing there")
        x, y, w, h = scene.boxes[under]
        left, top, width, height = turn.box
        assert x - 0.1 <= left <= left + width <= x + w + 0.1, turn
        assert y - 0.1 <= top <= top + height <= y + h + 0.1, turn
        aimed += 1
    assert aimed > 1500


def test_what_a_thought_names_is_one_thing(sample):
    """No two elements that can be seen are called the same in thoughts."""
    for scene in sample.scenes:
        see = TaskWriter(scene, random.Random(0), "train").see
        lines = Counter(see.line(e) for e in see.glimpsed)
        assert [line for line, n in lines.items() if n > 1] == []


def test_a_quoted_click_is_on_what_shows_that_name(sample):
    checked = 0
    for scene, turn, under in sample.turns:
        if turn.box and turn.thought.startswith("Click '") and " of " not in turn.thought:
            name = turn.thought.removeprefix("Click '").removesuffix("'")
            shown = [
                e.id for e in scene.page.elements if e.id in scene.glimpsed and plain(e.name) == plain(name)
            ]
            assert shown == [under], turn
            checked += 1
    assert checked > 300


def test_a_thought_says_again_the_wish_that_it_is_for(sample):
    """As the task has it, in the same letters; nothing where nothing is due."""
    turns = [turn for _, turn, _ in sample.turns]
    again = [turn for turn in turns if turn.due]
    assert len(turns) * 0.6 < len(again) < len(turns) * 0.95
    assert not any(turn.due for turn in turns if turn.thought == "Done")
    for turn in again:
        task = turn.user.removeprefix("Task: ").split("\nDone:\n")[0]
        assert turn.due in task, turn
        assert turn.thinks() == f"{turn.due}\n{turn.thought}"


def test_what_is_missing_is_called_as_the_task_calls_it(sample):
    """Nothing else could say in which letters it is written; the first may begin the task."""
    asking = [turn for _, turn, _ in sample.turns if turn.kind == "ask"]
    assert len(asking) > 5
    for turn in asking:
        name = turn.thought.removeprefix("There is no '").removesuffix("'")
        assert name in turn.user or f"Task: {name[:1].upper()}{name[1:]}" in turn.user, turn


def test_of_a_list_the_entry_is_said_that_is_clicked(sample):
    ticking = [
        turn for _, turn, _ in sample.turns if turn.kind == "ticks" and turn.thought.startswith("Click '")
    ]
    entries = [
        turn for turn in ticking if plain(turn.due.strip("'\"“”")) == plain(turn.thought[6:].strip("'"))
    ]
    assert len(entries) > 5
    assert all(len(turn.due) < len(turn.user) / 2 for turn in entries)


def test_answers_stand_on_the_page(sample):
    """What is answered as a value was read from text that is wholly visible."""
    kinds = Counter(turn.kind for _, turn, _ in sample.turns)
    assert kinds["answer"] > 20
    for scene in sample.scenes:
        see = TaskWriter(scene, random.Random(0), "train").see
        for fact in readable(see):
            assert all(mark in scene.read for mark in fact.marks)
            assert (
                sum((f.subject, f.attribute) == (fact.subject, fact.attribute) for f in scene.page.facts) == 1
            )


def test_the_same_words_mean_the_same_step(sample):
    said: dict[tuple[int, str], set[str]] = {}
    for number, scene in enumerate(sample.scenes):
        for seed in range(3):
            for turn in TaskWriter(scene, random.Random(seed), "train").named(30):
                point = turn.action.get("coordinate")
                step = f"{turn.action['action']} {point} {turn.action.get('text')}"
                said.setdefault((number, turn.user.lower()), set()).add(step)
    assert {key: steps for key, steps in said.items() if len(steps) > 1} == {}


def test_nobody_scrolls_up_before_the_end_of_the_page_was_seen(sample):
    """A page does not show where it stands: up or down would be a guess."""
    up = [t for _, t, _ in sample.turns if t.action.get("pixels", 0) > 0 and t.kind != "key"]
    assert len(up) > 10
    for turn in up:
        assert re.search(r"Scroll down( 240 px)? \(no change\)", turn.user), turn.user


def test_most_kinds_of_turns_are_there(sample):
    kinds = {turn.kind for _, turn, _ in sample.turns}
    expected = """button link field search select option checkbox radio tab icon switch section day date done
    settled form ticks choice slider drag menu answer count scroll dismiss double right hover
    remove clear key""".split()
    assert set(expected) - kinds == set()


def widgets(sample: Sample, kind: type[W]) -> Iterator[tuple[Sight, W, Clause]]:
    for number, scene in enumerate(sample.scenes):
        for seed in range(8):
            see = TaskWriter(scene, random.Random(100 * number + seed), "train").see
            for widget in scene.page.widgets:
                if isinstance(widget, kind) and (clause := goal(widget, see)):
                    yield see, widget, clause


def test_ticks_go_on_with_the_first_that_is_not_as_wanted(sample):
    ticked = settled = 0
    for see, widget, clause in widgets(sample, Ticks):
        boxes = [see.element(i) for i in widget.boxes]
        if clause.step is None:
            settled += 1
            continue
        box = next(e for e in boxes if clause.step.box == see.box(e))
        assert f"Click {see.line(box)}" not in clause.past
        done = [e for e in boxes if see.sees(e.id) and f"Click {see.line(e)}" in clause.past]
        states = {bool(e.value) for e in done}
        assert (
            len(states) < 2
            or "only" in clause.text.lower()
            or "others" in clause.text
            or "else" in clause.text
        )
        ticked += 1
    assert ticked > 20
    assert settled > 2


def test_a_stepper_goes_toward_its_number_and_stops_there(sample):
    seen = Counter()
    for see, widget, clause in widgets(sample, Stepper):
        words = re.findall(r"\w+", clause.text.replace(widget.name, "").lower())
        wanted = next(COUNTS.index(w) if w in COUNTS else int(w) for w in words if w in COUNTS or w.isdigit())
        seen[(wanted > widget.value) - (wanted < widget.value)] += 1
        if wanted == widget.value:
            assert clause.step is None
        else:
            target = widget.plus if wanted > widget.value else widget.minus
            assert clause.step
            assert clause.step.box == see.box(see.element(target))
    assert sum(seen.values()) > 5


def test_a_calendar_opens_turns_and_is_clicked():
    thoughts = Counter()
    for _, widget, clause in widgets(pages_of(date_field), Calendar):
        thought = clause.step.thought if clause.step else "settled"
        assert thought.startswith("Open") == (not widget.days and clause.step is not None)
        thoughts[thought.split(" '")[0]] += 1
    assert {"Open", "Click", "Go to the next month", "Go to the previous month"} <= set(thoughts)


def test_a_list_is_opened_then_clicked(sample):
    thoughts = Counter()
    for see, widget, clause in widgets(sample, Select):
        thought = clause.step.thought if clause.step else "settled"
        assert thought.startswith("Click") == bool(widget.entries)
        if not clause.step:
            assert clause.past[-1] == f"Click '{see.element(widget.box).value}'"
        thoughts[thought.split(" ")[0]] += 1
    assert min(thoughts["Open"], thoughts["Click"], thoughts["settled"]) > 2


def test_forms_go_on_after_what_is_filled_in(sample):
    typed = sent = 0
    for scene in sample.scenes:
        for seed, ids in enumerate(scene.page.forms * 3):
            see = TaskWriter(scene, random.Random(seed), "train").see
            clause = form_clause(see, ids)
            if clause and clause.step and clause.step.action["action"] == "type":
                field = next(e for e in see.elements if e.id in ids and see.box(e) == clause.step.box)
                assert field.value != clause.step.action["text"]
                typed += 1
            elif clause and clause.step and clause.step.box and clause.step.thought.startswith("Click"):
                assert clause.step.box == see.box(see.element(ids[-1]))
                sent += 1
    assert typed > 20
    assert sent > 3


def said(template: str) -> Iterator[str]:
    """Everything that a template can say, before its parts are filled in."""
    for pieces in itertools.product(*((p,) if isinstance(p, str) else p for p in parse(template))):
        yield "".join(pieces)


def test_every_phrasing_can_be_filled():
    parts = dict.fromkeys("xntqpkabcsvwyo", "X") | {"list": "X"}
    for train, unseen in BOOK.values():
        for template in (*train, *unseen):
            for text in said(template):
                assert not set("[]{}|") & set(text.format(**parts)), template


def test_held_out_phrasings_stay_out_of_training():
    for train, unseen in BOOK.values():
        seen, never = ({text for t in templates for text in said(t)} for templates in (train, unseen))
        assert never
        assert not seen & never


def test_icons_have_names_of_their_own():
    names = [name for icon, (_, looks, _) in ICONS.items() for name in (icon, *looks)]
    assert [name for name, n in Counter(names).items() if n > 1] == []


def test_a_list_of_things_to_do_is_read_as_it_stands(applications):
    """What is listed needs no adding, what is ticked no ticking, what is typed only Enter or a button."""
    kinds = Counter()
    for see, widget, clause in widgets(applications, Todo):
        step, entry = clause.step, see.element(widget.entry)
        if step and step.action["action"] == "type" and step.box == see.box(entry):
            text = step.action["text"]
            assert text not in (*widget.texts, entry.value)
            assert f"Type '{text}'" not in " ".join(clause.past)
            kinds["typed"] += 1
        elif step and step.action["action"] == "key":
            assert any(line.startswith("Type '") for line in clause.past)
            kinds["entered"] += 1
        elif step and (
            box := next((i for i in widget.ticks if i and step.box == see.box(see.element(i))), None)
        ):
            assert f"Click {see.line(see.element(box))}" not in clause.past
            kinds["ticked"] += 1
        elif step and step.action["action"] == "mouse_move":
            assert widget.hides
            kinds["hovered"] += 1
    assert min(kinds[k] for k in ("typed", "entered", "ticked", "hovered")) > 0, kinds


def test_an_action_on_rows_waits_until_they_are_ticked(applications):
    steps = Counter()
    for see, widget, clause in widgets(applications, Bulk):
        boxes = [see.element(i) for i in widget.boxes]
        named = [e for e in boxes if plain(e.context) in plain(clause.text)]
        if clause.step and clause.step.box == see.box(see.element(widget.go)):
            assert {e.id for e in boxes if e.value} <= {e.id for e in named}
            assert any(f"Click '{see.element(widget.select).value}'" == line for line in clause.past)
            steps["go"] += 1
        elif clause.step and (box := next((e for e in boxes if see.box(e) == clause.step.box), None)):
            assert bool(box.value) == (box not in named) or len(named) > 1
            steps["tick"] += 1
    assert min(steps["go"], steps["tick"]) > 0, steps


def test_the_cart_comes_after_the_variants(applications):
    carts = chosen = 0
    for see, widget, clause in widgets(applications, Product):
        if clause.step and clause.step.box == see.box(see.element(widget.cart)):
            on = [e.name for ids in widget.groups.values() for e in map(see.element, ids) if e.value]
            assert len(on) == len(widget.groups) or not widget.groups
            carts += 1
        elif clause.step:
            chosen += 1
    assert min(carts, chosen) > 0


def test_a_thing_told_by_its_place_is_read_off_the_page(shelves):
    """What is clicked and what is answered belong to the thing at that place in the list."""
    told = Counter()
    for see, shelf, clause in widgets(shelves, Shelf):
        place = next(
            (i for i, nth in enumerate(ORDINALS) if re.search(rf"\b({nth}|{FIGURES[i]})\b", clause.text)), -1
        )
        assert clause.step
        row = (shelf.links, shelf.buttons)
        boxes = [[see.box(see.element(i)) for i in ids] for ids in row]
        assert place >= 0 or "last" in clause.text, clause
        assert any(ids and ids[place] == clause.step.box for ids in boxes), clause
        told[place] += 1
    assert min(told[0], told[1], told[-1]) > 5


def test_the_name_of_the_nth_is_answered(shelves):
    named = 0
    for number, scene in enumerate(shelves.scenes):
        see = TaskWriter(scene, random.Random(number), "train").see
        if clause := naming(see):
            shelf = next(w for w in scene.page.widgets if isinstance(w, Shelf))
            assert clause.step
            nth = clause.step.thought.split()[1]
            place = -1 if nth == "last" else [*ORDINALS].index(nth)
            assert clause.step.action["text"] == shelf.names[place]
            named += 1
    assert named > 30


def test_a_search_is_sent_before_its_results_are_used(sample):
    """Typed, sent by Enter or the button, and only then something is done with what is there."""
    due = Counter()
    for number, scene in enumerate(sample.scenes):
        for seed in range(4):
            see = TaskWriter(scene, random.Random(100 * number + seed), "train").see
            clauses = after_search(see)
            if not clauses:
                continue
            at = next(i for i, c in enumerate(clauses) if c.step)
            step, box = clauses[at].step, next(e for e in see.elements if e.role == "search")
            assert step
            past = [line for c in clauses[:at] for line in c.past] + clauses[at].past
            match step.action["action"]:
                case "type":
                    assert not box.value
                    assert past == []
                case "key":
                    assert past == [f"Type '{box.value}' into {see.line(box)}"]
                case _:
                    sent = past[-1] if len(past) > 1 else clauses[at].kind
                    assert past[0].startswith("Type '")
                    assert sent in ("Press Enter", "button") or sent.startswith("Click '"), clauses
            due[step.action["action"]] += 1
    assert min(due["type"], due["key"], due["left_click"]) > 3, due


def test_a_form_field_by_field_is_filled_in_order(sample):
    """The due clause is the first whose field does not hold what is wanted; the others before it are told."""
    due = Counter()
    for number, scene in enumerate(sample.scenes):
        for ids in scene.page.forms:
            see = TaskWriter(scene, random.Random(number), "train").see
            clauses = field_by_field(see, ids)
            at = next((i for i, c in enumerate(clauses) if c.step), None)
            if at is None:
                continue
            for clause in clauses[:at]:
                wanted = re.fullmatch(r"Type '(.*)' into '(.*)'", clause.past[0])
                if wanted:
                    assert any(e.name == wanted[2] and e.value == wanted[1] for e in see.elements)
            due[min(at, 3)] += 1
    assert min(due[0], due[1], due[2]) > 3, due


def test_a_record_is_saved_when_its_fields_hold_what_was_said(applications):
    saved = typed = 0
    for see, widget, clause in widgets(applications, Record):
        if clause.step and clause.step.box == see.box(see.element(widget.save)):
            values = [see.element(i).value for i in widget.fields]
            lines = [line for line in clause.past if line.startswith("Type '")]
            assert all(any(f"Type '{value}' into" in line for value in values) for line in lines)
            saved += 1
        elif clause.step and clause.step.action["action"] == "type":
            typed += 1
    assert min(saved, typed) > 0


@pytest.mark.parametrize("held_out", [False, True])
def test_no_opener_asks_for_a_verb_where_there_is_none(held_out: bool):
    say = Phrases(random.Random(2), held_out)
    before_verbs = ("please ", "want you to ", "would you ", "could you ", "can you ", "need to ", "kindly ")
    seen = dict.fromkeys(("'Rome' is where", "open 'Rome'"), 0)
    for clause in seen:
        for _ in range(300):
            text = say.join([f"{clause} I want to be"]).lower()
            seen[clause] += any(f"{opener}{clause.lower()}" in text for opener in before_verbs)
    assert seen["'Rome' is where"] == 0
    assert seen["open 'Rome'"] > 30


def test_a_task_told_plainly_has_one_kind_of_quotes_and_nothing_around_it():
    say, joined = Phrases(random.Random(1), held_out=True), Counter()
    for _ in range(200):
        say.begin(plain=1.0)
        assert say.quotes
        wishes = [
            say.type("field", "Name", "Ada"),
            say.say("tick", x=say.thing("checkbox", "News")),
            say.press("button", say.thing("button", "Save"), "Save"),
        ]
        text = say.join(wishes)
        assert text.lower().startswith(wishes[0].lower())
        assert text.rstrip(".").endswith(wishes[2])
        assert all(
            say.quotes.format(name).lower() in text.lower() for name in ("Ada", "Name", "News", "Save")
        )
        joined[" and " in text] += 1
    assert joined[True] > joined[False]
    say.begin(plain=0.0)
    assert say.quotes is None


def test_wishes_in_frames_keep_their_words():
    """Whatever people put around it, what they want is in what they say, whole and in a known order."""
    say = Phrases(random.Random(1), held_out=False)
    for _ in range(400):
        text = say.join(["click 'Save'", "type 'x' into 'Name'"])
        first, second = text.lower().index("click 'save'"), text.lower().index("type 'x' into 'name'")
        assert first < second or any(word in text.lower() for word in ("before", "first", "but"))
