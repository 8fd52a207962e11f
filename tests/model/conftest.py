import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from saccade.model.vlm import VisionLanguageModel
from saccade.model.weights import load_model

from . import tiny
from .precision import Float64


@dataclass
class Pair:
    """The reference, its files, and our network loaded from them."""

    name: str
    reference: Any
    folder: Path
    ours: VisionLanguageModel
    tolerance: float = 1e-4

    @property
    def vision(self) -> dict:
        return tiny.CONFIGS[self.name][2]

    @cached_property
    def in_float64(self) -> "Pair":
        """The same weights in fp64; to be used inside `Float64`."""
        with Float64():
            reference = tiny.reference_model(self.name)
            reference.load_state_dict(self.reference.state_dict())
            return Pair(self.name, reference, self.folder, copy.deepcopy(self.ours).double(), 1e-10)


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


@pytest.fixture(
    params=[(name, bits) for name in tiny.CONFIGS for bits in (32, 64)], ids=lambda p: f"{p[0]}-fp{p[1]}"
)
def twin(request: pytest.FixtureRequest, make_pair: Callable[[str], Pair]) -> Iterator[Pair]:
    """In fp32 as it is used, within 1e-4, and in fp64, within 1e-10, where only the maths can differ."""
    name, bits = request.param
    if bits == 32:
        yield make_pair(name)
        return
    pair = make_pair(name).in_float64
    with Float64():
        yield pair


@pytest.fixture
def hybrid(make_pair: Callable[[str], Pair]) -> Pair:
    """The member with everything: DeltaNet, gated attention, experts, a shared expert."""
    return make_pair("moe")
