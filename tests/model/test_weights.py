"""Loading is exact, or fails with one line that names thing and remedy; `transformers` reads what we save."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from saccade.errors import CheckpointError
from saccade.model.checkpoint import INDEX, SINGLE
from saccade.model.config import ModelConfig
from saccade.model.vlm import VisionLanguageModel
from saccade.model.weights import load_model, save_model
from safetensors.torch import load_file, save_file
from torch import Tensor

from . import tiny
from .conftest import Pair
from .test_parity import TWO, difference, our_logits

EXPERT = "model.language_model.layers.0.mlp.experts"
Edit = Callable[[dict[str, Tensor]], object]


@pytest.fixture
def folder(hybrid: Pair, tmp_path: Path) -> Path:
    return Path(shutil.copytree(hybrid.folder, tmp_path / "checkpoint"))


def edit(folder: Path, change: Edit) -> None:
    tensors = load_file(folder / SINGLE)
    change(tensors)
    save_file(tensors, folder / SINGLE, metadata={"format": "pt"})


def refused(folder: Path) -> str:
    with pytest.raises(CheckpointError) as error:
        load_model(folder)
    message = str(error.value)
    assert "\n" not in message
    assert ": " in message  # fact: remedy
    return message


def test_saved_weights_give_the_same_logits_in_transformers(pair: Pair, tmp_path: Path):
    save_model(pair.ours, tmp_path, max_shard_bytes=60_000)
    assert (tmp_path / INDEX).is_file()
    again, report = type(pair.reference).from_pretrained(
        tmp_path, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    ids = tiny.prompt([], 1, 20)
    assert difference(tiny.reference_logits(again.eval(), ids), our_logits(pair, ids)) < 1e-4


def test_saved_weights_load_again(pair: Pair, tmp_path: Path):
    for shard_bytes in (60_000, 10**9):  # the second save replaces the first
        save_model(pair.ours, tmp_path, shard_bytes)
        again = load_model(tmp_path)
        assert again.config == pair.ours.config
        for (name, a), (other, b) in zip(pair.ours.named_parameters(), again.named_parameters(), strict=True):
            assert name == other
            assert torch.equal(a, b)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", SINGLE]


def test_a_trained_model_saves_and_loads_in_half_precision(hybrid: Pair, tmp_path: Path):
    save_model(hybrid.ours, tmp_path)
    model = load_model(tmp_path, dtype=torch.bfloat16)
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert not any(p.requires_grad for p in model.parameters())
    save_model(model.requires_grad_(True), tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["dtype"] == "bfloat16"
    assert load_model(tmp_path).get_parameter("lm_head.weight").dtype == torch.bfloat16


def test_both_layouts_of_experts(pair: Pair, tmp_path: Path):
    """`transformers` writes one layout, we write the other; both give the same network."""
    save_model(pair.ours, tmp_path)
    ids = tiny.prompt([], 1, 9)
    assert torch.equal(our_logits(pair, ids), our_logits(replace(pair, ours=load_model(tmp_path)), ids))


@pytest.mark.parametrize(("dim", "width"), [(40, 20), (20, 20), (24, 20)])
def test_transposed_experts_of_every_shape(dim: int, width: int, tmp_path: Path):
    """Also where D = 2I or D = I, and one of the two tensors alone could be read either way."""
    raw = _vl_moe_config(dim, width)
    torch.manual_seed(0)
    model = VisionLanguageModel(ModelConfig.from_dict(raw))
    save_model(model, tmp_path)
    official = load_file(tmp_path / SINGLE)
    assert list(official[f"{EXPERT}.gate_up_proj"].shape) == [6, dim, 2 * width]
    assert list(official[f"{EXPERT}.down_proj"].shape) == [6, width, dim]
    for layout in ("official", "straight"):
        again = load_model(tmp_path)
        for name in ("gate_up_proj", "down_proj"):
            ours = f"{EXPERT}.{name}".removeprefix("model.")
            assert torch.equal(again.get_parameter(ours), model.get_parameter(ours)), layout
        edit(tmp_path, lambda t: t.update({k: v.mT.contiguous() for k, v in t.items() if ".experts." in k}))


def _vl_moe_config(dim: int, width: int) -> dict:
    kind, text, vision, top = tiny.CONFIGS["vl-moe"]
    text = {**text, "hidden_size": dim, "moe_intermediate_size": width}
    vision = {**vision, "out_hidden_size": dim}
    return {"model_type": kind, "text_config": text, "vision_config": vision, **tiny.SPECIAL, **top}


def test_per_expert_names(folder: Path, hybrid: Pair):
    names = set(load_file(folder / SINGLE))
    assert f"{EXPERT}.5.up_proj.weight" in names
    assert f"{EXPERT}.gate_up_proj" not in names
    assert torch.equal(
        load_model(folder).get_parameter(f"{EXPERT}.gate_up_proj".removeprefix("model."))[5, 20:],
        load_file(folder / SINGLE)[f"{EXPERT}.5.up_proj.weight"],
    )


def test_a_tied_head_may_be_stored_but_must_be_equal(make_pair, tmp_path: Path):
    folder = Path(shutil.copytree(make_pair("dense-tied").folder, tmp_path / "checkpoint"))
    embedding = "model.language_model.embed_tokens.weight"
    edit(folder, lambda t: t.update({"lm_head.weight": t[embedding].clone()}))
    assert load_model(folder).lm_head is None
    edit(folder, lambda t: t["lm_head.weight"].add_(1))
    assert "lm_head.weight" in refused(folder)


def test_a_prediction_head_is_present_or_absent(make_pair, tmp_path: Path):
    config = replace(make_pair("dense").ours.config)
    config = replace(config, text=replace(config.text, mtp_num_hidden_layers=1))
    save_model(VisionLanguageModel(config), tmp_path)
    names = set(load_file(tmp_path / SINGLE))
    assert len([name for name in names if name.startswith("mtp.")]) == 15
    assert load_model(tmp_path).mtp is not None
    edit(tmp_path, lambda t: [t.pop(name) for name in names if name.startswith("mtp.")])
    without = load_model(tmp_path)
    assert without.mtp is None
    assert without.config.text.mtp_num_hidden_layers == 0


def test_half_a_prediction_head_is_refused(make_pair, tmp_path: Path):
    config = make_pair("dense").ours.config
    config = replace(config, text=replace(config.text, mtp_num_hidden_layers=1))
    save_model(VisionLanguageModel(config), tmp_path)
    edit(tmp_path, lambda t: t.pop("mtp.fc.weight"))
    assert "mtp.fc.weight is missing" in refused(tmp_path)


NORM = "model.language_model.layers.2.input_layernorm.weight"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop(NORM), (NORM, "is missing", "download")),
        (lambda t: t.pop(f"{EXPERT}.3.down_proj.weight"), (f"{EXPERT}.3.down_proj.weight", "is missing")),
        (lambda t: t.update({"model.visual.extra": torch.ones(1)}), ("model.visual.extra", "no part")),
        (lambda t: t.update({NORM: torch.ones(47)}), (NORM, "[47]", "[48]", SINGLE)),
        (lambda t: t.update({"lm_head.weight": torch.ones(48, 320)}), ("lm_head.weight", "[48, 320]")),
        (lambda t: t[NORM].fill_(torch.nan), (NORM, "NaN", SINGLE)),
        (lambda t: t["lm_head.weight"][3].fill_(torch.inf), ("lm_head.weight", "infinity")),
        (lambda t: t.update({NORM: torch.ones(48, dtype=torch.int8)}), (NORM, "I8")),
        (lambda t: t.update({NORM: torch.ones(48).to(torch.float8_e4m3fn)}), (NORM, "F8_E4M3")),
        (lambda t: t.clear(), ("is missing",)),
    ],
)
def test_wrong_tensors_are_named(folder: Path, change: Edit, words: tuple[str, ...]):
    edit(folder, change)
    message = refused(folder)
    assert all(word in message for word in words), message


def test_a_truncated_file_is_named(folder: Path):
    data = (folder / SINGLE).read_bytes()
    for size in (0, 4, 100, len(data) // 2, len(data) - 1):
        (folder / SINGLE).write_bytes(data[:size])
        assert SINGLE in refused(folder)
    (folder / SINGLE).write_bytes(b"\x80\x04." + data)
    assert SINGLE in refused(folder)


def test_shards(hybrid: Pair, tmp_path: Path):
    save_model(hybrid.ours, tmp_path, 60_000)
    shard = sorted(tmp_path.glob("model-*.safetensors"))[1]
    data = shard.read_bytes()
    shard.write_bytes(data[: len(data) // 2])
    assert shard.name in refused(tmp_path)
    shard.unlink()
    assert shard.name in refused(tmp_path)
    for content in ("{", "[]", '{"weight_map": 3}', '{"weight_map": {"a": "../a.safetensors"}}'):
        (tmp_path / INDEX).write_text(content)
        assert INDEX in refused(tmp_path)
    (tmp_path / INDEX).unlink()
    assert SINGLE in refused(tmp_path)


def test_pickles_are_never_read(hybrid: Pair, tmp_path: Path):
    shutil.copy(hybrid.folder / "config.json", tmp_path)
    torch.save(hybrid.ours.state_dict(), tmp_path / "pytorch_model.bin")
    assert SINGLE in refused(tmp_path)


def test_pictures_after_loading_half_and_back(make_pair, tmp_path: Path):
    """A bfloat16 checkpoint runs in fp32 on demand, pictures included."""
    pair = make_pair("vl")
    save_model(load_model(pair.folder, dtype=torch.bfloat16), tmp_path)
    model = load_model(tmp_path, dtype=torch.float32)
    pixels, grid = tiny.picture_inputs(TWO, pair.vision)
    ids = tiny.prompt(TWO, pair.vision["spatial_merge_size"])
    assert our_logits(replace(pair, ours=model), ids, pixels, grid).dtype == torch.float32


BAR = "from saccade.model import weights; weights.BAR_FROM_BYTES = {least}; weights.load_model({folder!r})"


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(("least", "terminal"), [(1, True), (1, False), (2**30, True)])
def test_a_bar_where_a_person_waits(hybrid: Pair, least: int, terminal: bool):
    """Only on a terminal, and only for a checkpoint of some size."""
    import pty

    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", BAR.format(least=least, folder=str(hybrid.folder))]
    stderr = theirs if terminal else subprocess.PIPE
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, check=True,
        env={**os.environ, "TERM": "xterm"},
    )  # fmt: skip
    os.write(theirs, b"\n")  # so that reading ends where nothing was drawn
    drawn = (os.read(ours, 10**6) + (done.stderr or b"")).decode()
    os.close(ours)
    os.close(theirs)
    assert ("Loading weights" in drawn) == (terminal and least == 1), drawn
    assert done.stdout == b""
