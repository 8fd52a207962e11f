"""What of a turn is learned, and by which loss."""

import torch

from train.data import BUCKETS, X_IDS, Y_IDS, encode_turn, places
from train.tasks import Turn
from train.tasks.clause import drag
from train.tokenizer import make_tokenizer


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
    assert (found["word"] == 0).nonzero().flatten().tolist() == numbers[:2]


def test_a_turn_without_a_point_is_all_words():
    turn = Turn("Task: Wait", "Done", {"action": "terminate", "status": "success"}, None, "done")
    _, answer = encode_turn(turn, make_tokenizer())
    targets = torch.full((1, 1, 80), -100)
    targets[0, 0, : len(answer)] = torch.tensor(answer)
    found = places(targets)
    assert found["aims"].item() == 0
    assert found["word"].min() == 1
