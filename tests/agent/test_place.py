"""Whether a thought keeps its place in the task, by the words that it takes from it."""

import pytest
from saccade.agent.place import (
    cuts,
    miscopies,
    misnames,
    names_any,
    quoted,
    runs_ahead,
    same_wish,
    strays,
    unnamed,
)

TASK = (
    "Please put “Lisbon” into City, after that tick 'Newsletter'. Next, choose 3 under Guests and "
    "then go on and press 'Send'. Thanks!"
)
CITY, NEWS = "put “Lisbon” into City\nType 'Lisbon' into 'City'", "tick 'Newsletter'\nClick 'Newsletter'"
GUESTS, SEND = "choose 3 under Guests\nOpen 'Guests'", "press 'Send'\nClick 'Send'"


@pytest.mark.parametrize(
    ("thought", "before", "expected"),
    [
        (CITY, [], False),
        (NEWS, [CITY], False),
        (CITY, [CITY], False),
        (NEWS.replace("tick '", 'TICK  "').replace("'", '"'), [CITY], True),  # marks of another kind
        (CITY.replace("“", '"').replace("”", '"'), [], False),  # marks that only look different
        (CITY.replace("put “L", "Put “l"), [], False),
        ("put “Lisbon” into Guests\nType 'Lisbon' into 'Guests'", [CITY], True),
        ("ut “Lisbon” into Cit\nType 'Lisbon' into 'City'", [], True),
        (GUESTS, [CITY], True),  # leaves out the newsletter
        (GUESTS, [CITY, NEWS], False),
        (SEND, [CITY, NEWS, GUESTS], False),
        (CITY, [CITY, NEWS, GUESTS], False),  # a step back leaves nothing out
        ("Click 'Send'", [CITY], False),  # says nothing of the task
        ("", [CITY], False),
    ],
)
def test_words_of_the_task_say_where_it_is(thought: str, before: list[str], expected: bool):
    assert strays(thought, TASK, before) is expected


def test_behind_a_silent_thought_nobody_knows_the_place():
    silent = "Type 'Lisbon' into 'City'"
    assert not strays(GUESTS, TASK, [silent])
    assert not strays("Done", TASK, [CITY, silent], ends=True)
    assert strays(SEND, TASK, [silent, NEWS])
    assert strays("choose 9 under Guests\nOpen 'Guests'", TASK, [silent])


def test_only_a_first_choice_goes_back():
    assert not strays(CITY, TASK, [CITY, NEWS, GUESTS])
    assert strays(CITY, TASK, [CITY, NEWS, GUESTS], may_go_back=False)
    assert not strays(SEND, TASK, [CITY, NEWS, GUESTS], may_go_back=False)


def test_the_next_place_is_looked_for_behind_the_last():
    task = "Click 'Add', then type 'tea' into Name, then click 'Add' once more"
    before = ["Click 'Add'\nClick 'Add'", "type 'tea' into Name\nType 'tea' into 'Name'"]
    again = "click 'Add' once more\nClick 'Add'"
    assert strays(again, task, before) is False
    assert strays("Done", task, before, ends=True) is True
    assert strays("Done", task, [*before, again], ends=True) is False
    assert strays("Done", task, [*before, again.replace(" once more", "")], ends=True) is False


WHOLE = [CITY, NEWS, GUESTS, SEND]


@pytest.mark.parametrize(("before", "expected"), [([], False), ([CITY], True), (WHOLE, False)])
def test_an_end_must_not_leave_anything(before: list[str], expected: bool):
    assert strays("Done", TASK, before, ends=True) is expected


def test_an_answer_may_say_its_own_words():
    task = "Tick 'Newsletter' and then tell me how many guests there are at the table"
    assert strays("tell me how many guests there are at the table\nIt is 3", task, [NEWS], ends=True) is False
    assert strays("tell me how many\nIt is 3", task, [NEWS], ends=True) is True


