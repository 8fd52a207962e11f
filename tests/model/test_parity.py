"""Our network equals the `transformers` reference on the same files, in fp32 and in fp64."""

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate, cycle, pairwise
from typing import Any

import pytest
import torch
from PIL import Image
from saccade.errors import ContextError
from saccade.model.cache import DeltaState, HybridCache
from saccade.model.config import ModelConfig
from saccade.model.pictures import Picture
from saccade.model.prefill import Prefill
from saccade.model.rope import PaddedBatch, left_padded, mrope_positions
from saccade.model.vlm import VisionLanguageModel
from saccade.model.weights import load_model
from saccade.vision.encoder import VisionFeatures
from torch import Tensor
from torch.nn import functional as F

from . import tiny
from .conftest import Pair
from .precision import Float64
from .taps import added_taps

TOLERANCE = 1e-4
NO_PICTURES = torch.zeros(0, 3, dtype=torch.long)
ONE, TWO = [(1, 4, 6)], [(1, 6, 10), (1, 2, 14)]
STEPS = 16

SCENES: dict[str, list[tiny.Part]] = {
    **{f"{n} tokens": [n] for n in (1, 3, 63, 64, 65, 150)},
    "one picture": [7, ("image", (1, 4, 6)), 5],
    "odd sizes": [2, ("image", (1, 6, 10)), 3, ("image", (1, 2, 14)), 1, ("image", (1, 10, 2)), 4],
    "one-token picture": [3, ("image", (1, 2, 2)), 2],
    "beyond the position table": [3, ("image", (1, 14, 16)), 2],
    "video": [5, ("video", (3, 4, 6)), 4],
    "mixed": [
        4,
        ("image", (1, 4, 2)),
        3,
        ("video", (2, 6, 4)),
        ("image", (1, 2, 6)),
        ("video", (1, 2, 2)),
        3,
    ],
}


def difference(a: Tensor, b: Tensor) -> float:
    return (a - b).abs().max().item()


def positions(pair: Pair, ids: Tensor, grid: Tensor = NO_PICTURES) -> Tensor:
    rows, _ = mrope_positions(ids[0], (tiny.IMAGE, tiny.VIDEO), grid, pair.vision["spatial_merge_size"])
    return rows[:, None]


def our_logits(pair: Pair, ids: Tensor, pixels: Tensor | None = None, grid: Tensor = NO_PICTURES) -> Tensor:
    with torch.no_grad():
        features = None if pixels is None else pair.ours.encode_images(pixels, grid)
        return pair.ours.logits(pair.ours(ids, positions(pair, ids, grid), features=features))[0]


def expected_logits(twin: Pair, inputs: dict[str, Tensor]) -> list[Tensor]:
    """The reference's logits; of an fp32 network those in fp64 as well, which know no rounding."""
    logits = twin.reference(**inputs, use_cache=False).logits
    if logits.dtype == torch.float64:
        return [logits]
    with Float64():
        wide = {key: x.double() if x.is_floating_point() else x for key, x in inputs.items()}
        return [logits, twin.in_float64.reference(**wide, use_cache=False).logits]


def assert_near(twin: Pair, ours: Tensor, expected: list[Tensor], where: Any = ...) -> None:
    """Within the tolerance of the reference as it is, or of its exact result: where the two differ by
    nearly as much themselves, rounding must not count twice."""
    assert min(difference(ours[where], each[where]) for each in expected) < twin.tolerance


def with_tail(pair: Pair, parts: list[tiny.Part], seed: int = 2) -> tiny.Scene:
    return tiny.scene([*parts, STEPS], pair.vision, seed)


def batch_of(pair: Pair, scenes: list[tiny.Scene]) -> PaddedBatch:
    merge = pair.vision["spatial_merge_size"]
    return left_padded(
        [each.ids for each in scenes], (tiny.IMAGE, tiny.VIDEO), [each.grid() for each in scenes], merge
    )


