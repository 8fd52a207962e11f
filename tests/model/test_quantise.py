"""Integers instead of matrices: close, smaller, the same from every layout, and nothing else is touched."""

from pathlib import Path

import pytest
import torch
from saccade.errors import CheckpointError
from saccade.model import kernels
from saccade.model.config import ModelConfig
from saccade.model.engine import Engine
from saccade.model.kernels import packed
from saccade.model.quantise import Kind, QuantisedLinear, QuantisedWeight
from saccade.model.vlm import VisionLanguageModel
from saccade.model.weights import load_model, save_model
from torch import Tensor
from torch.nn import functional as F

from . import tiny
from .conftest import Pair
from .test_config import raw_config
from .test_engine import picture, user
from .test_parity import our_logits
from .test_stepping import build

STEPS = {"int8": 255, "int4": 15}
KINDS = [*STEPS, "fp8"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mixture of experts whose every matrix divides into groups, with a prediction head."""
    raw = raw_config("moe")
    raw["text_config"] |= {"hidden_size": 64, "moe_intermediate_size": 32, "linear_value_head_dim": 16}
    raw["text_config"] |= {"shared_expert_intermediate_size": 48, "mtp_num_hidden_layers": 1}
    raw["text_config"] |= {"num_experts_per_tok": 6}  # no choice of experts that could flip
    raw["vision_config"] |= {"out_hidden_size": 64}
    torch.manual_seed(0)
    model = VisionLanguageModel(ModelConfig.from_dict(raw))
    tiny.randomise(model, 0)
    folder = tmp_path_factory.mktemp("quantise")
    save_model(model, folder)
    return folder


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize("shape", [(5, 256), (7, 48), (3, 4, 64)])
def test_each_value_is_within_half_a_step(kind: Kind, shape: tuple[int, ...]):
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    weight.view(-1, shape[-1])[0] = 0.25  # a row of equal values has no range
    quantised, step, error = stored(weight, kind)
    assert quantised.scale.dtype == torch.float16
    assert (error <= step / 2 * 1.003 + 1e-6).all()


EXTREMES = {
    "zero": (torch.zeros(64), 0.0),
    "constant": (torch.full((64,), 0.1), 2**-14 / 2 / 15),  # the distance of fp16 there, in steps
    "tiny": (torch.linspace(-3e-7, 5e-7, 64), 2**-24 / 2),  # a step is the least number of fp16
    "far from zero": (100 + torch.linspace(0, 1e-3, 64), 2**-4 / 2 / 15),
    "large": (torch.linspace(-65504, 65504, 64), 0.0),
    "larger": (torch.linspace(-6e4, 3e5, 64), 0.0),
    "beyond what a positive end may be": (torch.full((64,), 7e4), (7e4 - 65504) / 2 / 15 * 1.001),
}


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize("name", EXTREMES)
def test_numbers_that_fp16_has_not(name: str, kind: Kind):
    """Its distances where low lies widen a step; what is below its range is refused, never infinite."""
    weight, wider = EXTREMES[name]
    quantised, step, error = stored(weight.expand(2, 64), kind)
    assert torch.isfinite(quantised[...]).all()
    assert (error <= step / 2 * 1.003 + wider).all()
    assert (error <= quantised.scale.float() / 2 * 1.001 + weight.abs().max() * 1e-7).all()


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize("value", [-7e4, -torch.inf, torch.inf, torch.nan])
def test_what_no_scale_reaches_is_refused(kind: Kind, value: float):
    weight = torch.ones(300, 64)
    weight[7, 5] = value
    assert not QuantisedWeight(weight.shape, kind, torch.float32).store(weight)


def stored(weight: Tensor, kind: Kind) -> tuple[QuantisedWeight, Tensor, Tensor]:
    """The weight, and for each group the step that its range asks for and the largest error."""
    quantised = QuantisedWeight(weight.shape, kind, torch.float32)
    assert quantised.store(weight)
    groups, wide = (w.unflatten(-1, (quantised.scale.shape[-1], -1)) for w in (weight, quantised[...]))
    return quantised, (groups.amax(-1) - groups.amin(-1)) / STEPS[kind], (wide - groups).abs().amax(-1)


@pytest.mark.parametrize("kind", KINDS)
def test_bands_change_nothing(kind: Kind, monkeypatch: pytest.MonkeyPatch):
    """Matrices are quantised and used some rows at a time."""
    generator = torch.Generator().manual_seed(1)
    weight, x = torch.randn(200, 256, generator=generator), torch.randn(2, 3, 256, generator=generator)
    whole, banded = (QuantisedWeight(weight.shape, kind, torch.float32, (8, 128)) for _ in range(2))
    whole.store(weight)
    for constant in ("NARROWED", "WIDENED_IN_CACHE"):
        monkeypatch.setattr(packed, constant, 24 * 256)
    assert len(list(banded.packed.bands(24 * 256))) == 9
    banded.store(weight)
    assert torch.equal(whole[...], banded[...])
    torch.testing.assert_close(packed.linear(x, banded.packed), F.linear(x, whole[...]))


@pytest.mark.parametrize("shape", [(5, 256), (48, 40), (3, 4, 64), (2, 256, 300)])
def test_fp8_keeps_three_bits_of_each_value(shape: tuple[int, ...]):
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    weight.view(-1, shape[-1])[0] = 0
    quantised = QuantisedWeight(weight.shape, "fp8", torch.float32)
    assert quantised.store(weight)
    error = (quantised[...] - weight).abs()
    smallest = quantised.scale.amax() * 2**-10  # half the distance of the smallest ones
    assert (error <= weight.abs() / 16 * 1.001 + smallest).all()
    assert quantised[...].abs().max() == pytest.approx(float(weight.abs().max()))
    weight[..., 3] = torch.nan
    assert not quantised.store(weight)


@pytest.mark.parametrize(("kind", "limit"), [("int8", 0.2), ("int4", 1.0), ("fp8", 1.0)])
def test_logits_are_those_of_the_widened_weights(folder: Path, kind, limit: float):
    wide, narrow = load_model(folder), load_model(folder, quantise=kind)
    ids = tiny.prompt([], 1, 80)
    exact, quantised = (our_logits(Pair("moe", None, folder, model), ids) for model in (wide, narrow))
    assert (
        0 < (quantised - exact).std() < limit * exact.std()
    )  # random weights amplify; see `python -m bench quantise`
    for name, module in narrow.named_modules():
        if isinstance(module, QuantisedWeight):
            wide.get_parameter(name).copy_(module[...])
    assert torch.allclose(our_logits(Pair("moe", None, folder, wide), ids), quantised, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_quantised(folder: Path, kind):
    wide, narrow = load_model(folder), load_model(folder, quantise=kind)
    quantised = {n for n, m in narrow.named_modules() if isinstance(m, QuantisedWeight)}
    kept = dict(narrow.named_parameters())
    assert {f"language_model.layers.0.mlp.experts.{n}" for n in ("gate_up_proj", "down_proj")} <= quantised
    assert {
        "language_model.layers.3.self_attn.o_proj.weight",
        "mtp.layers.0.self_attn.q_proj.weight",
    } <= quantised
    assert "language_model.layers.0.linear_attn.in_proj_qkv.weight" in quantised
    assert quantised | kept.keys() == dict(wide.named_parameters()).keys()
    stays = ("visual.", "norm", "mlp.gate.", "in_proj_a", "in_proj_b", "mtp.fc")
    assert not [name for name in quantised if any(part in name for part in stays)]
    vocabulary = {"language_model.embed_tokens.weight", "lm_head.weight"}
    assert vocabulary & quantised == (set() if kind == "fp8" else vocabulary)
    assert all(narrow.get_buffer(f"{name}.codes").shape[1] == 64 for name in vocabulary & quantised)
    assert all(torch.equal(p, wide.get_parameter(name)) for name, p in kept.items())


@pytest.mark.parametrize("kind", STEPS)
def test_a_tied_matrix_is_one(kind: Kind, tmp_path: Path):
    """The embedding's rows are looked up, and the head's product is with the same codes."""
    model, text = build("dense-tied"), tiny.prompt([], 1, 9)
    save_model(model, tmp_path)
    narrow = load_model(tmp_path, quantise=kind)
    assert narrow.lm_head is None
    matrix = narrow.language_model.embed_tokens.weight
    assert isinstance(matrix, QuantisedWeight)
    rows = narrow.language_model.embed_tokens(text)
    assert torch.equal(rows, matrix[...][text])
    torch.testing.assert_close(narrow.logits(rows), F.linear(rows, matrix[...]))
    wide = model.language_model.embed_tokens(text)
    assert (rows - wide).norm() < 0.01 * wide.norm()


def nbytes(model: torch.nn.Module) -> int:
    return sum(t.nbytes for t in [*model.parameters(), *model.buffers()])


@pytest.mark.skipif(torch.cuda.is_available(), reason="runs compiled there")
@pytest.mark.parametrize("kind", KINDS)
def test_a_few_rows_read_the_codes_themselves(kind: Kind, monkeypatch: pytest.MonkeyPatch):
    """As on a GPU, where a wide copy of the head would take longer than its product."""
    pytest.importorskip("triton")
    monkeypatch.setattr(kernels, "_few_in_triton", lambda x, *weights: True)
    weights = [QuantisedWeight(torch.Size((n, 256)), kind, torch.float32) for n in (40, 24)]
    assert all(weight.store(torch.randn(weight.shape)) for weight in weights)
    some = torch.randn(3, 256, 2).mT.transpose(0, 1)  # rows that do not lie behind each other
    for x in (some, some[0, 0]):
        for ours, weight in zip(kernels.project(x, *weights), weights, strict=True):
            torch.testing.assert_close(ours, F.linear(x, weight[...]), rtol=1e-4, atol=1e-4)


def test_memory_is_really_smaller():
    weight = torch.Size((256, 512))
    shares: dict[Kind, float] = {"int8": 8.25 / 32, "int4": 4.25 / 32, "fp8": 8 / 32 + 1 / 128**2}
    for kind, share in shares.items():
        linear = QuantisedLinear(QuantisedWeight(weight, kind, torch.float32))
        assert nbytes(linear) == weight.numel() * 4 * share


@pytest.mark.parametrize("kind", KINDS)
def test_every_layout_gives_the_same_codes(pair: Pair, tmp_path: Path, kind):
    """Per-expert files, fused and transposed ones; matrices without a group of 16 stay as they are."""
    save_model(pair.ours, tmp_path)
    one, other = load_model(pair.folder, quantise=kind), load_model(tmp_path, quantise=kind)
    for (name, a), b in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
        assert torch.equal(a, b), name
    assert any(name.endswith(".codes") for name in one.state_dict())


def test_half_precision_widens_to_half(folder: Path):
    model = load_model(folder, dtype=torch.bfloat16, quantise="int8")
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    logits = our_logits(Pair("moe", None, folder, model), tiny.prompt([], 1, 9))
    assert logits.dtype == torch.bfloat16
    assert torch.isfinite(logits).all()


def test_an_engine_answers_and_nothing_is_exported(hybrid: Pair, tmp_path: Path):
    engine = Engine.from_pretrained(hybrid.folder, quantise="int4")
    reply = engine.generate([user("Go", picture(1))], max_tokens=4).finish()
    assert reply.usage.prompt_tokens > 0
    with pytest.raises(CheckpointError, match="quantised"):
        save_model(engine.model, tmp_path)
    assert not list(tmp_path.iterdir())


def test_nan_is_found_while_quantising(folder: Path, tmp_path: Path):
    model = load_model(folder)
    name = "language_model.layers.0.linear_attn.in_proj_z.weight"
    model.get_parameter(name)[3, 5] = torch.nan
    save_model(model, tmp_path)
    with pytest.raises(CheckpointError, match=rf"{name} holds NaN"):
        load_model(tmp_path, quantise="int8")
