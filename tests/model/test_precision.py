import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from saccade.model import precision
from saccade.model.engine import Engine
from saccade.model.precision import usual_dtype
from saccade.model.weights import load_model, save_model

from . import tiny
from .conftest import Pair
from .test_parity import our_logits

CPU = torch.device("cpu")


@pytest.fixture
def narrow(hybrid: Pair, tmp_path: Path) -> Path:
    """A bf16 checkpoint that an engine loads."""
    folder = Path(shutil.copytree(hybrid.folder, tmp_path / "checkpoint"))
    save_model(load_model(folder, dtype=torch.bfloat16), folder)
    return folder


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("least", [0, 10**9])
def test_a_cpu_keeps_bfloat16_where_it_pays(narrow: Path, monkeypatch: pytest.MonkeyPatch, native, least):
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda: native)
    monkeypatch.setattr(precision, "LARGE_BYTES", least)
    wanted = torch.bfloat16 if native and not least else torch.float32
    assert usual_dtype(narrow, CPU) == wanted
    weights = Engine.from_pretrained(narrow).model.parameters()
    assert {parameter.dtype for parameter in weights} == {wanted}


def test_a_gpu_takes_what_there_is(narrow: Path):
    assert usual_dtype(narrow, torch.device("cuda")) is None


def test_what_is_asked_for_wins(narrow: Path):
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        weights = Engine.from_pretrained(narrow, dtype=dtype).model.parameters()
        assert {parameter.dtype for parameter in weights} == {dtype}


@pytest.mark.parametrize(("dtype", "limit"), [(torch.float16, 0.02), (torch.bfloat16, 0.15)])
def test_half_precision_is_near(make_pair, dtype: torch.dtype, limit: float):
    pair, ids = make_pair("dense"), tiny.prompt([], 1, 70)
    narrow = replace(pair, ours=load_model(pair.folder, dtype=dtype))
    error = our_logits(narrow, ids).float() - our_logits(pair, ids)
    assert 0 < error.std() < limit * our_logits(pair, ids).std()
