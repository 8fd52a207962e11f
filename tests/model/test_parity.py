"""Our network equals the `transformers` reference on the same files."""

from itertools import pairwise

import pytest
import torch
from saccade.model.cache import HybridCache
from saccade.model.rope import mrope_positions
from torch import Tensor

from . import tiny
from .conftest import Pair

TOLERANCE = 1e-4
NO_PICTURES = torch.zeros(0, 3, dtype=torch.long)
ONE, TWO = [(1, 4, 6)], [(1, 6, 10), (1, 2, 14)]


def positions(pair: Pair, ids: Tensor, grid: Tensor = NO_PICTURES) -> Tensor:
    rows, _ = mrope_positions(ids[0], (tiny.IMAGE, tiny.VIDEO), grid, pair.vision["spatial_merge_size"])
    return rows[:, None]


def our_logits(pair: Pair, ids: Tensor, pixels: Tensor | None = None, grid: Tensor = NO_PICTURES) -> Tensor:
    with torch.no_grad():
        features = None if pixels is None else pair.ours.encode_images(pixels, grid)
        return pair.ours.logits(pair.ours(ids, positions(pair, ids, grid), features=features))[0]


def difference(a: Tensor, b: Tensor) -> float:
    return (a - b).abs().max().item()


@pytest.mark.parametrize("tokens", [1, 3, 63, 64, 65, 150])
def test_text(pair: Pair, tokens: int):
    ids = tiny.prompt([], 1, tokens)
    assert difference(our_logits(pair, ids), tiny.reference_logits(pair.reference, ids)) < TOLERANCE


@pytest.mark.parametrize("grids", [ONE, TWO], ids=["one", "two"])
def test_pictures(pair: Pair, grids: list):
    pixels, grid = tiny.picture_inputs(grids, pair.vision)
    ids = tiny.prompt(grids, pair.vision["spatial_merge_size"])
    expected = tiny.reference_logits(pair.reference, ids, pixels, grid)
    assert difference(our_logits(pair, ids, pixels, grid), expected) < TOLERANCE


@pytest.mark.parametrize("grids", [TWO, [(3, 4, 2), (1, 12, 12), (2, 2, 2)]], ids=["pictures", "frames"])
def test_vision_features(pair: Pair, grids: list):
    pixels, grid = tiny.picture_inputs(grids, pair.vision)
    with torch.no_grad():
        expected = pair.reference.model.visual(pixels, grid_thw=grid)
        features = pair.ours.encode_images(pixels, grid)
    assert difference(features.tokens, expected.pooler_output) < TOLERANCE
    for tap, reference in zip(features.deepstack, getattr(expected, "deepstack_features", ()), strict=True):
        assert difference(tap, reference) < TOLERANCE


def test_positions(pair: Pair):
    merge = pair.vision["spatial_merge_size"]
    ids, grid = tiny.prompt(TWO, merge), torch.tensor(TWO)
    expected, delta = pair.reference.model.get_rope_index(ids, (ids == tiny.IMAGE).int(), image_grid_thw=grid)
    rows, after = mrope_positions(ids[0], (tiny.IMAGE, tiny.VIDEO), grid, merge)
    assert torch.equal(rows[:, None], expected)
    assert after == ids.shape[1] + delta.item()


@pytest.mark.parametrize("grids", [[], TWO], ids=["text", "pictures"])
def test_decoding_equals_the_full_forward(pair: Pair, grids: list):
    merge = pair.vision["spatial_merge_size"]
    prompt, tail = tiny.prompt(grids, merge, 40), tiny.prompt([], 1, 16, seed=5)
    pixels, grid = tiny.picture_inputs(grids, pair.vision) if grids else (None, NO_PICTURES)
    whole = torch.cat((prompt, tail), dim=1)
    expected = tiny.reference_logits(pair.reference, whole, pixels, grid)[prompt.shape[1] :]
    cache = pair.ours.empty_cache()
    rows = positions(pair, whole, grid)
    with torch.no_grad():
        features = None if pixels is None else pair.ours.encode_images(pixels, grid)
        pair.ours(prompt, rows[..., : prompt.shape[1]], cache, features)
        steps = [
            pair.ours.logits(pair.ours(whole[:, t : t + 1], rows[..., t : t + 1], cache))[0]
            for t in range(prompt.shape[1], whole.shape[1])
        ]
    assert difference(torch.cat(steps), expected) < TOLERANCE
    assert cache.length == whole.shape[1]


