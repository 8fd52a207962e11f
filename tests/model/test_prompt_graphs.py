"""A prompt in padded pieces is the ordinary forward: what it gives, and every state that it leaves.

On a CPU a piece of work stands in for its graph: it reads and leaves tensors at the same places.
"""

from typing import Any

import pytest
import torch
from saccade.model import prompt_graphs
from saccade.model.cache import AttentionState, DeltaState, HybridCache
from saccade.model.config import ModelConfig
from saccade.model.decoder import ALL, LAST
from saccade.model.kernels import MixWeights, native, padded, reference
from saccade.model.layout import joined
from saccade.model.prompt_graphs import Piece, PromptGraphs
from saccade.model.vlm import VisionLanguageModel
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from . import tiny
from .conftest import Pair

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
# Attention at the end, before the end, and twice; without DeltaNet at all, and with taps of DeepStack.
NETWORKS = {"dense": 5, "dense-tied": 6, "moe": 8, "vl": 4, "vl-moe": 3}
TIGHT = 2e-5


def network(name: str, device: str = "cpu", dtype: torch.dtype = torch.float32) -> VisionLanguageModel:
    kind, text, vision, top = tiny.CONFIGS[name]
    text = {**text, "num_hidden_layers": NETWORKS[name]}
    if device == "cuda" and "linear_key_head_dim" in text:
        text |= {"linear_key_head_dim": 16, "linear_value_head_dim": 32}
    raw = {"model_type": kind, "text_config": text, "vision_config": vision, **tiny.SPECIAL, **top}
    model = VisionLanguageModel(ModelConfig.from_dict(raw))
    tiny.randomise(model, 0)
    return model.requires_grad_(False).to(device, dtype)


def in_pieces(model: VisionLanguageModel) -> PromptGraphs:
    """Every size came before."""
    graphs = PromptGraphs(model, None if model.device.type == "cuda" else warmed)
    for size in range(0, 4096, prompt_graphs.STEP):
        graphs._known(size)
    return graphs


def warmed(work: Piece) -> Piece:
    """As a graph is made: it runs once before, on whatever lies there."""
    work()
    return work


def inputs(model: VisionLanguageModel, tokens: int, seen: int, seed: int = 0) -> tuple[Tensor, Tensor, list]:
    """x, positions and taps of some tokens behind others."""
    generator = torch.Generator().manual_seed(seed + tokens)
    taps = 1 + len(model.config.vision.deepstack_visual_indexes)
    shape = taps, 1, tokens, model.config.text.hidden_size
    x, *rest = torch.randn(shape, generator=generator).to(model.language_model.norm.weight)
    places = torch.arange(seen, seen + tokens, device=model.device).expand(3, 1, -1)
    return x, places, rest


def tensors(cache: HybridCache) -> list[Tensor]:
    """All that it holds, in one order."""
    found: list[Tensor] = []
    for state in cache.layers:
        if isinstance(state, AttentionState):
            found += [state.keys, state.values]
        else:
            assert isinstance(state, DeltaState)
            found += [state.conv, state.recurrent]
            found += [state.midway.conv, state.midway.recurrent] if state.midway else []
    return found


def assert_close(ours: Any, theirs: Any, tolerance: float = TIGHT) -> None:
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        assert (a.double() - b.double()).norm() <= tolerance * b.double().norm()


@torch.inference_mode()
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    ("tokens", "seen", "cut"),
    [
        (128, 0, 0),
        (127, 0, 64),
        (129, 0, 1),
        (65, 0, 2),
        (65, 70, 63),
        (256, 70, 255),
        (200, 5, 0),
        (130, 1, 128),
    ],
)
def test_pieces_equal_the_forward(name: str, tokens: int, seen: int, cut: int):
    model = network(name)
    graphs, decoder = in_pieces(model), model.language_model
    before = model.empty_cache()
    if seen:
        decoder(*inputs(model, seen, 0)[:2], before)
    for rows in (ALL, LAST):
        for taps in (True, False):
            x, places, rest = inputs(model, tokens, seen)
            rest = rest if taps else []
            ours, theirs = before.fork(), before.fork()
            given, expected = (
                run(x, places, cache, rest, rows, cut) for run, cache in ((graphs, ours), (decoder, theirs))
            )
            assert (ours.length, theirs.length) == (seen + tokens,) * 2
            assert_close([given, *tensors(ours)], [expected, *tensors(theirs)])
    assert graphs.replayed == 4
    kept = ours.split_off(tokens - cut) if cut else ours
    wanted = theirs.split_off(tokens - cut) if cut else theirs
    for one, other in ((kept, wanted), (ours, theirs)):
        x, places, _ = inputs(model, 3, one.length)
        assert_close([decoder(x, places, one)], [decoder(x, places, other)])
    assert not any(getattr(state, "midway", None) for state in ours.layers)


