"""Finding a checkpoint: folders, hub ids from the cache, and one clear line when there is none."""

import shutil
import sys
from pathlib import Path

import pytest
from saccade.errors import CheckpointError
from saccade.model.hub import find_checkpoint
from saccade.model.weights import load_model

from .conftest import Pair

huggingface_hub = pytest.importorskip("huggingface_hub")
SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, and no connection."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def test_a_cached_id_loads_without_a_connection(hybrid: Pair, cache: Path):
    repo = cache / "models--someone--tiny"
    shutil.copytree(hybrid.folder, repo / "snapshots" / SHA)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(SHA)
    assert find_checkpoint("someone/tiny").name == SHA
    assert load_model("someone/tiny").config == hybrid.ours.config


def refused(spec: str | Path) -> str:
    with pytest.raises(CheckpointError) as error:
        find_checkpoint(spec)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_an_id_that_cannot_be_had_is_named(cache: Path):
    message = refused("Qwen/Qwen3.5-0.8B")
    assert "Qwen/Qwen3.5-0.8B" in message
    assert "connection" in message


def test_without_the_library(cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert "pip install" in refused("Qwen/Qwen3.5-0.8B")


@pytest.mark.parametrize("spec", ["none", "/none/at/all", "a/b/c", "../x", "", "https://host/a"])
def test_what_is_neither_folder_nor_id(spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert "no checkpoint at" in refused(spec)


def test_a_folder_comes_before_an_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "Qwen" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert find_checkpoint("Qwen/mine") == Path("Qwen/mine")
