"""What the grammar lets a model write is read as what was asked for; rollback and jump-forward are exact."""

import json
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from saccade.errors import CheckpointError, InputError
from saccade.model.constraint import Constraint
from saccade.model.grammar import Grammar, Grammars
from saccade.model.vocabulary import Vocabulary
from saccade.tools.actions import ACTIONS, parse_action
from tokenizers import Tokenizer, models

from bench import _replies as replies

HEAD = "<tool_call>\n<function=computer_use>\n<parameter=action>\n"
VOCABULARIES = [replies.builtin, replies.qwen_like]


@pytest.fixture(params=VOCABULARIES, ids=lambda make: make.__name__)
def grammars(request: pytest.FixtureRequest) -> Grammars:
    return Grammars(request.param())


def ending(grammar: Grammar, text: str) -> Constraint | None:
    """The constraint after a text; None when the text is not allowed."""
    constraint = Constraint(grammar)
    for token in grammar.vocabulary.encode(text):
        if not constraint.mask()[token]:
            return None
        constraint.accept(token)
    return constraint


def allows(grammar: Grammar, text: str) -> bool:
    """Whether a text is a whole reply."""
    constraint = ending(grammar, text)
    return constraint is not None and bool(constraint.mask()[sorted(grammar.vocabulary.stop_ids)].all())


def call(body: str, name: str = "computer_use") -> str:
    return f"<tool_call>\n<function={name}>\n{body}</function>\n</tool_call>"


def parameters(**values: str) -> str:
    return "".join(f"<parameter={name}>\n{value}\n</parameter>\n" for name, value in values.items())


@pytest.mark.parametrize("case", replies.CASES, ids=lambda case: case.name)
def test_random_replies_are_read(case: replies.Case):
    grammar = case.compile()
    assert sum(case.write(grammar, seed) for seed in range(80)) > 80


@pytest.mark.parametrize("verb", ACTIONS)
def test_every_action_can_be_written(grammars: Grammars, verb: str):
    examples = {
        "coordinate": [512, 300],
        "start_coordinate": [0, 1000],
        "text": "a\n</b> <think>",
        "keys": ["ctrl", "a"],
    }
    examples |= {"pixels": -300, "time": 1.5, "url": "https://example.org", "tab": 2, "status": "failure"}
    fields = [name for name in ACTIONS[verb].model_fields if name != "action"]
    action = parse_action("computer_use", {"action": verb, **{name: examples[name] for name in fields}})
    values = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in action.arguments().items()
    }
    for order in (list(values), ["action", *[name for name in reversed(values) if name != "action"]]):
        text = call(parameters(**{name: values[name] for name in order}))
        assert allows(grammars.calls(replies.COMPUTER), text)
        assert allows(grammars.calls(replies.COMPUTER, thinking=True), f"Because.\n</think>\n\n{text}")
        assert allows(grammars.calls(replies.COMPUTER, thinking=True), f"Well, {text}")
    body = json.dumps({"name": "computer_use", "arguments": action.arguments()}, ensure_ascii=False)
    assert allows(grammars.calls(replies.COMPUTER, form="json"), f"<tool_call>\n{body}\n</tool_call>")


@pytest.mark.parametrize(
    "body",
    [
        parameters(action="left_click"),
        parameters(action="left_click", coordinate="[1, 1001]"),
        parameters(action="left_click", coordinate="[1]"),
        parameters(action="left_click", coordinate="[1, 2, 3]"),
        parameters(action="left_click", coordinate="[1.5, 2]"),
        parameters(action="left_click", coordinate="[1, 2]", text="x"),
        parameters(action="left_click", coordinate="[1, 2]") + parameters(coordinate="[1, 2]"),
        parameters(action="click", coordinate="[1, 2]"),
        parameters(action="key", keys="[]"),
        parameters(action="key", keys='["nokey"]'),
        parameters(action="key", keys='["EſC"]'),
        parameters(action="scroll", pixels="1e999"),
        parameters(action="scroll", pixels="NaN"),
        parameters(action="switch_tab", tab="-1"),
        parameters(action="terminate", status="done"),
        parameters(action="goto", url=""),
        parameters(action="answer", text="a\n</parameter>\n<parameter=status>\nb"),
        parameters(text="a", action="answer"),
        "",
    ],
)
def test_no_other_action_can_be_written(grammars: Grammars, body: str):
    assert not allows(grammars.calls(replies.COMPUTER), call(body))


