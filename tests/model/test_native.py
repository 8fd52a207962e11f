"""The fused functions for a CPU mean what the plain definitions say, at odd shapes, and none is needed."""

import subprocess

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from saccade.model import kernels
from saccade.model.engine import Engine
from saccade.model.kernels import build, native, reference
from saccade.vision.encoder import PLAIN
from torch import Tensor

pytestmark = pytest.mark.skipif(not native.available(), reason="no C compiler")
sizes = settings(max_examples=25, deadline=None)
TOLERANCE = 2e-5


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def assert_same(a: Tensor, b: Tensor) -> None:
    assert a.shape == b.shape
    assert (a - b).abs().max() <= TOLERANCE * max(1.0, b.abs().max().item())


def poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is not written stays NaN."""

    def filled(make):
        def call(*arguments, **options):
            x = make(*arguments, **options)
            return x.fill_(torch.nan) if x.is_floating_point() else x

        return call

    for place, name in ((torch, "empty"), (torch, "empty_like"), (Tensor, "new_empty")):
        monkeypatch.setattr(place, name, filled(getattr(place, name)))


@sizes
@given(st.integers(1, 12), st.integers(1, 70), st.lists(st.integers(1, 19), min_size=1, max_size=4))
def test_project(rows: int, dim: int, outs: list[int]):
    x, weights = noise(2, rows, dim), [noise(n, dim) for n in outs]
    for ours, expected in zip(native.project(x, *weights), reference.project(x, *weights), strict=True):
        assert_same(ours, expected)


@sizes
@given(st.integers(1, 40), st.integers(1, 70), st.sampled_from([0.0, 1.0]))
def test_rms_norm(rows: int, dim: int, offset: float):
    x, w = noise(rows, dim), noise(dim)
    assert_same(native.rms_norm(x, w, 1e-6, offset), reference.rms_norm(x, w, 1e-6, offset))


@sizes
@given(st.integers(1, 3), st.integers(1, 40), st.integers(1, 4), st.sampled_from([(6, 2), (16, 16), (20, 8)]))
def test_rotate_heads(batch: int, tokens: int, heads: int, dims: tuple[int, int]):
    """Of queries that lie beside their gates as well."""
    dim, turned = dims
    both, w = noise(batch, tokens, heads, 2 * dim), noise(dim)
    angles = noise(batch, tokens, turned // 2).repeat(1, 1, 2)
    for x in (both[..., :dim], both[..., :dim].contiguous(), both[:, ::2, :, :dim]):
        rotary = angles[:, : x.shape[1]].cos(), angles[:, : x.shape[1]].sin()
        arguments = (x, w, 1e-6, 1.0, *rotary)
        assert_same(native.rotate_heads(*arguments), reference.rotate_heads(*arguments))


@sizes
@given(st.integers(1, 40), st.integers(1, 30), st.integers(1, 30))
def test_mlp(rows: int, dim: int, width: int):
    x, weights = noise(rows, dim), (noise(width, dim), noise(width, dim), noise(dim, width))
    assert_same(native.mlp(x, *weights), reference.mlp(x, *weights))


@sizes
@given(
    st.integers(1, 2), st.sampled_from([(1, 1), (2, 1), (4, 2)]), st.integers(9, 150), st.integers(0, 300),
    st.sampled_from([8, 16, 24, 64]), st.booleans(),
)  # fmt: skip
def test_attention(batch, heads, tokens, before, dim, causal):
    """Of keys in a buffer with room, and of projections that lie beside each other, as an encoder's do."""
    (h, g), seen = heads, before + tokens
    q, room = noise(batch, h, tokens, dim), noise(2, batch, g, seen + 3, dim)
    k, v = room[..., :seen, :]
    mask = torch.ones(tokens, seen, dtype=torch.bool).tril(before) if causal else None
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
    assert_same(native.attention(q, k, v, causal), expected)
    beside = [x.transpose(1, 2).contiguous().transpose(1, 2) for x in (q, k, v)]
    assert native.attention(*beside, causal=causal).equal(native.attention(q, k, v, causal))


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(("heads", "tokens", "dim"), [((6, 2), 450, 64), ((2, 1), 130, 256)])
def test_attention_shares_keys(heads, tokens, dim, threads):
    """More queries than are taken at once, behind more keys than a block has; however many threads."""
    q, (k, v) = noise(2, heads[0], tokens, dim), noise(2, 2, heads[1], tokens + 700, dim)
    mask = torch.ones(tokens, tokens + 700, dtype=torch.bool).tril(700)
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        found = native.attention(q, k, v, causal=True)
    finally:
        torch.set_num_threads(before)
    assert_same(found, expected)
    assert found.equal(native.attention(q, k, v, causal=True))


