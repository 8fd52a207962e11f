"""What training writes is what the product reads: history text, calls, tokens."""

import random
import re
from collections import Counter
from itertools import product

import pytest
from saccade.agent.memory import snapshot_text as agents_text
from saccade.model.calls import parse_reply
from saccade.tools import computer_use_schema, parse_action

from train.colloquial import COLLOQUIAL
from train.language import parse
from train.phrasebook import BOOK, STRANGE
from train.render import Renderer
from train.shape import SHAPES
from train.tasks import TaskWriter, snapshot_text
from train.tasks.wordless import wordless
from train.tokenizer import call_text, make_tokenizer
from train.words import NOUNS, Words, is_held_out

CALLS = [
    {"action": "left_click", "coordinate": [0, 1000]},
    {"action": "type", "coordinate": [512, 300], "text": 'it\'s "ünï\ncode" </b>'},
    {"action": "key", "keys": ["Enter"]},
    {"action": "scroll", "pixels": -240},
    {"action": "goto", "url": "https://lamp.example/a"},
    {"action": "terminate", "status": "success"},
    {"action": "back"},
]


@pytest.mark.parametrize("lines", [0, 1, 5, 30])
def test_history_text_is_the_agents(lines):
    history = [f"Click '{n}'" for n in range(lines)]
    assert snapshot_text("Do it", history) == agents_text("Do it", history)


@pytest.mark.parametrize("call", CALLS, ids=lambda c: c["action"])
def test_calls_survive_the_wire(call):
    schema = computer_use_schema()
    reply = parse_reply(f"Why\n</think>\n\n{call_text(call)}", [schema], thinking=True)
    assert reply.thought == "Why"
    action = parse_action(reply.calls[0].name, reply.calls[0].arguments)
    assert {k: list(v) if isinstance(v, tuple) else v for k, v in action.arguments().items()} == call


def test_deeds_are_told_as_the_agent_tells_them():
    """A history without thoughts has the very lines that the product writes for such steps."""
    renderer, told = Renderer(8, SHAPES["trial"]), Counter()
    scenes = [scene for start in range(0, 40, 8) for scene in renderer.render(list(range(start, start + 8)))]
    for seed, scene in enumerate(scenes):
        see = TaskWriter(scene, random.Random(seed), "train").see
        writer = TaskWriter(scene, random.Random(seed), "train")
        for turn in (*writer.named(40), *writer.turns(40)):
            action = parse_action("computer_use", turn.action)
            if turn.action["action"] in ("terminate", "answer", "ask_user"):
                continue
            ours, theirs = wordless([turn.thought], see)[0], action.describe()
            if turn.action["action"] == "left_click" and "coordinate" in turn.action:
                assert re.sub(r"\d+", "0", ours) == re.sub(r"\d+", "0", theirs), turn
            else:
                assert re.sub(r"\(\d+, \d+\)", "", ours) == re.sub(r"\(\d+, \d+\)", "", theirs), turn
            told[turn.action["action"]] += 1
    renderer.close()
    assert min(told[name] for name in ("left_click", "type", "key", "scroll", "mouse_move")) > 0, told


def test_tokens_give_back_every_text():
    tokenizer = make_tokenizer()
    for call in CALLS:
        text = f"Task: Ünï\nDone:\n1. Click 'a'\n</think>\n\n{call_text(call)}"
        assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text


def test_a_coordinate_is_two_tokens():
    tokenizer = make_tokenizer()
    assert tokenizer.encode("[1000, 0]").tokens == ["[1000", ", 0]"]


def test_the_word_list_widens_training_alone(monkeypatch):
    monkeypatch.setattr("train.words.word_list", lambda: ("zygote", "yodel", "quorum", "fjord"))
    rare = ("zyg", "yod", "quo", "fjo")
    said = {
        split: [Words(random.Random(i), split).noun() for i in range(200)] for split in ("train", "heldout")
    }
    assert sum(word.startswith(rare) for word in said["train"]) > 50
    assert not any(word.startswith(rare) for word in said["heldout"])


def test_held_out_words_stay_out_of_training():
    train, held_out = (Words(random.Random(7), split) for split in ("train", "heldout"))
    assert not any(is_held_out(train.pick(NOUNS)) for _ in range(300))
    assert all(is_held_out(held_out.pick(NOUNS)) for _ in range(300))


def every(templates):
    """All that they can say, parts not yet filled in."""
    pieces = [[(p,) if isinstance(p, str) else p for p in parse(template)] for template in templates]
    return {" ".join("".join(words).split()) for choices in pieces for words in product(*choices)}


@pytest.mark.parametrize("intent", sorted(STRANGE))
def test_a_strange_verb_makes_no_phrasing_that_training_must_not_see(intent):
    """It may stand where training has a verb of its own."""
    train, held_out = (every(templates) for templates in BOOK[intent])
    for said in every(STRANGE[intent]):
        like = re.compile(re.escape(said).replace(re.escape("{v}"), r"[\w-]+"), re.IGNORECASE)
        unseen = [h for h in held_out if like.fullmatch(h)]
        assert not unseen or any(like.fullmatch(t) for t in train), (said, unseen)


@pytest.mark.parametrize("intent", sorted(COLLOQUIAL))
def test_colloquial_phrasings_are_not_those_that_training_must_not_see(intent):
    assert not every(COLLOQUIAL[intent]) & every(BOOK[intent][1])