def test_scaffolding_is_forced_in_the_tokenizers_own_spelling(grammars: Grammars):
    """Following the tokenizer's own spelling of a call, what is forced is always what comes next in it."""
    text = call(parameters(action="left_click", coordinate="[512, 300]"))
    ids, position, chosen = grammars.vocabulary.encode(text), 0, 0
    constraint = Constraint(grammars.calls(replies.COMPUTER))
    while not constraint.finished:
        forced = constraint.forced()
        assert forced == ids[position : position + len(forced)]
        chosen += not forced
        for token in forced or ids[position : position + 1]:
            assert constraint.mask()[token]
            constraint.accept(token)
            position += 1
    assert position == len(ids)
    assert chosen <= 12, "a name, two numbers, and the places between them"


def test_builtin_spellings_are_offered():
    """The tokens that the built-in model was trained on are allowed where their text is."""
    grammars = Grammars(replies.builtin())
    after_type = ending(grammars.calls(replies.COMPUTER), HEAD + "type\n</parameter>\n")
    assert after_type
    assert not after_type.forced()  # `<parameter=` is certain, but two tokens go on from it
    allowed = after_type.mask()
    for name in ("text", "coordinate"):
        (token,) = grammars.vocabulary.encode(f"<parameter={name}>\n")
        assert allowed[token]
    (click,) = grammars.vocabulary.encode("<parameter=status>\n")
    assert not allowed[click]


def test_closed_thought_leads_straight_into_the_call():
    constraint = ending(
        Grammars(replies.builtin()).calls(replies.COMPUTER, thinking=True), "Why not\n</think>"
    )
    assert constraint
    assert constraint.forced() == replies.builtin().encode(f"\n\n{HEAD}")


def test_rollback_equals_a_fresh_start(grammars: Grammars):
    rng = random.Random(3)
    makers = [
        lambda: Constraint(grammars.calls(replies.COMPUTER, thinking=True), max_thinking_tokens=9),
        lambda: Constraint(grammars.calls(replies.USER_TOOLS, choice="auto", parallel=True)),
        lambda: Constraint(grammars.answer(replies.Everything, thinking=True)),
    ]
    for make in makers * 4:
        constraint, ids = make(), []
        for _ in range(120):
            if ids and rng.random() < 0.25:
                n = rng.randint(1, len(ids))
                constraint.rollback(n)
                del ids[-n:]
                assert_same(constraint, replay(make(), ids))
            if constraint.finished:
                continue
            for token in constraint.forced() or replies.choose(grammars.vocabulary, constraint, rng):
                constraint.accept(token)
                ids.append(token)
                if constraint.finished:
                    break
        assert_same(constraint, replay(make(), ids))


def replay(constraint: Constraint, ids: list[int]) -> Constraint:
    for token in ids:
        constraint.accept(token)
    return constraint


def assert_same(one: Constraint, other: Constraint) -> None:
    assert torch.equal(one.mask(), other.mask())
    assert one.forced() == other.forced()
    assert (one.thinking, one.finished, one.closed_by) == (other.thinking, other.finished, other.closed_by)
    assert (one.thinking_tokens, one.answer_tokens) == (other.thinking_tokens, other.answer_tokens)


def test_stop_token_ends_and_can_be_taken_back(grammars: Grammars):
    stop = min(grammars.vocabulary.stop_ids)
    constraint = ending(grammars.text(), "Hello")
    assert constraint
    assert not constraint.finished
    constraint.accept(stop)
    assert constraint.finished
    constraint.rollback(1)
    assert not constraint.finished
    assert constraint.mask()[grammars.vocabulary.encode(" there")[0]]


def test_forced_text_leaves_masks_alone(grammars: Grammars):
    constraint = Constraint(grammars.calls(replies.COMPUTER))
    before = constraint.mask().clone()
    constraint.forced()
    constraint.accept(constraint.forced()[0])
    constraint.rollback(1)
    assert torch.equal(constraint.mask(), before)


def test_control_tokens_are_never_text(grammars: Grammars):
    vocabulary = grammars.vocabulary
    control = [vocabulary.tokenizer.token_to_id(text) for text in replies.CONTROL]
    control += list(range(vocabulary.tokenizer.get_vocab_size(), vocabulary.size))
    for grammar in (grammars.text(thinking=True), grammars.text()):
        allowed = Constraint(grammar).mask()
        assert allowed.shape == (vocabulary.size,)
        wanted = {token for token in control if allowed[token]}
        assert wanted == (set() if grammar.thinking else set(vocabulary.stop_ids))


def test_free_positions_are_choices_of_the_answer(grammars: Grammars):
    grammar = grammars.calls(replies.COMPUTER, thinking=True)
    constraint = Constraint(grammar)
    assert not constraint.free, "a thought is no answer"
    constraint = ending(grammar, "Hm\n</think>")
    assert constraint
    assert not constraint.free, "the head of the call is forced"
    while forced := constraint.forced():
        for token in forced:
            constraint.accept(token)
    assert constraint.free


