"""The vision encoder in graphs gives what it gives without, and keeps few sizes.

On a CPU a piece of work stands in for its graph: it reads and leaves tensors at the same places.
"""

import pytest
import torch
from saccade.model import graphs as decoding
from saccade.model import kernels, tower
from saccade.model.config import ModelConfig
from saccade.model.tower import TowerGraphs
from saccade.model.vlm import VisionLanguageModel
from saccade.vision.encoder import PLAIN
from torch import Tensor

from . import tiny

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
SIZES = [(1, 4, 6), (1, 2, 14), (1, 4, 4), (1, 8, 2), (1, 6, 6)]


def network(name: str = "vl") -> VisionLanguageModel:
    kind, text, vision, top = tiny.CONFIGS[name]
    raw = {"model_type": kind, "text_config": text, "vision_config": vision, **tiny.SPECIAL, **top}
    model = VisionLanguageModel(ModelConfig.from_dict(raw))
    tiny.randomise(model, 0)
    return model.requires_grad_(False)


def picture(grid: tuple[int, int, int], seed: int) -> tuple[Tensor, Tensor]:
    pixels, sizes = tiny.picture_inputs([grid], tiny.CONFIGS["vl"][2])
    return torch.randn(pixels.shape, generator=torch.Generator().manual_seed(seed)), sizes


def same(ours, theirs) -> bool:
    pairs = zip((ours.tokens, *ours.deepstack), (theirs.tokens, *theirs.deepstack), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_a_size_is_kept_from_its_second_picture_on():
    net = network()
    graphs, seen = TowerGraphs(net, capture=lambda work: work), []
    for seed in range(4):
        pixels, sizes = picture(SIZES[0], seed)
        assert graphs.grids == ([] if seed < 2 else SIZES[:1])
        seen.append((graphs(pixels, sizes), net.encode_images(pixels, sizes)))
    assert all(same(*pair) for pair in seen), "an earlier result changed, or pixels did not arrive"


def test_what_is_captured_reads_its_own_copy_of_the_pixels():
    """Pixels of the caller may change afterwards, or lie elsewhere next time."""
    works = []
    graphs = TowerGraphs(network(), capture=lambda work: works.append(work) or work)
    pixels, sizes = picture(SIZES[0], 1)
    for _ in range(3):
        expected = graphs(pixels, sizes)
    pixels.zero_()
    (work,) = works
    assert same(work(), expected)


def test_the_size_that_came_last_stays(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tower, "KEPT", 2)
    graphs = TowerGraphs(network(), capture=lambda work: work)
    for grid in [*SIZES[:2] * 2, SIZES[0], *[SIZES[2]] * 2]:
        graphs(*picture(grid, 1))
    assert graphs.grids == [SIZES[0], SIZES[2]]


def test_what_comes_once_or_is_large_or_is_several_runs_as_it_is(monkeypatch: pytest.MonkeyPatch):
    graphs = TowerGraphs(network(), capture=lambda work: work)
    monkeypatch.setattr(decoding, "REMEMBERED", 2)
    for grid in SIZES[:3] * 2:  # each is forgotten before it comes again
        graphs(*picture(grid, 1))
    pixels, sizes = tiny.picture_inputs(SIZES[:2], tiny.CONFIGS["vl"][2])
    monkeypatch.setattr(tower, "MOST_PATCHES", 8)
    for _ in range(3):
        graphs(pixels, sizes)
        graphs(*picture(SIZES[0], 1))
    assert graphs.grids == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there it is a graph")
def test_on_a_cpu_nothing_is_kept():
    net = network()
    graphs = TowerGraphs(net)
    for seed in range(3):
        assert same(graphs(*picture(SIZES[0], seed)), net.encode_images(*picture(SIZES[0], seed)))
    assert graphs.grids == []


@GPU
@torch.inference_mode()
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_graphs_equal_the_encoder(dtype: torch.dtype):
    net = network().to("cuda", dtype)
    graphs, results = TowerGraphs(net), []
    for seed in range(3):
        for grid in SIZES:  # more than are kept, so some are captured again
            pixels, sizes = picture(grid, seed)
            results.append((graphs(pixels.cuda(), sizes), net.encode_images(pixels.cuda(), sizes)))
    assert len(graphs.grids) == tower.KEPT
    for ours, theirs in results:
        torch.testing.assert_close(ours.tokens, theirs.tokens, rtol=1e-2, atol=1e-3)
        torch.testing.assert_close(ours.deepstack, theirs.deepstack, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(("patches", "heads", "dim"), [(1, 1, 4), (7, 3, 20), (33, 2, 72)])
def test_rotation_in_triton(patches: int, heads: int, dim: int, dtype: torch.dtype):
    turn_pairs = pytest.importorskip("saccade.model.kernels.turn_pairs", reason="needs triton")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(dim)
    x = torch.randn(patches, 3 * heads, dim, device=device).to(dtype)[:, : 2 * heads]
    angles = torch.randn(patches, dim // 2, device=device).repeat(1, 2)
    got, expected = (rule(x, angles.cos(), angles.sin()) for rule in (turn_pairs.rotate, PLAIN.rotate))
    assert got.dtype == dtype
    torch.testing.assert_close(got, expected, rtol=1e-2 if dtype is torch.bfloat16 else 1e-5, atol=1e-5)


@GPU
def test_gelu_after_its_product_is_the_tanh_form():
    x, weight, bias = (torch.randn(s, device="cuda") for s in ((9, 64), (40, 64), 40))
    with torch.inference_mode():
        got = kernels.linear_gelu(x, weight, bias)
    torch.testing.assert_close(got, PLAIN.linear_gelu(x, weight, bias), rtol=1e-4, atol=1e-4)
