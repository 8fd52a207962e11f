"""Training sees exactly what inference sees, and its parts do what they say."""

import json
import random
import time
from dataclasses import fields, replace

import pytest
import torch
from PIL import Image
from saccade.model.config import ModelConfig
from saccade.vision.preprocessing import ImageProcessor

from train.ablation import last_check, shape_without, table, weights_without
from train.capture import WARM, Captured
from train.data import BUCKETS, encode_turn, piece, places, to_device
from train.export import export
from train.model import OUTPUTS, Trainee, cells_in, patchify, soft_number
from train.optim import make_optimizers, orthogonalise, schedule
from train.render import Renderer, Scene
from train.shape import SHAPES, Shape
from train.tasks import TaskWriter
from train.team import Team, own_gpu, start
from train.tokenizer import make_tokenizer
from train.weights import load_checkpoint, load_shards, save_shards

SMALL = SHAPES["trial"]


@pytest.fixture(scope="module")
def scene():
    renderer = Renderer(1, SMALL)
    yield renderer.render([41])[0]
    renderer.close()


@pytest.fixture(scope="module")
def trainee() -> Trainee:
    torch.manual_seed(0)
    return Trainee(make_tokenizer(), SMALL)


def one_batch(scene: Scene, turns: int, bucket: str = "named"):
    arrays = piece([scene], 5, "train", bucket, make_tokenizer())
    arrays.pop("bucket")
    tensors = {name: torch.as_tensor(value) for name, value in arrays.items()}
    for name in ("ids", "targets", "boxes"):
        tensors[name] = tensors[name][:, :turns]
    return to_device(tensors | places(tensors["targets"]), "cpu", augment=False)


