"""Where a turn begins to go wrong."""

from collections import Counter

import pytest

from train.data import encode_turn
from train.mistakes import first_wrong, part_of, table
from train.tasks import Turn
from train.tasks.clause import aim
from train.tokenizer import make_tokenizer

STEP = aim("Type 'Ada' into 'Full name'", (10, 10, 80, 20), "type_at", text="Ada")
WISH = "Put Ada into the name"
TURN = Turn(f"Task: {WISH}", STEP.thought, STEP.action, STEP.box, "field", due=WISH)


@pytest.mark.parametrize(
    ("before", "part"),
    [
        ("", "wish"),
        ("Put Ada", "wish"),
        ("Put Ada into the name\n", "deed"),
        ("Put Ada into the name\nType 'A", "told name"),
        ("Put Ada into the name\nType 'Ada' in", "deed"),
        ("Put Ada into the name\nType 'Ada' into '", "read name"),
        ("Put Ada into the name\nType 'Ada' into 'Full name'\n</think>\n\n<tool_call>", "call"),
        ("...\n</think>\n\n<tool_call>\n<parameter=text>\nA", "text"),
        ("...\n</think>\n\n<tool_call>\n<parameter=text>\nAda\n</parameter>\n", "call"),
    ],
)
def test_a_mistake_is_charged_to_the_part_where_it_begins(before, part):
    assert part_of(TURN, before) == part


def test_a_point_that_is_off_is_no_mistake_of_wording():
    tokenizer = make_tokenizer()
    _, answer = encode_turn(TURN, tokenizer)
    moved = encode_turn(Turn(**{**vars(TURN), "action": STEP.action | {"coordinate": [1, 2]}}), tokenizer)[1]
    other = encode_turn(Turn(**{**vars(TURN), "thought": "Type 'Ida' into 'Full name'"}), tokenizer)[1]
    assert first_wrong(answer, answer) is None
    assert moved != answer
    assert first_wrong(answer, moved) is None
    at = first_wrong(answer, other)
    assert tokenizer.decode(answer[:at]).endswith("\nType '")


def test_kinds_with_the_most_mistakes_stand_first():
    found = {"link": Counter(right=9, deed=1), "field": Counter({"right": 5, "read name": 3, "wish": 2})}
    lines = table(found).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| all", "| field", "| link"]
    assert lines[2] == "| all | 20 | 70.0% | 2 | 1 | 0 | 3 | 0 | 0 |"
