"""The parts of `bench gpu` that fill its table run at a small shape on a CPU; times say nothing here."""

import math
from functools import cache

import pytest
import torch
from saccade.model.stepping import DeltaSlots, KVSlots, StaticCache
from saccade.vision.processor import Processor

pytest.importorskip("triton")
pytest.importorskip("transformers")
from bench import _gpu_engine, _gpu_lab, _gpu_limits, _gpu_parts, _gpu_peers, _gpu_plot
from bench._gpu_lab import TARGETS, Lab, Sizes
from bench._gpu_models import SMALL, SMALL_VISION, TEXT, peer_of, random_model, step_bytes, tower_of

SHAPE = {**SMALL, "vocab_size": 2560, "num_hidden_layers": 4}  # its tokenizer has 2,321 tokens
SIZES = Sizes(4, 20, {"1k": 30, "32k": 50}, {"8k": 70}, (128, 64), 2, 5, 60, 2)


@cache  # one network for all tests
def model():
    return random_model(SHAPE, "cpu", torch.float32, vision=SMALL_VISION)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)  # a choice of experts may hang on a rounding: always of the same numbers


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setattr(_gpu_lab, "MOST_S", 0.0)
    monkeypatch.setattr(_gpu_engine, "CHUNK", 16)
    monkeypatch.setattr(_gpu_peers, "NEW", 30)
    return Lab(model, SHAPE, SMALL_VISION, 1e10, 1e11, SIZES)


PARTS = {
    "decode, 32 rows, 4k before": _gpu_parts.many_rows,
    "decode, 32k before": _gpu_parts.long_contexts,
    "prompt of 8k": _gpu_engine.prompts,
    "picture, 1280 x 800": _gpu_engine.picture,
    "agent step, 64 tokens": _gpu_engine.agent,
    "int4, 32k before": lambda lab: _gpu_engine.memory(lab, "cpu"),
}


@pytest.mark.parametrize("case", PARTS)
def test_a_part_notes_its_row(case: str, lab: Lab):
    PARTS[case](lab)
    row = lab.rows[case]
    assert row.keys() >= {"ours", "limit"}
    assert all(math.isfinite(value) for value in row.values())


@torch.inference_mode()
def test_the_peer_computes_what_ours_does(lab: Lab):
    peer = peer_of(model(), SHAPE, "grouped_mm")
    ids = _gpu_parts.random_ids(model(), 40, 1)
    theirs = peer(input_ids=ids[None], logits_to_keep=1).logits[0, 0]
    torch.testing.assert_close(_gpu_engine.read(model(), ids, 16), theirs, rtol=1e-3, atol=1e-3)
    pixels, grid = Processor()([_gpu_engine.screen(lab, 1)])
    features = tower_of(model(), SMALL_VISION)(pixels, grid).pooler_output
    torch.testing.assert_close(model().visual(pixels, grid).tokens, features, rtol=1e-3, atol=1e-3)


def test_the_peer_fills_its_rows(lab: Lab):
    _gpu_peers.peers(lab)
    assert {case for case, row in lab.rows.items() if "peer" in row} == {
        "decode, 32k before", "decode, 32 rows, 4k before", "prompt of 8k", "picture, 1280 x 800",
        "agent step, first token", "agent step, 64 tokens",
    }  # fmt: skip


def test_a_row_that_is_wrong_is_not_timed(lab: Lab, monkeypatch: pytest.MonkeyPatch):
    for module in (_gpu_parts, _gpu_engine):
        monkeypatch.setattr(module, "apart", lambda ours, theirs: math.nan)
    for case in ("decode, 32 rows, 4k before", "prompt of 8k", "picture, 1280 x 800"):
        with pytest.raises(_gpu_lab.Wrong):
            PARTS[case](lab)
    assert not lab.rows


def test_the_table_tells_what_met_its_target(lab: Lab):
    rate, size = "decode, 1k before", "int4, 32k before"
    lab.rows = {rate: {"ours": 500.0, "limit": 1000.0, "peer": 50.0}, size: {"ours": 30.0, "limit": 15.0}}
    columns = [list(column.cells) for column in _gpu_lab.table_of(lab.rows).columns]
    table = {cells[0].rsplit(",", 1)[0]: cells[1:] for cells in zip(*columns, strict=True)}
    assert table[rate] == ("500 +", "420", "1,000", "0.50", "50", "10.0")
    assert table[size] == ("30.0 !", "22.0", "15.0", "0.50", "-", "-")
    assert table.keys() == TARGETS.keys()


def test_bytes_and_operations_of_the_shapes():
    """Counted from the network itself."""
    net = model().language_model
    matrices = [p for name, p in net.layers.named_parameters() if p.dim() == 2 or "experts" in name]
    head = 2 * SHAPE["vocab_size"] * SHAPE["hidden_size"]
    assert _gpu_limits.weight_bytes(SHAPE) == 2 * sum(p.numel() for p in matrices) + head
    static = StaticCache.empty(model(), 1, 40)
    states = sum(slots.recurrent.nbytes for slots in static.layers if isinstance(slots, DeltaSlots))
    keys = sum(2 * slots.keys.nbytes for slots in static.layers if isinstance(slots, KVSlots))  # in fp32
    assert _gpu_limits.row_bytes(SHAPE, 40) == states + keys // 2
    assert _gpu_limits.rows_bytes(SHAPE, 40, 1) == step_bytes(SHAPE, 40)
    assert _gpu_limits.rows_bytes(TEXT, 4096, 32) == pytest.approx(51.5e9, rel=0.02)


def test_long_contexts_are_drawn_with_and_without_measurements(tmp_path):
    pytest.importorskip("matplotlib")
    results = tmp_path / "gpu.jsonl"
    assert "0 measured points" in _gpu_plot.plot(results, tmp_path / "a.png")
    results.write_text(
        '{"part": "long", "layers": 40, "gpu": "H", "date": "D", "copy": 4e12,'
        ' "points": [{"tokens": 1024, "tokens_s": 400, "bytes": 70000000000}]}\n'
    )
    assert "1 measured points, measured on H, D" in _gpu_plot.plot(results, tmp_path / "b.png")
    assert (tmp_path / "b.png").read_bytes() != (tmp_path / "a.png").read_bytes()
