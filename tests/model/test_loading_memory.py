"""A checkpoint streams through: beside the model itself, memory holds one tensor at a time.

Measured in a process of its own, on a checkpoint large enough to stand out from the interpreter's noise.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from saccade.model.checkpoint import INDEX
from saccade.model.config import ModelConfig
from saccade.model.weights import empty_model, save_model

from .test_config import raw_config

LOAD = """
import json, resource, sys, torch
from saccade.model.weights import load_model
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB
load_model({warm!r}, dtype=torch.float32)  # what every first load costs: threads, code, buffers
before = peak()
model = load_model({folder!r}, dtype=getattr(torch, {dtype!r}), quantise={quantise!r})
tensors = [*model.parameters(), *model.buffers()]
print(json.dumps({{"grown": peak() - before, "model": sum(t.nbytes for t in tensors)}}))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some 200 MB in bf16, in shards, the largest tensor 50 MB."""
    raw = raw_config("moe")
    raw["text_config"] |= {"hidden_size": 768, "vocab_size": 32768, "num_hidden_layers": 4}
    raw["text_config"] |= {"num_experts": 16, "moe_intermediate_size": 512}
    raw["vision_config"] |= {"out_hidden_size": 768}
    model = empty_model(ModelConfig.from_dict(raw), "cpu", torch.bfloat16)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    folder = tmp_path_factory.mktemp("large")
    save_model(model, folder, max_shard_bytes=100_000_000)
    assert (folder / INDEX).is_file()
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has another unit elsewhere")
@pytest.mark.parametrize(("dtype", "quantise"), [("bfloat16", None), ("float16", None), ("bfloat16", "int8")])
def test_peak_is_the_model_and_one_tensor(folder: Path, make_pair, dtype: str, quantise: str | None):
    index = json.loads((folder / INDEX).read_text())
    total, largest = index["metadata"]["total_size"], 32768 * 768 * 2
    assert total > 180e6
    code = LOAD.format(warm=str(make_pair("moe").folder), folder=str(folder), dtype=dtype, quantise=quantise)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    assert measured["grown"] - measured["model"] < largest + 0.05 * total, measured
