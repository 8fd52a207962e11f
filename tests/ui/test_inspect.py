"""`saccade inspect`: what it says of a checkpoint is what loading and running it gives."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from saccade.errors import InputError
from saccade.model.cache import AttentionState, DeltaState
from saccade.model.config import ModelConfig
from saccade.model.engine import Engine
from saccade.model.hub import BUILTIN
from saccade.model.weights import empty_model, load_model
from saccade.ui.cli import run_command
from saccade.ui.inspect import GIB, examine, parse_context, size, tables
from saccade.ui.routing import draw_loads, imbalance, record_loads

from tests.model.published import PUBLISHED

BY_NAME = {published.name: ModelConfig.from_dict(published.config) for published in PUBLISHED}
LAYERS = json.loads((BUILTIN / "config.json").read_text())["text_config"]["num_hidden_layers"]
STRETCHED = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 262144}


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.from_pretrained("builtin")


def held(model: torch.nn.Module) -> int:
    return sum(t.nbytes for t in [*model.parameters(), *model.buffers()])


@pytest.mark.parametrize("kind", ["fp32", "bf16", "int8", "int4"])
def test_weights_take_what_it_says(kind: str):
    dtype = torch.float32 if kind == "fp32" else torch.bfloat16
    model = load_model("builtin", dtype=dtype, quantise=kind if kind.startswith("int") else None)  # type: ignore[arg-type]
    said = examine(ModelConfig.from_pretrained(BUILTIN)).weight_bytes[kind]
    assert held(model) == said


def test_the_cache_takes_what_it_says():
    model, report = load_model("builtin"), examine(ModelConfig.from_pretrained(BUILTIN))
    cache = model.empty_cache()
    with torch.inference_mode():
        model(torch.ones(1, 70, dtype=torch.long), torch.arange(70).expand(3, 1, 70), cache)
    growing = [state for state in cache.layers if isinstance(state, AttentionState)]
    constant = [state for state in cache.layers if isinstance(state, DeltaState)]
    assert sum(s.keys.nbytes + s.values.nbytes for s in growing) == 70 * report.kv_bytes_per_token
    assert sum(s.conv.nbytes + s.recurrent.nbytes for s in constant) == report.state_bytes


def test_parameters_are_those_of_the_files():
    parameters = examine(ModelConfig.from_pretrained(BUILTIN)).parameters
    model = load_model("builtin")
    assert parameters.total == sum(p.numel() for p in model.parameters())
    idle = 6 / 8 * parameters.experts  # 2 of 8 are chosen
    assert parameters.active == parameters.language - idle


def test_machines_that_fit_and_that_do_not():
    """27 B in bf16 are 54 GB; 397 B need a node; long contexts need room beside the weights."""
    middle, large = examine(BY_NAME["27B"]), examine(BY_NAME["397B-A17B"])
    assert middle.longest_context("bf16", "24 GB card") is None
    assert middle.longest_context("int4", "24 GB card")
    assert middle.longest_context("bf16", "80 GB card")
    assert large.longest_context("bf16", "H200 141 GB") is None
    assert large.longest_context("bf16", "8 x H200") == "1M"
    assert 790 * 0.93 * GIB < large.weight_bytes["bf16"] < 820 * GIB
    assert large.cache_bytes(10_000) - large.cache_bytes(0) == 10_000 * large.kv_bytes_per_token


def test_yarn_moves_the_limit():
    raw = next(published.config for published in PUBLISHED if published.name == "4B")
    text = {**raw["text_config"]}
    text["rope_parameters"] = {**text["rope_parameters"], **STRETCHED}
    stretched = examine(ModelConfig.from_dict({**raw, "text_config": text}))
    plain = examine(BY_NAME["4B"])
    assert (plain.max_positions, stretched.max_positions) == (262_144, 1_048_576)
    assert "needs (more) YaRN" in printed(plain)
    assert "YaRN" not in printed(stretched)


def printed(report) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(tables(report, "x"))
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", BY_NAME)
def test_every_size_has_its_table(name: str):
    text, config = printed(examine(BY_NAME[name])), BY_NAME[name]
    assert f"{config.text.hidden_size}, {config.text.vocab_size}" in text
    assert ("DeltaNet  " in text) == config.model_type.startswith("qwen3_5")
    assert ("experts of" in text) == (config.text.num_experts > 0)
    taps = ", ".join(map(str, config.vision.deepstack_visual_indexes)) or "none"
    assert f"DeepStack {taps}" in text


def test_sizes_are_readable():
    assert [size(n) for n in (5, 1500, 1010 * 2**20, 5 * GIB, 790 * GIB)] == [
        *("5 B", "1.46 KiB", "1.0 GiB", "5.0 GiB", "790 GiB")
    ]


def test_the_command_prints_json(capsys: pytest.CaptureFixture[str]):
    assert run_command(["inspect", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["model_type"] == "qwen3_5_moe"
    assert said["total_parameters"] == sum(p.numel() for p in load_model("builtin").parameters())
    assert said["cache_bytes"]["4096"] == 4096 * said["kv_bytes_per_token"] + said["state_bytes"]


def test_contexts_and_dtypes_of_ones_own(capsys: pytest.CaptureFixture[str]):
    command = ["inspect", "--json", "--context", "64k", "--context", "100", "--cache", "fp32"]
    assert run_command(command) == 0
    said = json.loads(capsys.readouterr().out)
    narrow = examine(ModelConfig.from_pretrained(BUILTIN))
    assert said["kv_bytes_per_token"] == 2 * narrow.kv_bytes_per_token
    assert said["cache_bytes"] == {
        str(tokens): tokens * said["kv_bytes_per_token"] + said["state_bytes"] for tokens in (65536, 100)
    }
    assert said["fits"]["24 GB card"]["bf16"] == "64k"


@pytest.mark.parametrize("text", ["", "k", "-5", "1.5M", "0", "many"])
def test_a_context_is_a_number_of_tokens(text: str):
    with pytest.raises(InputError, match="number of tokens"):
        parse_context(text)


def test_routing_draws_and_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    picture, png = tmp_path / "page.png", tmp_path / "loads.png"
    Image.effect_mandelbrot((96, 64), (-2, -1.5, 1, 1.5), 60).save(picture)
    command = ["inspect", "--routing", "Task: x", "--image", str(picture), "--png", str(png), "--json"]
    assert run_command(command) == 0
    said = json.loads(capsys.readouterr().out)["routing"]
    assert said["png"] == str(png)
    assert len(said["layers"]) == LAYERS
    assert all(1 <= row["max_over_mean"] <= 4 and 0 < row["entropy"] <= 1 for row in said["layers"])
    pixels = np.asarray(Image.open(png).convert("RGB"))
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 20


def test_loads_count_every_choice_of_every_token(engine: Engine, tmp_path: Path):
    loads = record_loads(engine, "Task: x")
    message = {"role": "user", "content": [{"type": "text", "text": "Task: x"}]}
    tokens = len(engine.encode([message], [], True).ids)
    assert loads.sum(1).tolist() == [2 * tokens] * LAYERS
    assert torch.equal(record_loads(engine, "Task: x"), loads), "a cached prompt counts as well"
    Image.new("RGB", (64, 48)).save(tmp_path / "page.png")
    assert record_loads(engine, "Task: x", tmp_path / "page.png").sum() > loads.sum()


def test_imbalance_of_known_loads():
    even, one = imbalance(torch.tensor([[5, 5, 5, 5], [20, 0, 0, 0]]))
    assert even == pytest.approx({"max_over_mean": 1, "entropy": 1, "unused": 0})
    assert one == pytest.approx({"max_over_mean": 4, "entropy": 0, "unused": 3}, abs=1e-9)


def test_the_map_shows_where_the_load_is(tmp_path: Path):
    """The brightest cell is the busiest expert, in a small map and in one as large as they come."""
    for layers, experts in ((2, 4), (60, 512)):
        loads = torch.ones(layers, experts, dtype=torch.long)
        loads[1, 2] = 1000
        draw_loads(loads, tmp_path / "map.png", "title")
        image = np.asarray(Image.open(tmp_path / "map.png").convert("RGB")).astype(int)
        yellow = np.argwhere(np.abs(image - (253, 231, 37)).sum(-1) < 12)
        rows, columns = yellow[yellow[:, 1] < image.shape[1] - 130].T
        width, height = max(3, min(56, 1024 // experts)), max(12, min(40, 640 // layers))
        assert 50 + height <= rows.min() <= rows.max() < 50 + 2 * height
        assert 70 + 2 * width <= columns.min() <= columns.max() < 70 + 3 * width


def test_a_dense_model_has_no_routing(engine: Engine):
    raw = ModelConfig.from_pretrained(BUILTIN).to_dict()
    raw["model_type"], raw["text_config"]["num_experts"] = "qwen3_5", 0
    raw["text_config"] |= {"num_experts_per_tok": 0, "intermediate_size": 64}
    model = empty_model(ModelConfig.from_dict(raw), "cpu", torch.float32)
    dense = Engine(model, engine.chat, engine.processor, name="dense")
    with pytest.raises(InputError, match="dense has no experts"):
        record_loads(dense, "x")


def test_an_image_needs_a_text(capsys: pytest.CaptureFixture[str]):
    assert run_command(["inspect", "--image", "a.png"]) == 2
    assert "give the text as well" in capsys.readouterr().err