def test_tool_choice(grammars: Grammars):
    search = call(parameters(query="lamps"), "search")
    auto = grammars.calls(replies.USER_TOOLS, choice="auto")
    assert allows(auto, "It is five.")
    assert allows(auto, f"Let me look.\n\n{search}")
    assert not allows(auto, f"{search}\n{search}")
    assert allows(grammars.calls(replies.USER_TOOLS, choice="auto", parallel=True), f"{search}\n{search}")
    assert not allows(grammars.calls(replies.USER_TOOLS, choice="required"), "It is five.")
    assert allows(grammars.calls(replies.USER_TOOLS, choice="search"), search)
    assert not allows(grammars.calls(replies.USER_TOOLS, choice="everything"), search)
    assert not allows(grammars.calls(replies.USER_TOOLS, choice="none"), search)
    assert allows(grammars.calls([], choice="auto"), "It is five.")


def test_compiled_once_per_tools_and_format(grammars: Grammars):
    first = grammars.calls(replies.COMPUTER)
    assert grammars.calls([json.loads(json.dumps(replies.COMPUTER[0]))]) is first
    assert grammars.calls(replies.COMPUTER, form="json") is not first


# A delete character is written only as an escape.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x7f"), max_size=5)
LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | TEXT
JSON = st.recursive(LEAVES, lambda it: st.lists(it, max_size=3) | st.dictionaries(TEXT, it, max_size=3))


@given(JSON)
@settings(max_examples=40, deadline=None)
def test_json_schema_mode_takes_json_as_templates_write_it(value):
    grammar = Grammars(replies.qwen_like()).answer(
        {"type": "object", "properties": {"it": {}}, "required": ["it"]}
    )
    assert allows(grammar, json.dumps({"it": value}, ensure_ascii=False))
    assert not allows(grammar, json.dumps({"it": value, "more": 1}))


def test_schema_without_tag_and_union_at_the_top(grammars: Grammars):
    shapes = [{"type": "object", "properties": {"side": {"type": "integer"}}, "required": ["side"]}]
    shapes += [{"type": "object", "properties": {"radius": {"type": "integer"}}, "required": ["radius"]}]
    schema = {"properties": {"name": {"type": "string"}}, "anyOf": shapes, "required": ["name"]}
    grammar = grammars.calls([{"type": "function", "function": {"name": "draw", "parameters": schema}}])
    assert allows(grammar, call(parameters(name="x", side="1"), "draw"))
    assert allows(grammar, call(parameters(radius="1", name="x"), "draw"))
    assert not allows(grammar, call(parameters(name="x"), "draw"))


def test_tool_without_parameters(grammars: Grammars):
    tool = {"type": "function", "function": {"name": "now"}}
    assert allows(grammars.calls([tool]), call("", "now"))
    text = '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'
    assert allows(grammars.calls([tool], form="json"), text)


def test_what_cannot_be_enforced_is_said(grammars: Grammars, caplog: pytest.LogCaptureFixture):
    loose = grammars.answer({"type": "array", "uniqueItems": True, "items": {"type": "integer"}})
    assert "uniqueItems" in loose.loosened[0]
    assert "uniqueItems" in caplog.text
    with pytest.raises(InputError, match="look-around"):
        grammars.answer({"type": "string", "pattern": "(?=x)y"})
    with pytest.raises(InputError, match="no tool 'fly'"):
        grammars.calls(replies.COMPUTER, choice="fly")
    with pytest.raises(InputError, match="cannot be written"):
        grammars.calls([{"function": {"name": "a>b", "parameters": {}}}])


def test_answer_takes_pydantic_models(grammars: Grammars):
    class Price(BaseModel):
        amount: float
        currency: str

    grammar = grammars.answer(Price)
    assert allows(grammar, '{"amount": 12.5, "currency": "EUR"}')
    assert not allows(grammar, '{"currency": "EUR", "amount": 12.5}'), "in the order of the schema"


def test_vocabulary_bytes_are_what_the_decoder_writes(grammars: Grammars):
    vocabulary = grammars.vocabulary
    for token in range(vocabulary.tokenizer.get_vocab_size()):
        if text := vocabulary.texts[token]:
            written = vocabulary.tokenizer.decode([token], skip_special_tokens=False)
            assert text.decode(errors="replace") == written


def test_vocabulary_of_other_tokenizers_is_refused():
    with pytest.raises(CheckpointError, match="byte-level"):
        Vocabulary(Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="a")), 2, [1])
