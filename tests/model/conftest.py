from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from saccade.model.vlm import VisionLanguageModel
from saccade.model.weights import load_model

from . import tiny


@dataclass
class Pair:
    """The reference, its files, and our network loaded from them."""

    name: str
    reference: Any
    folder: Path
    ours: VisionLanguageModel

    @property
    def vision(self) -> dict:
        return tiny.CONFIGS[self.name][2]


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def make_pair(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Pair]:
    made: dict[str, Pair] = {}

    def make(name: str) -> Pair:
        if name not in made:
            reference = tiny.reference_model(name)
            folder = tiny.save(reference, tmp_path_factory.mktemp(name))
            tiny.add_chat_files(folder, tiny.CONFIGS[name][2])
            made[name] = Pair(name, reference, folder, load_model(folder))
        return made[name]

    return make


@pytest.fixture(params=tiny.CONFIGS)
def pair(request: pytest.FixtureRequest, make_pair: Callable[[str], Pair]) -> Pair:
    return make_pair(request.param)


@pytest.fixture
def hybrid(make_pair: Callable[[str], Pair]) -> Pair:
    """The member with everything: DeltaNet, gated attention, experts, a shared expert."""
    return make_pair("moe")