def features_of(pair: Pair, scenes: list[tiny.Scene]) -> VisionFeatures | None:
    pixels = [patches for each in scenes for patches in each.in_order()]
    if not pixels:
        return None
    return pair.ours.encode_images(torch.cat(pixels), torch.cat([each.grid() for each in scenes]))


def in_pieces(pair: Pair, batch: PaddedBatch, features: VisionFeatures | None, edges: list[int]) -> Tensor:
    """Hidden states of one sequence, computed piece by piece through one cache."""
    cache, hidden, used = pair.ours.empty_cache(), [], 0
    for a, b in pairwise(edges):
        ids = batch.input_ids[:, a:b]
        part = slice(used, used + int(pair.ours.visual_mask(ids).sum()))
        piece, used = None, part.stop
        if features and part.start < part.stop:
            piece = VisionFeatures(features.tokens[part], tuple(tap[part] for tap in features.deepstack))
        hidden.append(pair.ours(ids, batch.positions[..., a:b], cache, piece))
    assert cache.length == edges[-1]
    return torch.cat(hidden, dim=1)


def odd_edges(length: int) -> list[int]:
    """Prefill in pieces of 1, 3, 17, 65, 1, ... tokens, then one by one."""
    sizes = [size for _, size in zip(range(length), cycle((1, 3, 17, 65)), strict=False)]
    prefill = [edge for edge in accumulate(sizes, initial=0) if edge < length - STEPS]
    return [*prefill, *range(length - STEPS, length + 1)]


@pytest.mark.parametrize("parts", SCENES.values(), ids=SCENES)
def test_scenes(twin: Pair, parts: list[tiny.Part]):
    """All at once, and in odd pieces followed by 16 single steps."""
    scene = with_tail(twin, parts)
    batch, length = batch_of(twin, [scene]), len(scene.ids)
    with torch.no_grad():
        expected = expected_logits(twin, tiny.reference_inputs([scene]))
        features = features_of(twin, [scene])
        whole = twin.ours(batch.input_ids, batch.positions, features=features)
        pieces = in_pieces(twin, batch, features, odd_edges(length))
        assert_near(twin, twin.ours.logits(whole), expected)
        assert_near(twin, twin.ours.logits(pieces), expected)


def test_a_thousand_tokens(twin: Pair):
    ids = tiny.prompt([], 1, 1000)
    with torch.no_grad():
        expected = expected_logits(twin, {"input_ids": ids})
    assert_near(twin, our_logits(twin, ids)[None], expected)


@pytest.mark.parametrize("names", [("mixed", "3 tokens", "odd sizes", "video"), ("one picture", "65 tokens")])
def test_left_padded_batches(twin: Pair, names: tuple[str, ...]):
    """At once, and prefilled in one piece followed by 16 single steps."""
    scenes = [with_tail(twin, SCENES[name], seed) for seed, name in enumerate(names)]
    batch, inputs = batch_of(twin, scenes), tiny.reference_inputs(scenes)
    length, real = inputs["input_ids"].shape[1], inputs["attention_mask"].bool()
    with torch.no_grad():
        expected = expected_logits(twin, inputs)
        features = features_of(twin, scenes)
        for edges in ([0, length], [0, *range(length - STEPS, length + 1)]):
            cache, hidden = twin.ours.empty_cache(batch.padding), []
            for a, b in pairwise(edges):
                ids, rows = batch.input_ids[:, a:b], batch.positions[..., a:b]
                hidden.append(twin.ours(ids, rows, cache, None if a else features))
            logits = twin.ours.logits(torch.cat(hidden, dim=1))
            assert logits.isfinite().all()
            assert_near(twin, logits, expected, real)


