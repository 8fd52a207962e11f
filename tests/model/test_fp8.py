"""Official block FP8: every weight is exactly its e4m3 value times its block's scale, in the chosen dtype."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from saccade.errors import CheckpointError
from saccade.model.checkpoint import SINGLE
from saccade.model.quantise import QuantisedWeight
from saccade.model.weights import load_model, save_model
from safetensors.torch import load_file, save_file
from torch import Tensor

from . import tiny
from .conftest import Pair
from .test_parity import our_logits

MATRICES = ("self_attn.", "in_proj_qkv", "in_proj_z", "out_proj", "shared_expert.", "experts.", "mlp.up_proj")
SKIPPED = ["lm_head", "model.visual", "model.language_model.layers.0.mlp.gate"]
BLOCK = (16, 32)  # ragged in the tiny model's 48, 20 and 12 columns


def is_narrow(name: str, tensor: Tensor) -> bool:
    return name.startswith("model.language_model.") and tensor.dim() > 1 and any(m in name for m in MATRICES)


def narrow(weight: Tensor, scale_dtype: torch.dtype, block: tuple[int, int] = BLOCK) -> tuple[Tensor, Tensor]:
    """(e4m3, scale_inv) the way the published checkpoints are made: the largest of a block becomes 448."""
    rows, columns = (math.ceil(n / b) for n, b in zip(weight.shape[-2:], block, strict=True))
    padded = weight.new_zeros(*weight.shape[:-2], rows * block[0], columns * block[1])
    padded[..., : weight.shape[-2], : weight.shape[-1]] = weight
    tiles = padded.unflatten(-1, (columns, block[1])).unflatten(-3, (rows, block[0]))
    scale = (tiles.abs().amax((-3, -1)) / 448).to(scale_dtype)
    return (weight / spread(scale.float(), weight, block)).to(torch.float8_e4m3fn), scale


def spread(scale: Tensor, weight: Tensor, block: tuple[int, int] = BLOCK) -> Tensor:
    wide = scale.repeat_interleave(block[0], -2).repeat_interleave(block[1], -1)
    return wide[..., : weight.shape[-2], : weight.shape[-1]]


def make(source: Path, folder: Path, scale_dtype: torch.dtype, block: tuple[int, int] = BLOCK) -> Path:
    """The checkpoint in `source` as FP8 in `folder`."""
    shutil.copytree(source, folder)
    tensors = {}
    for name, tensor in load_file(folder / SINGLE).items():
        tensors[name] = tensor
        if is_narrow(name, tensor):
            tensors[name], tensors[f"{name}_scale_inv"] = narrow(tensor, scale_dtype, block)
    save_file(tensors, folder / SINGLE, metadata={"format": "pt"})
    announced = {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic"}
    announced |= {"weight_block_size": list(block), "modules_to_not_convert": SKIPPED}
    tiny.edit_json(folder / "config.json", quantization_config=announced)
    return folder


def widened(folder: Path, block: tuple[int, int] = BLOCK) -> dict[str, Tensor]:
    """What the files mean, by the definition."""
    tensors = load_file(folder / SINGLE)
    scales = {name: tensors.pop(name) for name in list(tensors) if name.endswith("_scale_inv")}
    return {
        name: tensor.float() * spread(scales[f"{name}_scale_inv"].float(), tensor, block)
        if f"{name}_scale_inv" in scales
        else tensor
        for name, tensor in tensors.items()
    }


@pytest.mark.parametrize("scale_dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("block", [BLOCK, (128, 128)])
def test_weights_are_exact(make_pair, tmp_path: Path, scale_dtype, dtype, block: tuple[int, int]):
    """Per expert, as published; a reference of wide weights goes through the ordinary loader."""
    for name in ("moe", "dense", "vl"):
        folder = make(make_pair(name).folder, tmp_path / name, scale_dtype, block)
        wide = Path(shutil.copytree(make_pair(name).folder, tmp_path / f"{name}-wide"))
        save_file(widened(folder, block), wide / SINGLE, metadata={"format": "pt"})
        ours, expected = load_model(folder, dtype=dtype), load_model(wide, dtype=dtype)
        assert ours.config == expected.config
        for (key, a), b in zip(ours.named_parameters(), expected.parameters(), strict=True):
            assert torch.equal(a, b), key


@pytest.mark.parametrize("block", [BLOCK, (128, 128)])
@pytest.mark.parametrize("name", ["moe", "dense", "vl"])
def test_kept_weights_are_the_files_own(name: str, make_pair, tmp_path: Path, block: tuple[int, int]):
    """As e4m3, and equal to the widened ones in every value."""
    folder = make(make_pair(name).folder, tmp_path / "fp8", torch.bfloat16, block)
    wide, kept = (load_model(folder, dtype=torch.float32, quantise=kind) for kind in (None, "fp8"))
    narrow = {key: m for key, m in kept.named_modules() if isinstance(m, QuantisedWeight)}
    stored = load_file(folder / SINGLE)
    same = [k for k in narrow if "experts" in k or f"model.{k}_scale_inv" in stored]
    assert any("experts.gate_up_proj" in key for key in same) == (name == "moe")
    assert all(torch.equal(narrow[key][...], wide.get_parameter(key)) for key in same)
    key = "language_model.layers.3.self_attn.q_proj.weight"
    assert torch.equal(narrow[key].codes.view(torch.uint8), stored[f"model.{key}"].view(torch.uint8))


def test_kept_blocks_of_a_transposed_layout(make_pair, tmp_path: Path):
    save_model(make_pair("vl-moe").ours, tmp_path / "fused")
    square = make(tmp_path / "fused", tmp_path / "square", torch.float32, (16, 16))
    wide, kept = load_model(square), load_model(square, quantise="fp8")
    expert = "language_model.layers.1.mlp.experts"
    for part in ("gate_up_proj", "down_proj"):
        ours = kept.get_submodule(f"{expert}.{part}")
        assert isinstance(ours, QuantisedWeight)
        assert torch.equal(ours[...], wide.get_parameter(f"{expert}.{part}"))
    with pytest.raises(CheckpointError, match="oblong"):
        load_model(make(tmp_path / "fused", tmp_path / "oblong", torch.float32), quantise="fp8")


@pytest.mark.parametrize("name", ["moe", "vl-moe"])
def test_fused_experts(name: str, make_pair, tmp_path: Path):
    save_model(make_pair(name).ours, tmp_path / "fused")
    folder = make(tmp_path / "fused", tmp_path / "fp8", torch.float32)
    stored, expert = widened(folder), "language_model.layers.1.mlp.experts.gate_up_proj"
    assert load_file(folder / SINGLE)[f"model.{expert}"].dtype == torch.float8_e4m3fn
    wide = stored[f"model.{expert}"]
    assert torch.equal(load_model(folder).get_parameter(expert), wide.mT if name == "vl-moe" else wide)


def test_logits_and_export(make_pair, tmp_path: Path):
    """e4m3 keeps 3 bits of mantissa: the logits move, but not far; the export is wide and says so."""
    pair = make_pair("dense")
    model = load_model(make(pair.folder, tmp_path / "fp8", torch.bfloat16))
    ids = tiny.prompt([], 1, 40)
    ours, wide = (our_logits(replace(pair, ours=m), ids) for m in (model, pair.ours))
    assert 0 < (ours - wide).std() < 0.5 * wide.std()
    save_model(model, tmp_path / "export")
    assert "quantization_config" not in json.loads((tmp_path / "export" / "config.json").read_text())
    again = load_model(tmp_path / "export")
    assert torch.equal(our_logits(replace(pair, ours=again), ids), ours)


Q = "model.language_model.layers.3.self_attn.q_proj.weight"


@pytest.mark.parametrize("quantise", [None, "fp8"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop(f"{Q}_scale_inv"), (f"{Q}_scale_inv", "is missing")),
        (lambda t: t.update({Q: t[Q].float()}), (f"{Q}_scale_inv", "no part")),
        (lambda t: t.update({f"{Q}_scale_inv": torch.ones(3, 3)}), (f"{Q}_scale_inv", "[3, 3]", "[8, 2]")),
        (lambda t: t.update({f"{Q}_scale_inv": torch.ones(8, 2, dtype=torch.int8)}), ("_scale_inv", "I8")),
        (lambda t: t[f"{Q}_scale_inv"].fill_(torch.nan), (Q, "NaN")),
        (lambda t: t[Q].view(torch.uint8).fill_(0x7F), (Q, "NaN")),
        (
            lambda t: t.update(
                {"lm_head.weight": t["lm_head.weight"].to(torch.float8_e4m3fn)}
                | {"lm_head.weight_scale_inv": torch.ones(20, 2)}
            ),
            ("lm_head.weight", "F8_E4M3"),
        ),
    ],
)
def test_what_does_not_fit_is_named(hybrid: Pair, tmp_path: Path, change, words: tuple[str, ...], quantise):
    folder = make(hybrid.folder, tmp_path / "fp8", torch.float32)
    tensors = load_file(folder / SINGLE)
    change(tensors)
    save_file(tensors, folder / SINGLE, metadata={"format": "pt"})
    with pytest.raises(CheckpointError) as error:
        load_model(folder, quantise=quantise)
    assert all(word in str(error.value) for word in words), error.value


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("quant_method", "gptq"),
        ("quant_method", None),
        ("fmt", "e5m2"),
        ("activation_scheme", "static"),
        ("scale_fmt", "ue8m0"),
        ("weight_block_size", [128]),
        ("weight_block_size", None),
        ("bits", 4),
    ],
)
def test_other_quantisations_are_refused(hybrid: Pair, tmp_path: Path, key: str, value: object):
    folder = make(hybrid.folder, tmp_path / "fp8", torch.float32)
    announced = json.loads((folder / "config.json").read_text())["quantization_config"]
    tiny.edit_json(folder / "config.json", quantization_config={**announced, key: value})
    with pytest.raises(CheckpointError, match=f"quantization_config: {key}"):
        load_model(folder)