def test_what_a_person_says_may_be_taken_up():
    assert strays("use Porto instead\nType 'Porto' into 'City'", TASK, [CITY])
    assert not strays("use Porto instead\nType 'Porto' into 'City'", TASK, [CITY], ["Use Porto instead!"])


def test_only_lines_before_the_last_are_quoted():
    assert quoted("one\n\ntwo\nthree") == "one\ntwo"
    assert quoted("one") == quoted("") == ""


@pytest.mark.parametrize(
    ("thought", "expected"),
    [
        ("put “Lisbon” into City\nType 'Lisbon' into 'CITY'", False),
        ("put “Lisbon” into City\nType 'Lisbon' into 'Country'", True),
        ("delete “Tom's list”\nClick 'Remove' of 'Tom's list'", False),
        ("pick 'Rome' from the list\nOpen 'Destination'", True),
        ("click the second button\nClick 'Save'", False),  # what has no name in the task must be read
        ("choose 'Rome'\nScroll down", False),
        ("Click 'Save'", False),
    ],
)
def test_a_deed_names_what_its_wish_names(thought: str, expected: bool):
    assert misnames(thought) is expected


@pytest.mark.parametrize(
    ("text", "wish", "expected"),
    [
        ("quality of", "Give “quality of wool” as the Title", True),
        ("quality of wool", "Give “quality of wool” as the Title", False),
        ("of wool", "Give 'quality of wool' as the Title", False),  # who knows
        ("Ada", 'type "Ada" into the "Ada Lovelace" field', False),
        ("Ada", "type Ada into 'Name'", False),
        ("", "clear 'Name'", False),
    ],
)
def test_half_of_a_quoted_text(text: str, wish: str, expected: bool):
    assert cuts(text, f"{wish}\nType '{text}' into 'Title'") is expected


def test_what_stands_in_quotes_and_was_not_touched():
    task = "tick ‘Tom's news’ and “Offers”, type \"ten o'clock\" into 'Time' and click 'Send'"
    deeds = ["Click 'Tom's news'", "Click 'Offers'", "Type 'ten o'clock' into 'TIME'"]
    assert unnamed(task, deeds) == ["Send"]
    assert unnamed(task, []) == ["Tom's news", "Offers", "ten o'clock", "Time", "Send"]
    assert names_any(["Send"], "click 'Send'\nClick 'Send'")
    assert not names_any(["Send"], "click 'Send'\nClick 'Offers'")


@pytest.mark.parametrize(
    ("thought", "before", "expected"),
    [
        ("tick Milk and press Save\nClick 'Save'", [], True),
        ("tick Milk and press Save\nClick 'Milk'", [], False),
        ("tick Milk and press Save\nClick 'Save'", ["tick Milk and press Save\nClick 'Milk'"], False),
        ("tick Milk and press Save\nClick 'Save'", ["tick Milk\nClick 'Milk'"], False),
        ("tick 'Milk and eggs'\nClick 'Milk and eggs'", [], False),
        ("save the list and press Save\nClick 'Save'", [], False),
        ("press Save\nClick 'Save'", [], False),
        ("find it and click it\nClick 'Save'", [], False),
    ],
)
def test_two_wishes_in_one_are_done_in_their_order(thought: str, before: list[str], expected: bool):
    assert runs_ahead(thought, before) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("aB3x", False), ("aB3X", True), ("ab3x", True), ("Other", False), ("it's", False), ("It's", True)],
)
def test_text_in_other_capitals(text: str, expected: bool):
    assert miscopies(text, "Type 'aB3x' into Code and then it’s Friday") is expected


def test_the_same_wish_is_the_same_words():
    assert same_wish(CITY, CITY.replace("put “L", "Put 'l").replace("”", "'")) is False
    assert same_wish(CITY, CITY.upper().replace("TYPE", "Click"))
    assert not same_wish(CITY, NEWS)
    assert not same_wish("Click 'Send'", "Click 'Send'")  # of which nothing is known