@torch.inference_mode()
def test_states_are_values():
    """What was left stays as it was while later prompts go through the same places, longer and shorter."""
    model = network("moe")
    graphs, decoder, left = in_pieces(model), model.language_model, []
    trunk = model.empty_cache()
    graphs(*inputs(model, 100, 0)[:2], trunk, (), LAST, 90)
    left.append((trunk.split_off(10), trunk.fork()))
    for tokens, seed in ((128, 1), (70, 2), (300, 3), (90, 4)):
        cache = trunk.fork()
        graphs(*inputs(model, tokens, 100, seed)[:2], cache, (), ALL, tokens // 2)
        left.append((cache.split_off(tokens - tokens // 2), cache.fork()))
    copies = [[x.clone() for cache in pair for x in tensors(cache)] for pair in left]
    graphs(*inputs(model, 111, 0, 9)[:2], model.empty_cache())
    for pair, copy in zip(left, copies, strict=True):
        assert all(
            torch.equal(x, y) for x, y in zip((t for c in pair for t in tensors(c)), copy, strict=True)
        )
    again = model.empty_cache()
    decoder(*inputs(model, 100, 0)[:2], again)
    for (_, cache), (tokens, seed) in zip(left[1:], ((128, 1), (70, 2), (300, 3), (90, 4)), strict=True):
        expected = again.fork()
        decoder(*inputs(model, tokens, 100, seed)[:2], expected)
        assert_close(tensors(cache), tensors(expected))


@torch.inference_mode()
def test_what_it_does_not_cover_is_the_ordinary_forward():
    model = network("dense")
    graphs = in_pieces(model)
    wide = torch.randn(2, 100, model.config.text.hidden_size)
    graphs(wide, torch.arange(100).expand(3, 2, -1), model.empty_cache())
    graphs(wide[:1], torch.arange(100).expand(3, 1, -1), model.empty_cache(torch.tensor([7])))
    for count in (1, prompt_graphs.LEAST, prompt_graphs.MOST + 1):
        graphs(*inputs(model, count, 0)[:2], model.empty_cache())
    assert (graphs.sizes, graphs.replayed) == ([], 0)
    graphs(wide[:1], torch.arange(100).expand(3, 1, -1), model.empty_cache())
    with torch.inference_mode(False), torch.enable_grad():
        graphs(*inputs(model, 100, 0)[:2], model.empty_cache())
    assert graphs.replayed == 1
    assert graphs.sizes == [128]


@torch.inference_mode()
def test_a_size_has_graphs_from_its_second_time_on_and_few_are_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(prompt_graphs, "KEPT", 2)
    model, made = network("dense"), []
    graphs = PromptGraphs(model, lambda work: made.append(work) or work)
    for tokens, pieces in (
        (100, 0),
        (120, 2),
        (128, 2),
        (200, 2),
        (129, 4),
        (300, 4),
        (100, 4),
        (300, 6),
        (250, 8),
    ):
        graphs(*inputs(model, tokens, 0)[:2], model.empty_cache())
        assert len(made) == pieces
    assert graphs.sizes == [384, 256]


@torch.inference_mode()
def test_graphs_are_made_anew_when_weights_have_moved():
    """As decoding moves them, the first time; they then are tensors of inference mode."""
    model, made = network("dense"), []
    graphs = PromptGraphs(model, lambda work: made.append(work) or warmed(work))
    for _ in range(3):
        graphs(*inputs(model, 100, 0)[:2], model.empty_cache())
    assert len(made) == 2
    mlp: Any = model.language_model.layers[0].mlp
    joined(mlp.gate_proj, mlp.up_proj)
    for _ in range(2):
        graphs(*inputs(model, 100, 0)[:2], model.empty_cache())
    assert len(made) == 4


class Ops(TorchDispatchMode):
    """Notes the names of what torch computes."""

    def __init__(self):
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(str(func.overloadpacket))
        return func(*args, **(kwargs or {}))


@torch.inference_mode()
@pytest.mark.parametrize("name", ["dense", "vl"])
def test_a_piece_asks_its_host_for_nothing(name: str, monkeypatch: pytest.MonkeyPatch):
    """No number leaves the device, and no shape depends on one. Experts would, on a CPU alone."""
    monkeypatch.setattr(native, "available", lambda: False)
    model, works = network(name), []
    graphs = PromptGraphs(model, lambda work: works.append(work) or work)
    for _ in range(2):
        graphs(*inputs(model, 100, 0)[:2], model.empty_cache())
    with Ops() as ops:
        for work in works:
            work()
    waits = {"_local_scalar_dense", "nonzero", "masked_select", "item", "is_nonzero", "unique", "bincount"}
    assert len(ops.names) > 10
    assert not {f"aten.{name}" for name in waits} & ops.names


@pytest.mark.skipif(torch.cuda.is_available(), reason="there they are graphs")
@torch.inference_mode()
def test_on_a_cpu_nothing_is_kept():
    model = network("dense")
    graphs = PromptGraphs(model)
    for _ in range(3):
        graphs(*inputs(model, 100, 0)[:2], model.empty_cache())
    assert (graphs.sizes, graphs.replayed) == ([], 0)


def test_an_engine_writes_the_same(pair: Pair, monkeypatch: pytest.MonkeyPatch):
    """A conversation with pictures, whose states go to the prefix cache and come back."""
    from saccade.model.engine import Engine  # a card's machine may lack what it needs

    from .talk import tokens as written
    from .talk import turns

    monkeypatch.setattr(prompt_graphs, "LEAST", 8)
    plain = Engine.from_pretrained(pair.folder, graphs=False)
    engine = Engine(plain.model, plain.chat, plain.processor, graphs=True)
    assert plain.prompts is None
    engine.prompts = graphs = in_pieces(engine.model)
    for n in range(1, 5):
        assert written(engine, turns(n)) == written(plain, turns(n))
    assert graphs.replayed >= 4
    assert len(engine.prefixes) > 4


@torch.no_grad()
@pytest.mark.parametrize("name", ["chunks, fp32", "chunks, bf16", "prompt, bf16"])
@pytest.mark.parametrize(("real", "cut"), [(128, 128), (67, 3), (66, 64), (5, 0), (1, 1)])
def test_pads_leave_states_alone_in_triton(real: int, cut: int, name: str):
    mix_many = pytest.importorskip("saccade.model.kernels.mix_many", reason="needs triton")
    delta_chunks = pytest.importorskip("saccade.model.kernels.delta_chunks", reason="needs triton")
    delta_prompt = pytest.importorskip("saccade.model.kernels.delta_prompt", reason="needs triton")
    kept_by = {"chunks": delta_chunks.delta_rule_kept, "prompt": delta_prompt.delta_rule}
    dim = 64 if name.startswith("prompt") else 16
    dtype, rule = torch.float32 if "fp32" in name else torch.bfloat16, kept_by[name.split(",")[0]]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(real)
    heads, channels, size = 2, 4 * dim, 128

    def noise(*shape: int) -> Tensor:
        return torch.randn(shape, device=device).to(dtype)

    weights = MixWeights(noise(channels, 1, 4), noise(heads), noise(heads) - 3, noise(dim))
    each = noise(1, size, channels), noise(1, size, 2 * dim), noise(1, size, heads), noise(1, size, heads)
    state = torch.randn(1, heads, dim, dim, device=device)
    before = weights, 1e-6, 1, noise(1, 3, channels), state
    ends = padded.Ends.of(torch.tensor([real, cut], device=device), size, 3)
    around = reference.Around(mix_many.causal_conv, mix_many.gates, mix_many.gated_norm)
    out, windows, end, kept = padded.delta_mix(*each, *before, ends, rule, around)
    for count, window, last in ((real, windows[0], end), (cut, windows[1], kept)):
        if not count:
            assert torch.equal(window, before[3])
            torch.testing.assert_close(last, state)
            continue
        qkv, z, b, a = (x[:, :count] for x in each)
        expected, columns, (after,) = reference.delta_mix(qkv, z, b, a, *before, each=False)
        limit = 1e-5 if dtype is torch.float32 else 2e-2
        assert torch.equal(window, columns)
        assert_close([out[:, :count], last], [expected, after], limit)


@GPU
@torch.inference_mode()
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_graphs_equal_the_forward(name: str, dtype: torch.dtype):
    """Captured, replayed at other lengths, thrown away and captured again."""
    model = network(name, "cuda", dtype)
    graphs, decoder = in_pieces(model), model.language_model
    suited = prompt_graphs.suits(model)
    limit = 1e-3 if dtype is torch.float32 else 5e-2
    trunk, sizes = model.empty_cache(), (128, 127, 65, 250, 300, 500, 600, 700, 100)
    decoder(*inputs(model, 70, 0)[:2], trunk)
    for tokens in sizes:
        before = trunk if tokens % 2 else model.empty_cache()
        x, places, taps = inputs(model, tokens, before.length)
        ours, theirs = before.fork(), before.fork()
        given = graphs(x, places, ours, taps, LAST, tokens - 1)
        expected = decoder(x, places, theirs, taps, LAST, tokens - 1)
        assert_close([given, *tensors(ours)], [expected, *tensors(theirs)], limit)
    assert graphs.replayed == (len(sizes) if suited else 0)