@pytest.mark.parametrize("cuts", [(1, 2, 5, 69), (64, 65, 128), (63, 64), (149,)])
def test_prefill_in_pieces_equals_the_whole(pair: Pair, cuts: tuple[int, ...]):
    ids = tiny.prompt([], 1, 150)
    cache, rows, edges = pair.ours.empty_cache(), positions(pair, ids), (0, *cuts, 150)
    with torch.no_grad():
        pieces = [pair.ours(ids[:, a:b], rows[..., a:b], cache) for a, b in pairwise(edges)]
        assert difference(torch.cat(pieces, dim=1), pair.ours(ids, rows)) < TOLERANCE


def test_a_batch_equals_its_sequences(pair: Pair):
    ids = torch.cat((tiny.prompt([], 1, 70, seed=3), tiny.prompt([], 1, 70, seed=4)))
    rows = positions(pair, ids).expand(-1, 2, -1)
    with torch.no_grad():
        together = pair.ours(ids, rows)
        apart = torch.cat([pair.ours(row[None], rows[:, :1]) for row in ids])
    assert difference(together, apart) < TOLERANCE


def test_forks_of_a_cache_do_not_touch_each_other(hybrid: Pair):
    ids = tiny.prompt([], 1, 20)
    rows = positions(hybrid, ids)
    with torch.no_grad():
        cache = hybrid.ours.empty_cache()
        hybrid.ours(ids[:, :15], rows[..., :15], cache)
        first = hybrid.ours(ids[:, 15:], rows[..., 15:], cache.fork())
        hybrid.ours(ids[:, :5], rows[..., 15:], cache.fork())
        again = hybrid.ours(ids[:, 15:], rows[..., 15:], cache.fork())
    assert torch.equal(first, again)
    assert cache.length == 15


def test_gradients_flow_through_a_shared_cache(hybrid: Pair):
    """n branches behind one prefix: the same loss and gradients as n whole sequences."""
    prefix = tiny.prompt([], 1, 30)
    branches = torch.cat([tiny.prompt([], 1, 9, seed) for seed in (7, 8, 9)])
    whole = torch.cat((prefix.expand(3, -1), branches), dim=1)
    rows = positions(hybrid, whole)
    model = hybrid.ours.requires_grad_(True)
    try:
        cache = model.empty_cache()
        model(prefix, rows[..., :30], cache)
        shared = _gradients(model, model(branches, rows[..., 30:].expand(-1, 3, -1), cache.expand(3)))
        apart = _gradients(model, model(whole, rows.expand(-1, 3, -1))[:, 30:])
    finally:
        model.requires_grad_(False)
    assert set(shared) == set(apart)
    for name, gradient in apart.items():
        assert difference(shared[name], gradient) < 1e-3 * max(1.0, gradient.abs().max().item()), name


def _gradients(model: torch.nn.Module, hidden: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    hidden.square().sum().backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def test_picture_gradients_reach_the_encoder(make_pair):
    pair = make_pair("vl")
    pixels, grid = tiny.picture_inputs(ONE, pair.vision)
    ids = tiny.prompt(ONE, pair.vision["spatial_merge_size"])
    model = pair.ours.requires_grad_(True)
    try:
        cache: HybridCache = model.empty_cache()
        hidden = model(ids, positions(pair, ids, grid), cache, model.encode_images(pixels, grid))
        gradients = _gradients(model, hidden)
    finally:
        model.requires_grad_(False)
    untouched = {name for name, _ in model.named_parameters()} - set(gradients)
    assert untouched == {"lm_head.weight"}
    assert all(gradient.isfinite().all() for gradient in gradients.values())


def test_a_cast_to_bfloat16_keeps_the_frequencies(make_pair):
    rotary = make_pair("dense").ours.language_model.rotary
    before = rotary(torch.arange(50).expand(3, 1, 50))
    after = rotary.bfloat16()(torch.arange(50).expand(3, 1, 50))
    assert torch.equal(before[0], after[0])