def test_attention_to_far_and_equal_scores():
    """Scores of +-400 and rows of equal ones: no overflow, and the first key counts."""
    q, k, v = 40 * noise(1, 1, 70, 16), 40 * noise(1, 1, 200, 16), noise(1, 1, 200, 16)
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    assert_same(native.attention(q, k, v, causal=False), expected)
    assert_same(native.attention(0 * q, k, v, causal=False), v.mean(2, keepdim=True).expand(-1, -1, 70, -1))


@sizes
@given(st.integers(1, 40), st.integers(1, 130), st.sampled_from([0.1, 1.0, 30.0]))
def test_linear_gelu(rows: int, dim: int, scale: float):
    x, weight, bias = scale * noise(rows, dim) / dim**0.5, noise(7, dim), noise(7)
    assert_same(native.linear_gelu(x, weight, bias), PLAIN.linear_gelu(x, weight, bias))


@sizes
@given(st.integers(1, 70), st.integers(1, 4), st.sampled_from([2, 16, 20]))
def test_rotate(patches: int, heads: int, dim: int):
    """Of queries and keys that lie beside values."""
    x, angles = noise(patches, 3 * heads, dim)[:, : 2 * heads], noise(patches, dim // 2).repeat(1, 2)
    rotary = angles.cos(), angles.sin()
    assert_same(native.rotate(x, *rotary), PLAIN.rotate(x, *rotary))


@sizes
@given(
    st.integers(1, 40), st.integers(2, 9), st.integers(1, 2), st.integers(1, 20), st.sampled_from([0, 1, 13])
)
def test_mixture(rows: int, experts: int, k: int, width: int, shared_width: int):
    dim, shared = 18, ()
    if shared_width:
        both, down = (noise(shared_width, dim), noise(shared_width, dim) + 1), noise(dim, shared_width)
        shared = (*both, down, noise(1, dim))
    logits = noise(rows, experts)
    ours, expected = native.top_experts(logits, k), reference.top_experts(logits, k)
    assert_same(ours[0], expected[0])
    assert ours[1].equal(expected[1])
    arguments = (noise(rows, dim), *ours, noise(experts, 2 * width, dim), noise(experts, dim, width), shared)
    assert_same(native.mixture(*arguments), reference.mixture(*arguments))


def mix_inputs(batch: int, tokens: int, groups: int, heads: int, key_dim: int, value_dim: int, decay: float):
    channels = 2 * groups * key_dim + heads * value_dim
    weights = reference.MixWeights(
        noise(channels, 1, 4) / 2, noise(heads), noise(heads) - decay, noise(value_dim)
    )
    projected = (
        noise(batch, tokens, channels), noise(batch, tokens, heads * value_dim), noise(batch, tokens, heads),
        noise(batch, tokens, heads) / 2,
    )  # fmt: skip
    state = noise(batch, heads, key_dim, value_dim) / 10
    return (*projected, weights, 1e-6, groups, noise(batch, 3, channels), state, tokens <= kernels.SHORT)


@sizes
@given(
    st.integers(1, 3), st.one_of(st.integers(1, 100), st.sampled_from([31, 32, 33, 63, 64, 65, 128])),
    st.sampled_from([(1, 1), (1, 3), (2, 4)]), st.sampled_from([8, 16, 24, 64]), st.integers(1, 40),
    st.sampled_from([-3.0, 1.0, 5.0]),
)  # fmt: skip
def test_delta_mix(
    batch: int, tokens: int, heads: tuple[int, int], key_dim: int, value_dim: int, decay: float
):
    inputs = mix_inputs(batch, tokens, *heads, key_dim, value_dim, decay)
    ours, expected = native.delta_mix(*inputs), reference.delta_mix(*inputs)
    assert_same(ours[1][:, -3:], expected[1][:, -3:])
    for mine, its in zip(ours[2], expected[2], strict=True):
        assert_same(mine, its)
    # The norm divides by what may be next to nothing, so rows are compared before they are normalised much.
    assert (ours[0] - expected[0]).abs().max() < 2e-3
    assert (ours[0] - expected[0]).abs().mean() < 2e-6


def test_everything_is_written(monkeypatch: pytest.MonkeyPatch):
    poisoned(monkeypatch)
    for rows in (1, 40):
        x = noise(rows, 16)
        routed = native.top_experts(noise(rows, 4), 2)
        stacks = noise(4, 12, 16), noise(4, 16, 6)
        shared = noise(5, 16), noise(5, 16), noise(16, 5), noise(1, 16)
        angles = noise(1, rows, 4)
        mixed, _, states = native.delta_mix(*mix_inputs(1, rows, 1, 2, 8, 12, 1.0))
        outs = [
            *(*native.project(x, noise(5, 16), noise(3, 16)), routed[0], mixed, *states),
            native.rms_norm(x, noise(16), 1e-6, 1.0),
            native.linear_gelu(x, noise(5, 16), noise(5)),
            native.rotate(noise(rows, 2, 8), angles[0].repeat(1, 2), angles[0].repeat(1, 2)),
            native.attention(*noise(3, 1, 2, rows, 8), causal=True),
            native.mixture(x, *routed, *stacks, shared),
            native.mixture(x, *routed, *stacks),
            native.rotate_heads(noise(1, rows, 2, 8), noise(8), 1e-6, 1.0, angles, angles),
        ]
        assert all(out.isfinite().all() for out in outs)


def test_a_gradient_or_another_format_is_refused():
    x, w = noise(2, 4), noise(3, 4)
    assert native.takes(x, w)
    assert not native.takes(x.bfloat16(), w)
    assert not native.takes(x, w.bfloat16())
    assert not native.takes(x, w.T.contiguous().T)
    with torch.enable_grad():
        assert not native.takes(x, w)


def test_without_a_compiler_the_same_is_written(pair, monkeypatch: pytest.MonkeyPatch):
    """Token by token, by the plain definitions."""

    def replies() -> list[list[int | None]]:
        engine = Engine.from_pretrained(pair.folder)
        talks = [[{"role": "user", "content": text}] for text in ("What is here?", "Go on.", "a" * 90)]
        return [[p.token for p in engine.generate(talk, max_tokens=24, thinking="fast")] for talk in talks]

    fused = replies()
    monkeypatch.setattr(native, "available", lambda: False)
    assert sum(map(len, fused)) > 24
    assert replies() == fused


@pytest.fixture
def cache_folder(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    build.library.cache_clear()
    yield tmp_path / "saccade"
    build.library.cache_clear()


def test_it_is_compiled_once(cache_folder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(build, "FLAGS", build.FLAGS.replace("-O3", "-O0"))  # in a quarter of the time
    path = build.library()
    assert path
    assert [path] == list(cache_folder.iterdir())
    build.library.cache_clear()
    monkeypatch.setattr(subprocess, "run", None)
    assert build.library() == path


@pytest.mark.parametrize("compilers", [("no-such-compiler",), ("false",), ()])
def test_no_compiler_is_no_error(cache_folder, monkeypatch: pytest.MonkeyPatch, compilers: tuple[str, ...]):
    monkeypatch.setattr(build, "COMPILERS", compilers)
    assert build.library() is None
    assert not list(cache_folder.iterdir())


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "saccade").write_text("a file where the folder should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    build.library.cache_clear()
    assert build.library() is None
    build.library.cache_clear()
