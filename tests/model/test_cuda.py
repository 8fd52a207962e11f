"""On a GPU the same numbers, up to the order of additions. Needs no `transformers`."""

from dataclasses import replace

import pytest
import torch
from saccade.model import kernels
from saccade.model.config import ModelConfig
from saccade.model.kernels import reference
from saccade.model.rope import mrope_positions
from saccade.model.vlm import VisionLanguageModel

from . import tiny

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def build(name: str) -> VisionLanguageModel:
    kind, text, vision, top = tiny.CONFIGS[name]
    deltanet = {"linear_key_head_dim": 16, "linear_value_head_dim": 32} if kind.startswith("qwen3_5") else {}
    raw = {
        "model_type": kind,
        "text_config": {**text, **deltanet},
        "vision_config": vision,
        **tiny.SPECIAL,
        **top,
    }
    model = VisionLanguageModel(ModelConfig.from_dict(raw))
    tiny.randomise(model, 0)
    return model.requires_grad_(False)


@pytest.mark.parametrize("name", tiny.CONFIGS)
def test_the_gpu_equals_the_cpu(name: str):
    model, grids = build(name), [(1, 4, 6), (1, 2, 14)]
    merge = model.config.vision.spatial_merge_size
    pixels, grid = tiny.picture_inputs(grids, tiny.CONFIGS[name][2])
    ids = tiny.prompt(grids, merge, 150)
    rows, _ = mrope_positions(ids[0], (tiny.IMAGE, tiny.VIDEO), grid, merge)
    logits = []
    for device in ("cpu", "cuda"):
        model.to(device)
        cache = model.empty_cache()
        features = model.encode_images(pixels.to(device), grid)
        hidden = model(ids.to(device), rows[:, None].to(device), cache, features)
        after = model(ids[:, :1].to(device), rows[:, None, -1:].to(device) + 1, replace(cache))
        logits.append(model.logits(torch.cat((hidden, after), dim=1)).cpu())
    assert (logits[0] - logits[1]).abs().max() < 2e-3


def test_pictures_take_their_places_without_a_wait():
    model, grids = build("vl").cuda(), [(1, 4, 6), (1, 2, 14)]
    pixels, grid = tiny.picture_inputs(grids, tiny.CONFIGS["vl"][2])
    ids = tiny.prompt(grids, model.config.vision.spatial_merge_size, 150)
    features = model.encode_images(pixels.cuda(), grid)
    torch.cuda.set_sync_debug_mode("error")
    try:
        x, taps = model.embed(ids, features)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    expected, expected_taps = model.embed(ids.cuda(), features)
    assert torch.equal(x, expected)
    assert all(map(torch.equal, taps, expected_taps))


@pytest.mark.parametrize("dim", [64, 256])
@pytest.mark.parametrize(("new", "seen"), [(9, 70), (130, 131), (64, 64), (1, 40)])
def test_attention_behind_a_prefix(new: int, seen: int, dim: int):
    """bf16 goes through torch's fast kernels, which take no mask; the reference has one."""
    torch.manual_seed(new)
    q = torch.randn(1, 16, new, dim, device="cuda").bfloat16()
    k, v = torch.randn(2, 1, 2, seen, dim, device="cuda").bfloat16()
    got = kernels.causal_attention(q, k, v)
    expected = reference.causal_attention(q.float(), k.float(), v.float())
    assert (got - expected).norm() < 1e-2 * expected.norm()