def test_left_padding_of_one_sequence_in_pieces(twin: Pair):
    """Pads that reach past the first pieces, at batch 1, where others skip the mask."""
    ids = tiny.prompt([], 1, 100)
    rows, cache = positions(twin, ids), twin.ours.empty_cache(torch.tensor([70]))
    padded, padded_rows = F.pad(ids, (70, 0), value=9), F.pad(rows, (70, 0))
    with torch.no_grad():
        edges = (0, 1, 4, 64, 69, 72, 137, 170)
        pieces = [twin.ours(padded[:, a:b], padded_rows[..., a:b], cache) for a, b in pairwise(edges)]
        assert difference(torch.cat(pieces, dim=1)[:, 70:], twin.ours(ids, rows)) < twin.tolerance


def test_positions_and_deltas(pair: Pair):
    names = ("mixed", "3 tokens", "odd sizes", "video", "one-token picture")
    scenes = [with_tail(pair, SCENES[name], seed) for seed, name in enumerate(names)]
    batch, inputs = batch_of(pair, scenes), tiny.reference_inputs(scenes)
    wanted = ("input_ids", "mm_token_type_ids", "image_grid_thw", "video_grid_thw", "attention_mask")
    expected, delta = pair.reference.model.get_rope_index(**{key: inputs[key] for key in wanted})
    assert torch.equal(batch.positions, expected)
    assert torch.equal(batch.next_positions - inputs["attention_mask"].sum(-1), delta[:, 0])
    assert torch.equal(batch.input_ids, inputs["input_ids"])


@pytest.mark.parametrize("name", ["150 tokens", "mixed"])
def test_hidden_states_of_every_layer(twin: Pair, name: str):
    """What enters each layer, so DeepStack's additions too, and what enters the last norm."""
    scene = with_tail(twin, SCENES[name])
    batch = batch_of(twin, [scene])
    with torch.no_grad(), entering(twin.reference.model.language_model) as theirs:
        twin.reference(**tiny.reference_inputs([scene]), use_cache=False)
    with torch.no_grad(), entering(twin.ours.language_model) as ours:
        twin.ours(batch.input_ids, batch.positions, features=features_of(twin, [scene]))
    assert len(ours) == len(theirs) == len(twin.ours.language_model.layers) + 1
    for a, b in zip(ours, theirs, strict=True):
        assert difference(a, b) < twin.tolerance * max(1.0, b.abs().max().item())


@contextmanager
def entering(decoder: Any) -> Iterator[list[Tensor]]:
    """The hidden states that enter each layer and the final norm."""
    seen: list[Tensor] = []

    def note(module: torch.nn.Module, args: tuple, kwargs: dict) -> None:
        seen.append(args[0] if args else kwargs["hidden_states"])

    places = [*decoder.layers, decoder.norm]
    hooks = [place.register_forward_pre_hook(note, with_kwargs=True) for place in places]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


VISION_GRIDS = {
    "pictures": TWO,
    "one token": [(1, 2, 2)],
    "frames": [(3, 4, 2), (1, 12, 12), (2, 2, 2)],
    "wide and tall": [(1, 2, 40), (1, 30, 2)],
}


@pytest.mark.parametrize("grids", VISION_GRIDS.values(), ids=VISION_GRIDS)
def test_vision_features(twin: Pair, grids: list):
    pixels, grid = tiny.picture_inputs(grids, twin.vision)
    with torch.no_grad():
        expected = twin.reference.model.visual(pixels, grid_thw=grid)
        features = twin.ours.encode_images(pixels, grid)
    assert difference(features.tokens, expected.pooler_output) < twin.tolerance
    for tap, reference in zip(features.deepstack, getattr(expected, "deepstack_features", ()), strict=True):
        assert difference(tap, reference) < twin.tolerance


def test_pictures_of_one_batch_do_not_see_each_other(pair: Pair):
    grids = [(1, 4, 6), (1, 2, 2), (2, 4, 6), (1, 4, 6), (1, 8, 2)]
    pixels, grid = tiny.picture_inputs(grids, pair.vision)
    with torch.no_grad():
        together = pair.ours.encode_images(pixels, grid)
        apart = [
            pair.ours.encode_images(each, row[None])
            for each, row in zip(pixels.split(grid.prod(-1).tolist()), grid, strict=True)
        ]
    assert difference(together.tokens, torch.cat([each.tokens for each in apart])) < TOLERANCE
    for i, tap in enumerate(together.deepstack):
        assert difference(tap, torch.cat([each.deepstack[i] for each in apart])) < TOLERANCE


