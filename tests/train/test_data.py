"""Which turns are drawn; what of a turn is learned, and by which loss."""

import random
from collections import Counter, defaultdict

import pytest
import torch

from train.data import (
    BUCKETS,
    LONGEST,
    SHARES,
    X_IDS,
    Y_IDS,
    PageStream,
    encode_turn,
    longest_below,
    piece,
    places,
)
from train.render import Renderer, Scene
from train.shape import SHAPES
from train.tasks import TaskWriter, Turn
from train.tasks.clause import aim, drag
from train.tokenizer import make_tokenizer


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return rendered(96)


@pytest.fixture(scope="module")
def full() -> list[Scene]:
    return rendered(24, is_full=True)


def rendered(count: int, is_full: bool = False) -> list[Scene]:
    renderer = Renderer(8, SHAPES["trial"])
    starts = range(0, count, 8)
    found = [s for at in starts for s in renderer.render(list(range(at, at + 8)), "train", is_full)]
    renderer.close()
    return found


def drawn_lengths(scenes: list[Scene], bucket: str) -> list[int]:
    found = piece(scenes, 0, "train", bucket, make_tokenizer())
    ids, targets = torch.as_tensor(found["ids"]), torch.as_tensor(found["targets"])
    whole = ((ids != 0) | (targets != -100)).long()
    return (whole * torch.arange(1, ids.shape[2] + 1)).amax(-1).flatten().tolist()


def natural_lengths(scenes: list[Scene]) -> list[int]:
    tokenizer, lengths = make_tokenizer(), []
    for seed, scene in enumerate(scenes):
        rng = random.Random(seed)
        turns = TaskWriter(scene, rng, "train").turns(12)
        lengths += [sum(map(len, encode_turn(turn, tokenizer, rng))) for turn in turns]
    return lengths


def test_every_length_of_turn_is_trained_as_often_as_it_is_drawn(scenes, full):
    """Hardly a turn is too long for all buckets, and their shares make up for the turns that each holds."""
    natural = natural_lengths(scenes)
    assert sum(n > max(tokens for _, tokens in BUCKETS.values()) for n in natural) < 0.04 * len(natural)
    own: dict[str, float] = {}
    trained: dict[str, float] = defaultdict(float)
    for bucket in (name for name in BUCKETS if name != "named"):
        lengths = drawn_lengths(full if bucket == LONGEST else scenes[:24], bucket)
        own[bucket] = sum(n > longest_below(bucket) for n in lengths) / len(lengths)
        for n in lengths:
            trained[stratum(n)] += SHARES[bucket][1] * BUCKETS[bucket][0] / len(lengths)
    assert min(own.values()) > 0.75, own
    drawn, total = Counter(map(stratum, natural)), sum(trained.values())
    for name in ("short", "middle", "long"):
        assert trained[name] / total == pytest.approx(drawn[name] / len(natural), abs=0.07), name


def stratum(tokens: int) -> str:
    return next((name for name in ("short", "middle", "long") if tokens <= BUCKETS[name][1]), "none")


def test_shares_are_of_the_whole():
    for when in (0, 1):
        assert sum(share[when] for share in SHARES.values()) == pytest.approx(1.0)


def test_processes_of_a_team_come_to_the_same_buckets_with_pages_of_their_own():
    first, second = (PageStream(SHAPES["p10"], seed, lots=7) for seed in (7, 8))
    other = PageStream(SHAPES["p10"], 7, lots=9)
    assert [first.bucket(i) for i in range(300)] == [second.bucket(i) for i in range(300)]
    assert [first.bucket(i) for i in range(300)] != [other.bucket(i) for i in range(300)]


def test_the_second_point_of_a_drag_is_learned_as_words_are():
    step = drag("Drag 'Volume' to 40", (10, 20, 10, 10), (200, 20, 10, 10))
    turn = Turn("Task: Drag it", step.thought, step.action, step.box, "drag")
    _, answer = encode_turn(turn, make_tokenizer())
    targets = torch.full((1, 1, BUCKETS["named"][1]), -100)
    targets[0, 0, : len(answer)] = torch.tensor(answer)
    found = places(targets)
    numbers = [i for i, t in enumerate(answer) if X_IDS[0] <= t <= X_IDS[1] or Y_IDS[0] <= t <= Y_IDS[1]]
    assert len(numbers) == 4
    assert found["x_at"].item() == numbers[0]
    assert (found["word"][: len(answer)] == 0).nonzero().flatten().tolist() == numbers[:2]
    assert found["word"][len(answer) :].sum() == 0


def test_a_garbled_name_leaves_the_wish_before_it():
    """What is not learned then is the thought: the wish as the task has it, and a name that was misread."""
    step = aim("Click 'Save'", (10, 20, 30, 10))
    turn = Turn("Task: Open Jobs and hit save", step.thought, step.action, step.box, "button", due="Hit save")
    prompts, seen = set(), make_tokenizer()
    for seed in range(60):
        prompt, answer = encode_turn(turn, seen, random.Random(seed))
        thought = seen.decode([*prompt, *answer]).split("<think>\n", 1)[1].split("</think>")[0]
        prompts.add(thought.strip())
        assert "left_click" in seen.decode(answer)
    assert "Hit save\nClick 'Save'" in prompts
    assert "" in prompts
    garbled = prompts - {"Hit save\nClick 'Save'", ""}
    assert garbled
    assert all(thought.startswith("Hit save\nClick '") for thought in garbled)


@pytest.mark.parametrize(
    ("due", "thought", "verb", "letter"),
    [
        ("", "Click 'Save'", "left_click", "S"),
        ("Click 'Jobs' at last", "Click 'Jobs and more'", "left_click", "J"),
        ("Click 'Name' and type 'Ada'", "Type 'Ada' into 'Name'", "type", None),
        ("", "Open 'Country'", "left_click", None),
        ("", "Click the cross icon", "left_click", None),
    ],
)
def test_where_a_target_is_named_is_where_its_first_letter_is_written(due, thought, verb, letter):
    step = aim(thought, (10, 20, 30, 10), verb)
    turn = Turn("Task: Do it", step.thought, step.action, step.box, "button", due=due)
    prompt, answer = encode_turn(turn, make_tokenizer())
    targets = torch.full((1, 1, 120), -100)
    targets[0, 0, len(prompt) - 1 : len(prompt) + len(answer) - 1] = torch.tensor(answer)
    found = places(targets)
    assert found["named"].item() == (letter is not None)
    if letter:
        at = int(found["name_at"])
        assert make_tokenizer().decode([int(targets[0, 0, at])]) == letter
        before = make_tokenizer().decode(targets[0, 0, len(prompt) - 1 : at].tolist())
        assert before.endswith(thought[: thought.index(letter, 6)])


def test_a_turn_without_a_point_is_all_words():
    turn = Turn("Task: Wait", "Done", {"action": "terminate", "status": "success"}, None, "done")
    _, answer = encode_turn(turn, make_tokenizer())
    targets = torch.full((1, 1, 80), -100)
    targets[0, 0, : len(answer)] = torch.tensor(answer)
    found = places(targets)
    assert found["aims"].item() == 0
    assert found["word"].sum() == len(answer)
