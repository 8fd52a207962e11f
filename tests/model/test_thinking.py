"""A thought ends within its budget, outside calls, and an action always follows."""

import random
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from saccade.errors import InputError
from saccade.model.confidence import Confidence
from saccade.model.constraint import Constraint
from saccade.model.grammar import Grammars
from saccade.model.thinking import CLOSING, Thinking, Thought, repeats
from saccade.model.vocabulary import missing_bytes

from bench import _replies as replies

VOCABULARIES = {"builtin": replies.builtin, "qwen_like": replies.qwen_like}
THINK_END, CALL = "</think>", "<tool_call>"


@pytest.fixture(params=VOCABULARIES)
def grammars(request: pytest.FixtureRequest) -> Grammars:
    return Grammars(VOCABULARIES[request.param]())


def never_ending(constraint: Constraint, grammars: Grammars, rng: random.Random) -> list[int]:
    """A reply whose thought would go on for ever: random tokens, but never one that ends it."""
    ids: list[int] = []
    while not constraint.finished:
        thinking = constraint.thinking and not constraint.forced()
        for token in constraint.forced() or replies.choose(grammars.vocabulary, constraint, rng):
            text = grammars.vocabulary.texts[token]
            if thinking and (b">" in text or b"<" in text):
                break
            constraint.accept(token)
            ids.append(token)
    return ids


@pytest.mark.parametrize("budget", [0, 1, 2, 3, 16, 64, 256])
@pytest.mark.parametrize("closing", ["", CLOSING, "\n\nNow: é"])
def test_endless_thought_ends_in_its_budget(grammars: Grammars, budget: int, closing: str):
    grammar, rng = grammars.calls(replies.COMPUTER, thinking=True), random.Random(budget)
    sentence = len(grammars.vocabulary.encode(f"{closing}\n{THINK_END}"))
    for _ in range(5):
        constraint = Constraint(grammar, budget, closing)
        ids = never_ending(constraint, grammars, rng)
        assert constraint.closed_by == "budget"
        assert constraint.thinking_tokens <= budget + sentence
        assert constraint.thinking_tokens + constraint.answer_tokens == len(ids)
        reply = replies.read(grammars.vocabulary, ids, replies.COMPUTER, thinking=True)
        replies.check_action(reply)
        assert "\ufffd" not in reply.thought, "a character was cut"
        assert not reply.thought or reply.thought.endswith(closing.strip())


def test_budget_of_nothing_equals_no_thought(grammars: Grammars):
    """The prompt's `<think>` and what is forced make up the prompt that switches thinking off."""
    constraint = Constraint(grammars.calls(replies.COMPUTER, thinking=True), 0)
    text = b"<think>\n"
    while forced := constraint.forced():
        text += grammars.vocabulary.text(forced)
        for token in forced:
            constraint.accept(token)
    assert text.startswith(b"<think>\n\n</think>\n\n<tool_call>\n<function=computer_use>\n")


def test_short_thought_is_left_alone(grammars: Grammars):
    constraint = feed(Constraint(grammars.calls(replies.COMPUTER, thinking=True), 50), "Fine.\n</think>")
    assert constraint.closed_by == "model"
    assert not constraint.thinking
    assert constraint.thinking_tokens == len(grammars.vocabulary.encode("Fine.\n</think>"))
    assert constraint.answer_tokens == 0


def feed(constraint: Constraint, text: str) -> Constraint:
    for token in constraint._matcher.vocabulary.encode(text):
        assert constraint.mask()[token]
        constraint.accept(token)
    return constraint


def test_budget_never_cuts_into_a_call(grammars: Grammars):
    """A call that begins inside the thought ends it; the budget runs out inside the call and does nothing."""
    head = "So I type <tool_call>\n<function=computer_use>\n<parameter=action>\ntype\n</parameter>\n"
    spent = len(grammars.vocabulary.encode("So I type <tool_call>"))
    constraint = feed(Constraint(grammars.calls(replies.COMPUTER, thinking=True), spent), head)
    assert constraint.closed_by == "call"
    feed(constraint, "<parameter=text>\nlong, longer than any budget</think>\n</parameter>\n")
    feed(constraint, "</function>\n</tool_call>")
    assert constraint.finished
    assert constraint.thinking_tokens < spent
    assert THINK_END not in grammars.vocabulary.text(constraint.forced()).decode()


def test_action_inside_an_unclosed_thought_is_used(grammars: Grammars):
    text = "I will go back. <tool_call>\n<function=computer_use>\n<parameter=action>\nback\n</parameter>\n"
    ids = grammars.vocabulary.encode(text + "</function>\n</tool_call>")
    constraint = Constraint(grammars.calls(replies.COMPUTER, thinking=True), 100)
    for token in ids:
        constraint.accept(token)
    assert constraint.finished
    reply = replies.read(grammars.vocabulary, ids, replies.COMPUTER, thinking=True)
    assert reply.thought == "I will go back."
    assert reply.calls[0].arguments == {"action": "back"}


