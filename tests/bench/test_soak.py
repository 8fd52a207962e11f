"""The soak, short: a busy engine with a random head, little memory and impatient callers says nothing wrong."""

from bench.soak import Soak, tiny_engine


def test_a_short_soak(tmp_path):
    soak = Soak(tiny_engine(tmp_path), seed=3)
    result = soak.run(300)
    assert result["wrong"] == 0
    assert result["checked"] > 2
    assert result["cancelled"] > 0
    assert not soak.engine.scheduler.busy
    assert soak.engine.prefixes.nbytes() == 0