@pytest.mark.parametrize("shared", [True, False])
def test_branches_equal_whole_sequences(scene, trainee, shared):
    """The cached image expanded to branches gives what the product's forward over a whole sequence gives."""
    tokenizer, model = make_tokenizer(), trainee.model
    turns = TaskWriter(scene, random.Random(2), "train").turns(2)
    ids = [[token for part in encode_turn(turn, tokenizer) for token in part] for turn in turns]
    branches = torch.tensor([i[: min(map(len, ids))] for i in ids])
    images, prefix = torch.as_tensor(scene.image)[None], torch.tensor(trainee.prefix)
    positions, start_at = trainee.prefix_positions
    after = trainee.branch_positions(branches)
    with torch.no_grad():
        cache = trainee.see(images)[2]
        trainee.shares_prefix = shared
        branched = trainee.decode_branches(branches, after, cache, 2)[0]
        grid = torch.tensor([[1, SMALL.rows, SMALL.columns]])
        whole = model(
            torch.cat((prefix, branches[1]))[None],
            torch.cat((positions, after[:, 1]), dim=1)[:, None],
            features=model.encode_images(patchify(images, SMALL), grid),
        )
    assert int(after[0, 0, 0]) == start_at
    torch.testing.assert_close(branched[1], whole[0, len(prefix) :], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("bucket", list(BUCKETS))
def test_one_step_gives_every_loss_and_a_gradient_everywhere(scene, trainee, bucket):
    trainee.trains_mtp = True
    losses, measures = trainee(one_batch(scene, 3, bucket))
    assert set(losses) == {"token", "x", "y", "point", "look", "find", "read", "role", "mtp"}
    assert all(torch.isfinite(loss) for loss in losses.values())
    assert all(0 <= float(m) <= 1 for m in measures.values())
    trainee.zero_grad()
    torch.stack(list(losses.values())).sum().backward()
    silent = [n for n, p in trainee.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert silent == []


def test_a_batch_is_learned(scene):
    torch.manual_seed(1)
    trainee = Trainee(make_tokenizer(), SMALL)
    optimizers, batch = make_optimizers(trainee), one_batch(scene, 2)
    first = None
    for _ in range(12):
        losses, _ = trainee(batch)
        first = first or {name: float(loss.detach()) for name, loss in losses.items()}
        trainee.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        for optimizer in optimizers:
            optimizer.step()
    assert first is not None
    slower = [name for name, loss in losses.items() if float(loss.detach()) > 0.95 * first[name]]
    assert slower == []


def test_what_fills_the_lists_changes_no_loss(scene, trainee):
    batch = one_batch(scene, 3)
    count, real = int((batch.targets != -100).sum()), batch.drafts != -100
    learned = {name: getattr(batch, name)[:count] for name in ("learned", "wanted", "word")}
    cut = replace(batch, **learned, drafted=batch.drafted[real], drafts=batch.drafts[real])
    assert len(cut.learned) < len(batch.learned)
    assert len(cut.drafts) < len(batch.drafts)
    for mine, theirs in zip(trainee(batch), trainee(cut), strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_captured_step_is_the_plain_one(scene):
    torch.manual_seed(0)
    trainee = Trainee(make_tokenizer(), SMALL).cuda()
    parameters = list(trainee.parameters())
    batch = one_batch(scene, 3)
    batch = replace(batch, **{f.name: getattr(batch, f.name).cuda() for f in fields(batch)})

    def compute(batch):
        for parameter in parameters:
            parameter.grad = None
        losses, measures = trainee(batch)
        torch.stack(list(losses.values())).sum().backward()
        return {name: value.detach() for name, value in (losses | measures).items()}

    captured = Captured(compute, parameters, buckets=1)
    plain = [captured(batch) for _ in range(WARM)][-1]
    gradients = [p.grad.clone() for p in parameters if p.grad is not None]
    for _ in range(2):
        torch.testing.assert_close(captured(batch), plain, atol=1e-3, rtol=1e-3)
    assert len(captured.recorded) == 1
    torch.testing.assert_close(
        [p.grad for p in parameters if p.grad is not None], gradients, atol=1e-3, rtol=1e-2
    )


def test_a_page_without_a_target_teaches_no_coordinate(scene, trainee):
    batch = one_batch(scene, 3)
    batch.aims.zero_()
    losses, measures = trainee(batch)
    assert {name: float(losses[name].detach()) for name in ("x", "y", "point", "look")} == dict.fromkeys(
        ("x", "y", "point", "look"), 0.0
    )
    assert float(measures["hit"]) == 0.0


def test_cells_in_a_box():
    inside = cells_in(torch.tensor([[40.0, 20.0, 40.0, 20.0], [41.0, 21.0, 3.0, 3.0]]), SMALL)
    assert inside.view(2, SMALL.rows, SMALL.columns).nonzero().tolist() == [[0, 1, 2], [0, 1, 3], [1, 1, 2]]


def test_soft_numbers_peak_at_the_number():
    bell = soft_number(torch.tensor([0, 512, 1000]), 6.0)
    assert bell.argmax(-1).tolist() == [0, 512, 1000]
    torch.testing.assert_close(bell.sum(-1), torch.ones(3))


@pytest.mark.parametrize("shape", [(3, 16, 40), (2, 40, 16)])
def test_orthogonalised_matrices_have_singular_values_near_one(shape):
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalise(torch.randn(shape)).float())
    assert values.min() > 0.4
    assert values.max() < 1.6


def test_the_rate_warms_up_holds_and_falls():
    rates = [schedule(p, s) for p, s in [(0, 0), (0.2, 1000), (0.5, 1000), (0.9, 1000), (1, 1000)]]
    assert rates[0] < 0.02
    assert rates[1] == rates[2] == 1
    assert rates[2] > rates[3] > rates[4] > 0


@pytest.mark.parametrize("name", list(SHAPES))
def test_every_shape_is_a_model_that_tiles_the_screen(name):
    shape = SHAPES[name]
    config = ModelConfig.from_dict(shape.config(make_tokenizer()))
    assert (shape.rows * shape.patch, shape.columns * shape.patch) == (360, 480)
    assert config.text.layer_types.count("linear_attention") == 3 * len(shape.attention_at)
    assert len(config.vision.deepstack_visual_indexes) >= 2


@pytest.mark.parametrize("name", ["p10", "p12"])
def test_patches_are_those_of_the_products_processor(scene, name, tmp_path):
    shape = SHAPES[name]
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(shape.preprocessor()))
    pixels, grid = ImageProcessor.from_pretrained(tmp_path)([Image.fromarray(scene.image)])
    assert grid.tolist() == [[1, shape.rows, shape.columns]]
    torch.testing.assert_close(patchify(torch.as_tensor(scene.image)[None], shape), pixels, atol=1e-5, rtol=0)


def test_what_was_trained_is_exported_and_trained_on_in_another_shape(trainee, tmp_path, monkeypatch):
    monkeypatch.setattr("train.export.HEADS", tmp_path / "heads.safetensors")
    monkeypatch.setattr("train.weights.HEADS", tmp_path / "heads.safetensors")
    save_shards(trainee, tmp_path)
    assert load_shards(tmp_path).keys() == trainee.state_dict().keys()
    export(tmp_path, SMALL, tmp_path / "checkpoint")
    again = Trainee(make_tokenizer(), Shape(24, 128, 3, 4, (1,)))
    load_checkpoint(tmp_path / "checkpoint", again)
    before, after = trainee.model.language_model.layers, again.model.language_model.layers
    for old, new in ((0, 0), (1, 2), (2, 1), (3, 3)):
        expected = before[old].state_dict()
        for key, tensor in after[new].state_dict().items():
            torch.testing.assert_close(tensor, expected[key].bfloat16().float())
    assert again.model.visual.patch_embed.proj.weight.shape[-1] == 24  # type: ignore[union-attr]


def test_what_ships_may_be_the_mean_of_before_and_after(trainee, tmp_path, monkeypatch):
    monkeypatch.setattr("train.export.HEADS", tmp_path / "heads.safetensors")
    monkeypatch.setattr("train.weights.HEADS", tmp_path / "heads.safetensors")
    save_shards(trainee, tmp_path)
    export(tmp_path, SMALL, tmp_path / "before")
    other = Trainee(make_tokenizer(), SMALL)
    save_shards(other, tmp_path)
    export(tmp_path, SMALL, tmp_path / "middle", tmp_path / "before")
    again = Trainee(make_tokenizer(), SMALL)
    assert load_checkpoint(tmp_path / "middle", again) == []
    means = {
        k: (a.bfloat16() + other.state_dict()[k].bfloat16()) / 2 for k, a in trainee.state_dict().items()
    }
    torch.testing.assert_close(again.state_dict(), means, check_dtype=False, atol=1e-3, rtol=1e-2)
    deeper = replace(SMALL, vision_depth=SMALL.vision_depth + 1)
    with pytest.raises(SystemExit, match=r"middle has another shape: model\.visual\.blocks"):
        export(tmp_path, deeper, tmp_path / "deeper", tmp_path / "middle")


@pytest.mark.parametrize("attention_at", [(2, 6), (2, 6, 10)])
def test_a_deeper_network_begins_as_the_one_it_grew_from(scene, trainee, tmp_path, monkeypatch, attention_at):
    monkeypatch.setattr("train.export.HEADS", tmp_path / "heads.safetensors")
    monkeypatch.setattr("train.weights.HEADS", tmp_path / "heads.safetensors")
    save_shards(trainee, tmp_path)
    export(tmp_path, SMALL, tmp_path / "checkpoint")
    same, grown = (
        Trainee(make_tokenizer(), shape)
        for shape in (
            SMALL,
            replace(SMALL, decoder_depth=4 * len(attention_at), attention_at=attention_at, looks=0),
        )
    )
    for each in (same, grown):
        load_checkpoint(tmp_path / "checkpoint", each)
    batch = one_batch(scene, 3)
    with torch.no_grad():
        (before, _), (after, _) = same(batch), grown(batch)
    for name, loss in before.items():
        torch.testing.assert_close(after[name], loss, msg=name)
    copied = dict(same.model.language_model.layers[3].named_parameters())
    for name, p in grown.model.language_model.layers[7].named_parameters():
        torch.testing.assert_close(p, torch.zeros_like(p) if name.endswith(OUTPUTS) else copied[name])
    torch.stack(list(grown(batch)[0].values())).sum().backward()
    for name, p in grown.model.language_model.layers[6].named_parameters():
        assert not name.endswith(OUTPUTS) or (p.grad is not None and p.grad.any()), name


def meet(team: Team, folder) -> None:
    """One process of two: its own gradient, the mean of both."""
    parameters = [torch.nn.Parameter(torch.zeros(3)), torch.nn.Parameter(torch.zeros(2, 2))]
    parameters[0].grad = torch.full((3,), float(team.rank))
    if team.rank:
        parameters[1].grad = torch.ones(2, 2)
    team.average_gradients(parameters)
    mean = [p.grad for p in parameters]
    torch.save((mean, team.agree(10.0 * team.rank)), folder / f"{team.rank}.pt")


def test_a_team_averages_gradients_and_agrees(tmp_path):
    start(meet, tmp_path, 2, "cpu")
    for rank in (0, 1):
        (first, second), agreed = torch.load(tmp_path / f"{rank}.pt")
        assert first.tolist() == [0.5] * 3
        assert second.tolist() == [[0.5, 0.5]] * 2
        assert agreed == 5.0


def fail_or_wait(team: Team, _: object) -> None:
    if team.rank == 0:
        raise RuntimeError("no space left")
    time.sleep(600)


def test_where_one_of_a_team_fails_the_others_end():
    with pytest.raises(Exception, match="no space left"):
        start(fail_or_wait, None, 2, "cpu")


@pytest.mark.parametrize(("rank", "visible", "own"), [(0, "", "0"), (1, "", "1"), (1, "4,6", "6")])
def test_a_process_of_a_team_sees_its_own_gpu(rank, visible, own):
    assert own_gpu(rank, visible) == own


def test_a_process_without_a_gpu_says_how_many_there_are():
    with pytest.raises(ValueError, match=r"names 1; give fewer --gpus"):
        own_gpu(1, "GPU-5a")


def test_a_model_without_deepstack_learns_as_well(scene):
    """No tap, no merger; every parameter that is left gets its gradient."""
    trainee = Trainee(make_tokenizer(), shape_without(SMALL, ["deepstack"]))
    assert len(trainee.model.visual.deepstack_merger_list) == 0
    losses, _ = trainee(one_batch(scene, 3))
    torch.stack(list(losses.values())).sum().backward()
    unmoved = [name for name, p in trainee.model.visual.named_parameters() if p.grad is None]
    assert not unmoved


def test_no_weight_but_the_pointers_is_lost_without_them():
    weights = {"token": 1.0, "x": 0.5, "point": 0.5, "look": 0.5, "find": 0.3}
    nothing = {"point": 0.0, "look": 0.0, "find": 0.0}
    assert weights_without(weights, ["pointer"]) == {"token": 1.0, "x": 0.5, **nothing}
    assert weights_without(weights, ["thoughts"]) == weights


@pytest.mark.parametrize("split", ["train", "heldout"])
def test_without_thoughts_every_answer_begins_with_its_call(scene, split):
    tokenizer = make_tokenizer()
    arrays = piece([scene], 5, split, "named", tokenizer, thoughts=False)
    answers = [targets[targets != -100] for targets in arrays["targets"][0]]
    said = [tokenizer.decode(a.tolist(), skip_special_tokens=False) for a in answers if len(a)]
    assert said
    assert all(text.startswith("\n\n<tool_call>") for text in said)


def test_a_table_of_what_parts_are_worth(tmp_path):
    rows = [
        {"step": 50, "loss_token": 1.0},
        {"step": 100, "held_out": {"read": 0.5, "point": 0.25, "hit": 0.2, "exact": 0.1}},
    ]
    (tmp_path / "log-0.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"step": 120}]))
    assert (
        table({"everything": last_check(tmp_path)}).splitlines()[-1]
        == "| everything | 100 | 50.0% | 25.0% | 20.0% | 10.0% |"
    )