def test_builtin_token_that_opens_a_call_ends_the_thought():
    """One token that holds more than the marker: the rest of it belongs to the call."""
    vocabulary = replies.builtin()
    constraint = Constraint(Grammars(vocabulary).calls(replies.COMPUTER, thinking=True), 100)
    (token,) = vocabulary.encode("\n\n<tool_call>\n<function=computer_use>\n<parameter=action>\n")
    feed(constraint, "Click")
    constraint.accept(token)
    assert not constraint.thinking
    assert (constraint.thinking_tokens, constraint.answer_tokens) == (5, 1)
    (click,) = vocabulary.encode("left_click\n</parameter>\n")
    assert constraint.mask()[click]
    constraint.rollback(1)
    assert constraint.thinking


@pytest.mark.parametrize("cycle", ["a", "no, ", "Wait, let me look at the page again. "])
def test_repetition_closes_the_thought(grammars: Grammars, cycle: str):
    constraint = Constraint(grammars.calls(replies.COMPUTER, thinking=True))
    feed(constraint, "First I read it. ")
    tokens, fed = grammars.vocabulary.encode(cycle * 200), 0
    while constraint.closed_by is None:
        constraint.accept(tokens[fed])
        fed += 1
    assert constraint.closed_by == "repetition"
    assert fed <= max(49, 3 * len(grammars.vocabulary.encode(cycle)) + 1) + 2
    assert constraint.forced() == grammars.vocabulary.encode(f"{CLOSING}\n{THINK_END}")


@given(st.lists(st.integers(0, 3), max_size=300))
@settings(max_examples=200, deadline=None)
def test_repeats_says_what_it_means(ids: list[int]):
    loops = [c for c in range(1, len(ids) // 3 + 1) if cycles(ids, c, max(3 * c, 48))]
    assert repeats(ids) == bool(loops)


def cycles(ids: list[int], cycle: int, span: int) -> bool:
    return len(ids) >= span and all(ids[-i] == ids[-i - cycle] for i in range(1, span - cycle + 1))


def test_ordinary_text_does_not_repeat():
    for vocabulary in (replies.builtin(), replies.qwen_like()):
        ids = vocabulary.encode((replies.MODEL / "chat.py").read_text("utf-8"))
        assert not any(repeats(ids[max(0, n - 800) : n]) for n in range(len(ids)))


@given(st.text(max_size=8))
def test_missing_bytes(text: str):
    raw = text.encode()
    for n in range(len(raw) + 1):
        missing = missing_bytes(raw[:n])
        assert (missing == 0) == decodes(raw[:n])
        assert missing == 0 or decodes(raw[: n + missing])


def decodes(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


@given(st.integers(0, 30), st.lists(st.tuples(st.integers(0, 2**30), st.integers(0, 40)), max_size=40))
@settings(max_examples=40, deadline=None)
def test_thought_rolls_back(budget: int, steps: list[tuple[int, int]]):
    """Any walk with steps back ends where a fresh thought over the same tokens does."""
    vocabulary = replies.builtin()
    thought, ids = Thought(vocabulary, budget, "Now é"), []
    for choice, back in steps:
        if not thought.open or back > 30:
            n = min(len(ids), 1 + choice % 7)
            thought.rollback(n)
            del ids[len(ids) - n :]
            continue
        token = (thought.forced() or [choice % 2000])[0]
        thought.accept(token)
        ids.append(token)
    fresh = Thought(vocabulary, budget, "Now é")
    for token in ids:
        fresh.accept(token)
    assert (thought.open, thought.closed_by, thought.tokens) == (fresh.open, fresh.closed_by, fresh.tokens)
    assert thought.forced() == fresh.forced()


def test_thinking_is_a_checked_value():
    assert Thinking("deep", max_tokens=64) == Thinking("deep", 64)
    with pytest.raises(InputError, match="slow"):
        Thinking("slow")  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="-1"):
        Thinking(max_tokens=-1)


def test_confidence_counts_free_choices():
    meter = Confidence()
    assert (meter.minimum, meter.mean) == (1.0, 1.0)
    for probability in (0.9, 0.6, 0.9):
        meter.record(probability)
    assert meter.minimum == 0.6
    assert meter.mean == pytest.approx(0.8)
    assert meter.sure(Thinking("auto", sure_minimum=0.5, sure_mean=0.75))
    assert not meter.sure(Thinking("auto", sure_minimum=0.7, sure_mean=0.75))
    meter.rollback(2)
    assert meter.probabilities == [0.9]


def sure_of(grammars: Grammars, chance: Callable[[int], float]) -> Confidence:
    """The confidence of a model that gives the token it picks `chance` of the allowed mass."""
    constraint, meter, rng = Constraint(grammars.calls(replies.COMPUTER)), Confidence(), random.Random(1)
    while not constraint.finished:
        if constraint.free:
            meter.record(chance(int(constraint.mask().sum())))
        for token in constraint.forced() or replies.choose(grammars.vocabulary, constraint, rng):
            constraint.accept(token)
    return meter


def test_confidence_over_an_action(grammars: Grammars):
    assert not sure_of(grammars, lambda allowed: 1 / allowed).sure(Thinking())
    assert sure_of(grammars, lambda allowed: 0.99).sure(Thinking())


def test_mask_while_closing_is_the_closing(grammars: Grammars):
    constraint = Constraint(grammars.calls(replies.COMPUTER, thinking=True), 0, closing="")
    expected = torch.zeros(grammars.vocabulary.size, dtype=torch.bool)
    expected[constraint.forced()[0]] = True
    assert torch.equal(constraint.mask(), expected)
