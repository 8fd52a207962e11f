"""Steps over states of fixed size equal the ordinary forward, for every member of the family."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from saccade.model import kernels
from saccade.model.cache import HybridCache
from saccade.model.config import ModelConfig
from saccade.model.graphs import DecodeGraphs
from saccade.model.kernels import Packed
from saccade.model.layout import joined
from saccade.model.quantise import Kind, QuantisedWeight
from saccade.model.stepping import has_steps
from saccade.model.vlm import VisionLanguageModel
from saccade.model.weights import load_model, save_model
from torch import Tensor, nn

from . import tiny

LENGTHS = (13, 2, 70)  # the second is shorter than the window of the convolution
STEPS = 6
GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def build(name: str, **changes: int) -> VisionLanguageModel:
    kind, text, vision, top = tiny.CONFIGS[name]
    raw = {"model_type": kind, "text_config": text | changes, "vision_config": vision, **tiny.SPECIAL, **top}
    model = VisionLanguageModel(ModelConfig.from_dict(raw))
    tiny.randomise(model, 0)
    return model.requires_grad_(False)


def forward(model: VisionLanguageModel, ids: Tensor, cache: HybridCache) -> Tensor:
    """Logits [T, V] of the next tokens of one sequence of text."""
    positions = torch.arange(cache.length, cache.length + len(ids), device=ids.device).expand(3, 1, -1)
    return model.logits(model(ids[None], positions, cache))[0]


def rows_of(model: VisionLanguageModel) -> tuple[Tensor, list[HybridCache]]:
    """What follows each of three texts [3, STEPS], and their states."""
    generator = torch.Generator().manual_seed(5)
    texts = [torch.randint(tiny.VOCAB - 30, (n + STEPS,), generator=generator) for n in LENGTHS]
    texts = [text.to(model.device) for text in texts]
    caches = [model.empty_cache() for _ in texts]
    for text, cache in zip(texts, caches, strict=True):
        forward(model, text[:-STEPS], cache)
    return torch.stack([text[-STEPS:] for text in texts]), caches


@torch.inference_mode()
@pytest.mark.parametrize(
    ("device", "many"),
    [("cpu", 8), pytest.param("cuda", 8, marks=GPU), pytest.param("cuda", 2, marks=GPU)],
)
@pytest.mark.parametrize("name", tiny.CONFIGS)
def test_steps_equal_the_forward(name: str, device: str, many: int, monkeypatch: pytest.MonkeyPatch):
    """On a GPU, where it is kernels in a graph, those for few rows and those for `many`; and in the plain
    steps that are their reference."""
    monkeypatch.setattr(kernels, "MANY", many)
    check(build(name).to(device), STEPS)


@torch.inference_mode()
@pytest.mark.skipif(torch.cuda.is_available(), reason="runs compiled there")
@pytest.mark.parametrize(("name", "many"), [("dense", 8), ("moe", 8), ("moe", 2)])
def test_interpreted_kernels_equal_the_forward(name: str, many: int, monkeypatch: pytest.MonkeyPatch):
    """Those for a few rows, and those that take their place where rows are `many`."""
    pytest.importorskip("triton")
    monkeypatch.setattr(kernels, "has_steps", lambda device: True)
    monkeypatch.setattr(kernels, "MANY", many)
    check(build(name), 2)


@torch.inference_mode()
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=GPU)])
@pytest.mark.parametrize("kind", ["int8", "int4", "fp8"])
@pytest.mark.parametrize("name", ["dense", "dense-tied", "moe"])
def test_quantised_steps_equal_the_forward(name: str, kind: Kind, device: str, tmp_path: Path):
    save_model(build(name), tmp_path)
    check(load_model(tmp_path, device, quantise=kind), STEPS)


@torch.inference_mode()
@pytest.mark.skipif(torch.cuda.is_available(), reason="runs compiled there")
@pytest.mark.parametrize(
    ("name", "kind"), [("moe", "int4"), ("moe", "fp8"), ("dense", "int8"), ("dense-tied", "int4")]
)
def test_interpreted_kernels_equal_the_quantised_forward(
    name: str, kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """One layer of each kind and one step: what comes after it is the same as for wide weights."""
    pytest.importorskip("triton")
    monkeypatch.setattr(kernels, "has_steps", lambda device: True)
    save_model(build(name, num_hidden_layers=2, full_attention_interval=2), tmp_path)
    check(load_model(tmp_path, quantise=kind), 1)


@pytest.mark.parametrize(
    ("kind", "width", "steps"), [("int8", 32, False), ("int8", 20, True), ("fp8", 32, True)]
)
def test_experts_in_two_formats_have_no_steps(kind: Kind, width: int, steps: bool, tmp_path: Path):
    """The shared expert's 28 inputs hold no group of 16: integers leave it wide."""
    save_model(build("moe", moe_intermediate_size=width), tmp_path)
    assert has_steps(load_model(tmp_path, quantise=kind)) == steps


def test_steps_make_no_second_copy_of_quantised_weights(tmp_path: Path):
    save_model(build("moe"), tmp_path)
    model = load_model(tmp_path, quantise="int4")
    graphs = DecodeGraphs(model, 1, 80)
    held = {part.data_ptr(): part for part in packed_tensors(graphs)}
    ours = {
        t.untyped_storage().data_ptr()
        for module in model.modules() if isinstance(module, QuantisedWeight)
        for t in module.buffers()
    }  # fmt: skip
    assert held
    assert {part.untyped_storage().data_ptr() for part in held.values()} <= ours


def packed_tensors(graphs: DecodeGraphs) -> Iterator[Tensor]:
    """What the steps hold on to: the variables that their functions closed over."""
    step = graphs._step
    for matrix in (step.embedding, step.head):
        assert isinstance(matrix, Packed)
        yield from (matrix.codes, matrix.scale)
    for functions in step.layers:
        for cell in (cell for f in functions for cell in f.__closure__ or ()):
            if isinstance(cell.cell_contents, Packed):
                yield from (cell.cell_contents.codes, cell.cell_contents.scale)


def check(model: VisionLanguageModel, steps: int) -> None:
    following, caches = rows_of(model)
    graphs = DecodeGraphs(model, 4, 80)
    static = graphs.cache
    for row, cache in enumerate(caches):
        static.load(row, cache)
    for t in range(steps):
        counts = [length + t for length in LENGTHS]
        logits = graphs.feed([following[:, t].tolist(), counts, counts])
        for row, cache in enumerate(caches):
            expected = forward(model, following[row, t : t + 1], cache)[0]
            torch.testing.assert_close(logits[row], expected, rtol=1e-4, atol=1e-4)
    for row, cache in enumerate(caches):  # and the states can be taken out again
        token = torch.tensor([7 + row], device=model.device)
        ours = forward(model, token, static.state(row, LENGTHS[row] + steps))
        torch.testing.assert_close(ours, forward(model, token, cache), rtol=1e-4, atol=1e-4)


def test_joined_matrices_stay_what_they_were():
    a, b, c = (nn.Linear(5, n, bias=False) for n in (3, 1, 4))
    parts = [a.weight.detach().clone(), b.weight.detach().clone(), c.weight.detach().clone()]
    whole = joined(a, b, c)
    assert isinstance(whole, Tensor)
    assert torch.equal(whole, torch.cat(parts))
    assert all(torch.equal(m.weight, part) for m, part in zip((a, b, c), parts, strict=True))
    again = joined(a, b, c)
    assert isinstance(again, Tensor)
    assert again.data_ptr() == whole.data_ptr(), "joined twice, they are not copied again"
    whole[3] = 9
    assert (b.weight == 9).all()
