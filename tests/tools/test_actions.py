"""Reading a model's calls: what is forgiven, what is an error, and that the schema says the same."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saccade.errors import ActionError
from saccade.tools.actions import ACTIONS, FUNCTION_NAME, computer_use_schema, parse_action

EXAMPLES = [
    {"action": "left_click", "coordinate": [512, 300]},
    {"action": "right_click", "coordinate": [0, 1000]},
    {"action": "middle_click", "coordinate": [1, 2]},
    {"action": "double_click", "coordinate": [1, 2]},
    {"action": "triple_click", "coordinate": [1, 2]},
    {"action": "mouse_move", "coordinate": [1, 2]},
    {"action": "left_click_drag", "coordinate": [3, 4], "start_coordinate": [1, 2]},
    {"action": "left_click_drag", "coordinate": [3, 4]},
    {"action": "type", "text": "lamp"},
    {"action": "type", "text": "lamp\n", "coordinate": [10, 20]},
    {"action": "key", "keys": ["ctrl", "a"]},
    {"action": "scroll", "pixels": -300.0},
    {"action": "scroll", "pixels": 300.0, "coordinate": [500, 500]},
    {"action": "hscroll", "pixels": 40.0},
    {"action": "wait", "time": 2.0},
    {"action": "goto", "url": "https://example.com"},
    {"action": "back"},
    {"action": "forward"},
    {"action": "reload"},
    {"action": "new_tab"},
    {"action": "new_tab", "url": "https://example.com"},
    {"action": "switch_tab", "tab": 1},
    {"action": "close_tab"},
    {"action": "close_tab", "tab": 0},
    {"action": "upload_file", "text": "report.pdf"},
    {"action": "upload_file", "text": "report.pdf", "coordinate": [10, 20]},
    {"action": "accept_dialog"},
    {"action": "accept_dialog", "text": "Ada"},
    {"action": "dismiss_dialog"},
    {"action": "answer", "text": "42"},
    {"action": "terminate", "status": "success"},
    {"action": "ask_user", "text": "which one?"},
]


def test_examples_cover_every_verb() -> None:
    assert {example["action"] for example in EXAMPLES} == set(ACTIONS)


@pytest.mark.parametrize("arguments", EXAMPLES, ids=str)
def test_arguments_is_the_inverse_of_parse(arguments: dict) -> None:
    action = parse_action(FUNCTION_NAME, arguments)
    assert action.arguments() == arguments
    assert json.loads(json.dumps(action.arguments())) == arguments
    assert parse_action(FUNCTION_NAME, json.dumps(arguments)) == action
    line = action.describe()
    assert line
    assert "\n" not in line
    assert "{" not in line


@pytest.mark.parametrize("arguments", EXAMPLES, ids=str)
def test_examples_satisfy_the_schema(arguments: dict) -> None:
    properties = computer_use_schema()["function"]["parameters"]["properties"]
    kinds = {"string": str, "number": (int, float), "integer": int, "array": list}
    for name, value in arguments.items():
        assert isinstance(value, kinds[properties[name]["type"]])
        assert value in properties[name].get("enum", [value])


def test_schema_names_every_parameter_once() -> None:
    function = computer_use_schema()["function"]
    parameters = function["parameters"]
    used = {name for kind in ACTIONS.values() for name in kind.model_fields}
    assert function["name"] == FUNCTION_NAME
    assert set(parameters["properties"]) == used
    assert parameters["required"] == ["action"]
    assert all(schema["description"].strip() for schema in parameters["properties"].values())
    assert "left_click_drag" in parameters["properties"]["start_coordinate"]["description"]


def test_variants_give_each_verb_its_parameters() -> None:
    variants = computer_use_schema()["function"]["parameters"]["x-variants"]
    found = {verb: each for each in variants for verb in each["properties"]["action"]["enum"]}
    assert set(found) == set(ACTIONS)
    assert sum(len(each["properties"]["action"]["enum"]) for each in variants) == len(ACTIONS)
    for verb, kind in ACTIONS.items():
        assert list(found[verb]["properties"]) == list(kind.model_fields)
        needed = {name for name, field in kind.model_fields.items() if field.is_required()}
        assert set(found[verb]["required"]) == {"action", *needed}


@pytest.mark.parametrize(
    "written",
    ["[10, 20]", "(10, 20)", "10,20", {"x": 10, "y": 20}, [10.2, 19.8], ["10", "20"], [0, 10, 20, 30]],
    ids=str,
)
def test_one_point_in_many_spellings(written: object) -> None:
    action = parse_action(FUNCTION_NAME, {"action": "left_click", "coordinate": written})
    assert action.arguments()["coordinate"] == [10, 20]


@pytest.mark.parametrize("written", ["ctrl+a", ["ctrl+a"], ["ctrl", "a"], '["ctrl", "a"]'], ids=str)
def test_one_chord_in_many_spellings(written: object) -> None:
    assert parse_action(FUNCTION_NAME, {"action": "key", "keys": written}).arguments()["keys"] == [
        "ctrl",
        "a",
    ]


def test_forgiven() -> None:
    assert parse_action("left_click", {"coordinate": [1, 2]}).action == "left_click"
    assert parse_action(FUNCTION_NAME, {"action": "Left-Click", "coordinate": [1, 2]}).action == "left_click"
    assert parse_action(FUNCTION_NAME, {"action": "back", "coordinate": [1, 2]}).arguments() == {
        "action": "back"
    }
    assert parse_action(FUNCTION_NAME, {"action": "type", "text": 42}).arguments()["text"] == "42"
    assert parse_action(FUNCTION_NAME, {"action": "scroll", "pixels": "-120"}).arguments()["pixels"] == -120
    assert parse_action(FUNCTION_NAME, {"action": "wait", "time": 9999}).arguments()["time"] == 30
    assert parse_action(FUNCTION_NAME, {"action": "close_tab", "tab": None}).arguments() == {
        "action": "close_tab"
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"action": "left_click", "coordinate": [1200, 40]}, ["1200", "0..1000"]),
        ({"action": "left_click", "coordinate": [-1, 40]}, ["-1", "0..1000"]),
        ({"action": "left_click", "coordinate": [1]}, ["[x, y]"]),
        ({"action": "left_click", "coordinate": "there"}, ["[x, y]"]),
        ({"action": "left_click"}, ["needs 'coordinate'"]),
        ({"action": "left_click", "coordinat": [1, 2]}, ["'coordinat'", "coordinate"]),
        ({"action": "leftclick", "coordinate": [1, 2]}, ["'leftclick'", "left_click"]),
        ({"action": "zzz"}, ["'zzz'", "left_click"]),
        ({"coordinate": [1, 2]}, ["'action'"]),
        ({"action": "key", "keys": ["entr"]}, ["'entr'", "enter"]),
        ({"action": "key", "keys": []}, ["list of key names"]),
        ({"action": "scroll", "pixels": "far"}, ["'far'"]),
        ({"action": "wait", "time": "nan"}, ["nan"]),
        ({"action": "terminate", "status": "done"}, ["'done'", "success"]),
        ({"action": "switch_tab", "tab": -1}, ["-1"]),
        ("[1, 2]", ["object"]),
        ('{"action": ', ["JSON"]),
    ],
    ids=str,
)
def test_errors_give_the_value_and_the_remedy(arguments: dict | str, words: list[str]) -> None:
    with pytest.raises(ActionError) as caught:
        parse_action(FUNCTION_NAME, arguments)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.sampled_from(list(ACTIONS)),
    st.dictionaries(
        st.sampled_from(
            ["coordinate", "start_coordinate", "text", "keys", "pixels", "time", "url", "tab", "status", "x"]
        ),
        JSON,
    ),
)
def test_garbage_is_an_action_or_an_action_error(verb: str, arguments: dict) -> None:
    try:
        action = parse_action(FUNCTION_NAME, {"action": verb, **arguments})
    except ActionError:
        return
    assert parse_action(FUNCTION_NAME, action.arguments()) == action
