"""The Triton delta rule with tiles of bf16 is near its reference; without a GPU in Triton's interpreter."""

import pytest
import torch
from saccade.model import kernels
from saccade.model.kernels import reference

from tests.model.test_delta_chunks import DEVICE, inputs

delta_prompt = pytest.importorskip("saccade.model.kernels.delta_prompt", reason="needs triton")
# Of the norm: 3.3e-3 where roundings are to the nearest (a card, or torch), the interpreter cuts off.
ALLOWED = 1.6e-2


def apart(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((ours.float() - theirs).norm() / theirs.norm())


@torch.no_grad()
@pytest.mark.parametrize(
    ("tokens", "batch", "key_heads", "heads", "key_dim", "value_dim"),
    [
        (1, 1, 1, 1, 64, 64),
        (64, 1, 1, 1, 64, 128),
        (65, 2, 1, 2, 128, 64),
        (150, 1, 2, 6, 64, 64),
        (130, 1, 1, 2, 128, 128),
    ],
)
def test_is_near_the_recurrence(tokens, batch, key_heads, heads, key_dim, value_dim):
    given = inputs(tokens, batch, key_heads, heads, key_dim, value_dim, torch.bfloat16)
    assert delta_prompt.fits(*given[:3], given[5])
    o, end = reference.delta_rule_recurrent(*(x.float() for x in given))
    got = delta_prompt.delta_rule(*given)
    assert got.o.dtype is torch.bfloat16
    assert got.kept is None
    assert apart(got.o, o) < ALLOWED
    assert apart(got.end, end) < ALLOWED


@torch.no_grad()
@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 100])
def test_keeps_the_state_after_some_tokens(count):
    q, k, v, g, beta, state = inputs(100, 1, 1, 2, 64, 64, torch.bfloat16)
    got = delta_prompt.delta_rule(q, k, v, g, beta, state, torch.tensor(count, device=DEVICE))
    expected = state
    if count:
        q_, k_, v_, g_, beta_ = (x[:, :count].float() for x in (q, k, v, g, beta))
        expected = reference.delta_rule_recurrent(q_, k_, v_, g_, beta_, state)[1]
    assert apart(got.kept, expected) < ALLOWED
    assert torch.equal(got.end, delta_prompt.delta_rule(q, k, v, g, beta, state).end)


@torch.no_grad()
def test_likeness_of_all_keys_is_no_harm():
    """The worst for an inverse: keys that are all the same, nothing decays, and all is written."""
    q, k, v, g, beta, state = inputs(64, 1, 1, 1, 64, 64, torch.bfloat16)
    k, g, beta = k[:, :1].expand_as(k).contiguous(), torch.zeros_like(g), torch.ones_like(beta)
    o, end = reference.delta_rule_recurrent(*(x.float() for x in (q, k, v, g, beta, state)))
    got = delta_prompt.delta_rule(q, k, v, g, beta, state)
    assert apart(got.o, o) < 2 * ALLOWED
    assert apart(got.end, end) < 2 * ALLOWED


def test_what_is_not_narrow_is_left_to_others():
    q, k, v, *_, state = inputs(8, 1, 1, 1, 64, 64)
    assert not delta_prompt.fits(q, k, v, state)
    q, k, v, *_, state = inputs(8, 1, 1, 1, 32, 64, torch.bfloat16)
    assert not delta_prompt.fits(q, k, v, state)


@torch.no_grad()
@pytest.mark.parametrize(("dtype", "taken"), [(torch.bfloat16, [6, 7]), (torch.float32, [])], ids=str)
def test_is_taken_for_narrow_inputs(monkeypatch, dtype, taken):
    monkeypatch.setattr(kernels, "_fits_chunks", lambda *_: True)
    seen = []
    monkeypatch.setattr(delta_prompt, "delta_rule", lambda *given: seen.append(len(given)) or given)
    q, k, v, g, beta, state = inputs(8, 1, 1, 1, 64, 64, dtype)
    kernels.delta_rule(q, k, v, g, beta, state)
    kernels._delta_rule_kept(q, k, v, g, beta, state, torch.tensor(8, device=DEVICE))
    assert seen == taken
