"""How an effect reads."""

from saccade.tools.observation import Effect


def test_describe_and_visible() -> None:
    assert Effect().describe() == "no change"
    assert not Effect(changed=1e-6).visible
    assert Effect(changed=0.004).describe() == "less than 1% of the screen changed"
    assert Effect(changed=0.41, navigated=True).describe() == "navigated, 41% of the screen changed"
    assert Effect(dialog="alert: saved").visible
    assert Effect(error="denied", changed=0.5).describe() == "failed: denied"
