"""Every published size builds, without memory, and has as many parameters as its name says."""

import pytest
from saccade.model.config import ModelConfig
from saccade.ui.inspect import count

from .published import PUBLISHED, Published


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda published: published.name)
def test_counts_meet_the_name(published: Published):
    parameters = count(ModelConfig.from_dict(published.config))
    named = {published.total: parameters.language / 1e9, published.active: parameters.active / 1e9}
    off = {name: n for name, n in named.items() if name and abs(n / name - 1) > 0.03}
    assert bool(off) == bool(published.why), named
    for name, counted in off.items():
        digits = 1 if name < 1 else 0
        assert f"{counted:.2f} B" in published.why
        assert name == (int(counted) if "down" in published.why else round(counted, digits))


def test_the_prediction_head_has_the_published_tensors():
    by_name = {published.name: published.config for published in PUBLISHED}
    assert 0 < count(ModelConfig.from_dict(by_name["35B-A3B"])).mtp < 1e9
    assert count(ModelConfig.from_dict(by_name["VL-30B-A3B"])).mtp == 0
