"""Training sees exactly what inference sees, and its parts do what they say."""

import random

import pytest
import torch

from train.data import encode_turn, piece, places, to_device
from train.model import COLUMNS, ROWS, Trainee, patchify, soft_number
from train.optim import orthogonalise
from train.render import Renderer
from train.tasks import TaskWriter
from train.tokenizer import make_tokenizer


@pytest.fixture(scope="module")
def scene():
    renderer = Renderer(1)
    yield renderer.render([41])[0]
    renderer.close()


@pytest.fixture(scope="module")
def trainee():
    torch.manual_seed(0)
    torch.set_num_threads(2)
    return Trainee(make_tokenizer())


def test_branches_equal_whole_sequences(scene, trainee):
    """The cached image expanded to branches gives what one pass over screenshot and turn gives."""
    tokenizer, model = make_tokenizer(), trainee.model
    turns = TaskWriter(scene, random.Random(2), "train").turns(2)
    ids = [[token for part in encode_turn(turn, tokenizer) for token in part] for turn in turns]
    length = min(map(len, ids))
    branches = torch.tensor([i[:length] for i in ids])
    prefix = torch.tensor(trainee.prefix)
    with torch.no_grad():
        features = model.encode_images(
            patchify(torch.as_tensor(scene.image)[None]), torch.tensor([[1, ROWS, COLUMNS]])
        )
        positions, start = trainee._positions(prefix)
        cache = model.empty_cache()
        model(prefix[None], positions[:, None], cache, features)
        after = (start + torch.arange(length)).expand(3, 2, -1)
        branched = model(branches, after, cache.expand(2))
        whole = model(
            torch.cat((prefix, branches[1]))[None],
            torch.cat((positions, after[:, 1]), dim=1)[:, None],
            features=features,
        )
    torch.testing.assert_close(branched[1], whole[0, len(prefix) :], rtol=1e-3, atol=1e-3)


def test_one_step_gives_every_loss_and_a_gradient_everywhere(scene, trainee):
    arrays = piece([scene], 5, "train", "short", make_tokenizer())
    arrays.pop("bucket")
    tensors = {name: torch.as_tensor(value) for name, value in arrays.items()}
    for name in ("ids", "targets", "boxes"):
        tensors[name] = tensors[name][:, :3]
    trainee.trains_mtp = True
    losses, measures = trainee(to_device(tensors | places(tensors["targets"]), "cpu", augment=False))
    assert set(losses) == {"token", "x", "y", "point", "look", "read", "role", "mtp"}
    assert all(torch.isfinite(loss) for loss in losses.values())
    assert all(0 <= float(m) <= 1 for m in measures.values())
    torch.stack(list(losses.values())).sum().backward()
    silent = [n for n, p in trainee.named_parameters() if p.grad is None]
    assert silent == []


def test_soft_numbers_peak_at_the_number():
    bell = soft_number(torch.tensor([0, 512, 1000]), 6.0)
    assert bell.argmax(-1).tolist() == [0, 512, 1000]
    torch.testing.assert_close(bell.sum(-1), torch.ones(3))


@pytest.mark.parametrize("shape", [(3, 16, 40), (2, 40, 16)])
def test_orthogonalised_matrices_have_singular_values_near_one(shape):
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalise(torch.randn(shape)).float())
    assert values.min() > 0.4
    assert values.max() < 1.4