def test_fast_forgetting_is_rounding_alone(make_pair):
    """Heads that forget at once, at the official eps: in fp32 both sides stray as far from the exact result,
    in fp64 they agree.
    """
    pair, ids = make_pair("moe"), tiny.prompt([], 1, 150)
    harsh = Pair("moe", copy.deepcopy(pair.reference), pair.folder, copy.deepcopy(pair.ours))
    for model in (harsh.reference, harsh.ours):
        for name, parameter in model.named_parameters():
            if name.endswith("dt_bias"):
                parameter.data.add_(5)
    ours, theirs = our_logits(harsh, ids), tiny.reference_logits(harsh.reference, ids)
    exact = harsh.in_float64
    with Float64():
        ours_exact, theirs_exact = our_logits(exact, ids), tiny.reference_logits(exact.reference, ids)
    assert difference(ours_exact, theirs_exact) < 1e-10
    strays = difference(theirs.double(), theirs_exact)
    assert strays > TOLERANCE, "the reference itself is not exact to 1e-4 here"
    assert difference(ours.double(), ours_exact) < 4 * strays


@pytest.mark.parametrize("name", ["dense", "moe", "vl", "vl-moe"])
def test_a_bfloat16_checkpoint(make_pair, tmp_path, name: str):
    """Stored in half precision, computed in fp32 on both sides."""
    pair, ids = make_pair(name), tiny.prompt([], 1, 70)
    folder = tiny.save(copy.deepcopy(pair.reference).bfloat16(), tmp_path)
    reference = type(pair.reference).from_pretrained(folder, dtype=torch.float32).eval()
    narrow = Pair(name, reference, folder, load_model(folder, dtype=torch.float32))
    assert load_model(folder).language_model.norm.weight.dtype == torch.bfloat16
    assert difference(our_logits(narrow, ids), tiny.reference_logits(reference, ids)) < TOLERANCE


def test_deepstack_in_a_hybrid(make_pair):
    """No published hybrid has taps, so the reference gets Qwen3-VL's."""
    pair, blocks = make_pair("moe"), (0, 2)
    raw = pair.ours.config.to_dict()
    raw["vision_config"]["deepstack_visual_indexes"] = list(blocks)
    ours = VisionLanguageModel(ModelConfig.from_dict(raw)).requires_grad_(False)
    ours.load_state_dict(pair.ours.state_dict(), strict=False)
    tiny.randomise(ours.visual.deepstack_merger_list, seed=6)
    scene = tiny.scene(SCENES["mixed"], pair.vision)
    patches, grid, batch = torch.cat(scene.in_order()), scene.grid(), batch_of(pair, [scene])
    visual = ours.visual_mask(batch.input_ids)
    with torch.no_grad(), added_taps(pair.reference, ours.visual, patches, grid, visual):
        expected = pair.reference(**tiny.reference_inputs([scene]), use_cache=False).logits
        features = ours.encode_images(patches, grid)
        logits = ours.logits(ours(batch.input_ids, batch.positions, features=features))
    assert difference(logits, expected) < TOLERANCE
    assert difference(expected[0], our_logits(pair, batch.input_ids, patches, grid)) > 0.1, "the taps count"


def test_more_picture_tokens_than_pictures(hybrid: Pair):
    scene = tiny.scene(SCENES["odd sizes"], hybrid.vision)
    ids, grid = scene.ids[None], scene.grid()
    cut = torch.cat((ids[:, :30], ids[:, -3:]), dim=1)
    for wrong, given in ((ids, grid[:-1]), (cut, grid), (ids[:, -3:], grid)):
        with pytest.raises(ContextError, match=r"picture tokens.*: give each picture once"):
            positions(hybrid, wrong, given)
    features = features_of(hybrid, [scene])
    assert features is not None
    fewer = VisionFeatures(features.tokens[:-1])
    with pytest.raises(ContextError, match="picture tokens"), torch.no_grad():
        hybrid.ours(ids, positions(hybrid, ids, grid), features=fewer)


def test_a_prompt_asks_the_device_for_nothing_about_its_ids(hybrid: Pair):
    """A device without data has no answers; the count of pictures' tokens is checked all the same."""
    scene, merge = tiny.scene(SCENES["odd sizes"], hybrid.vision), hybrid.vision["spatial_merge_size"]
    blank, ours = Image.new("RGB", (1, 1)), copy.deepcopy(hybrid.ours).to("meta")
    pictures = [Picture(bytes(20), blank, grid, math.prod(grid) // merge**2) for _, grid in scene.order]
    ids, features = Prefill(ours, scene.ids.numpy(), pictures, frozenset()).ids, features_of(hybrid, [scene])
    assert features is not None
    x, _ = ours.embed(ids, VisionFeatures(features.tokens.to("meta")))
    assert x.is_meta
    assert x.shape[1] == len(scene.ids)
    with pytest.raises(ContextError, match="picture tokens"):
        ours.embed(ids, VisionFeatures(features.tokens[:-1].to("meta")))


def test_a_batch_equals_its_sequences(pair: Pair):
    ids = torch.cat((tiny.prompt([], 1, 70, seed=3), tiny.prompt([], 1, 70, seed=4)))
    rows = positions(pair, ids).expand(-1, 2, -1)
    with torch.no_grad():
        together = pair.ours(ids, rows)
        apart = torch.cat([pair.ours(row[None], rows[:, :1]) for row in ids])
    assert difference(together, apart) < TOLERANCE


def test_branches_behind_a_padded_batch_keep_its_padding(hybrid: Pair):
    scenes = [with_tail(hybrid, SCENES[name]) for name in ("65 tokens", "3 tokens")]
    batch, cut = batch_of(hybrid, scenes), 50
    cache = hybrid.ours.empty_cache(batch.padding)
    rest, rows = batch.input_ids[:, cut:], batch.positions[..., cut:]
    with torch.no_grad():
        hybrid.ours(batch.input_ids[:, :cut], batch.positions[..., :cut], cache)
        branches = hybrid.ours(rest.repeat_interleave(3, 0), rows.repeat_interleave(3, 1), cache.expand(3))
        once = hybrid.ours(rest, rows, cache.fork())
    assert difference(branches, once.repeat_interleave(3, 0)) < TOLERANCE


def test_the_recurrent_state_does_not_grow(hybrid: Pair):
    recurrent, attention = [], []
    for length in (1, 40, 400):
        ids, cache = tiny.prompt([], 1, length), hybrid.ours.empty_cache()
        with torch.no_grad():
            hybrid.ours(ids, positions(hybrid, ids), cache)
        states = [state for state in cache.layers if isinstance(state, DeltaState)]
        recurrent.append(sum(s.conv.nbytes + s.recurrent.nbytes for s in states))
        attention.append(cache.nbytes() - recurrent[-1])
    assert recurrent[0] == recurrent[1] == recurrent[2]
    assert attention == [attention[0], 40 * attention[0], 400 * attention[0]]


@pytest.mark.parametrize("padding", [None, torch.tensor([3])], ids=["plain", "padded"])
def test_layers_compile_without_a_break(make_pair, padding: Tensor | None):
    decoder = make_pair("dense").ours.language_model
    x, cache = torch.randn(1, 20, 48), make_pair("dense").ours.empty_cache(padding)
    rotary, pads = decoder.rotary(torch.arange(20).expand(3, 1, 20)), cache.pad_mask(20)
    for layer in decoder.layers[2:]:
        compiled = torch.compile(layer, fullgraph=True, backend="eager")
        assert difference(compiled(x, rotary, None, pads)[0], layer(x, rotary, None, pads)[0]) < 1e-6


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
