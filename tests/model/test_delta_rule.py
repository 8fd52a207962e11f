"""The chunked delta rule equals the recurrent one, which equals the formula."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from saccade.model.kernels import delta_rule, reference
from saccade.model.kernels.reference import causal_conv, delta_rule_chunked, delta_rule_recurrent
from torch import Tensor

Inputs = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]


def inputs(
    tokens: int, batch: int = 2, groups: int = 2, heads: int = 4, seed: int = 0, decay: float = 1.0
) -> Inputs:
    generator = torch.Generator().manual_seed(seed)

    def noise(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    q, k = noise(batch, tokens, groups, 16), noise(batch, tokens, groups, 16)
    v = noise(batch, tokens, heads, 12)
    g = -decay * noise(batch, tokens, heads).exp()
    beta = noise(batch, tokens, heads).sigmoid()
    return q, k, v, g, beta, 0.1 * noise(batch, heads, 16, 12)


def assert_same(a: tuple, b: tuple, tolerance: float = 2e-5) -> None:
    for x, y in zip(a, b, strict=True):
        assert (x - y).abs().max() < tolerance * max(1.0, y.abs().max().item())


@pytest.mark.parametrize("tokens", [1, 2, 15, 16, 17, 63, 64, 65, 127, 128, 129, 200])
def test_chunked_equals_recurrent(tokens: int):
    assert_same(delta_rule_chunked(*inputs(tokens)), delta_rule_recurrent(*inputs(tokens)))


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 150),
    st.integers(1, 3),
    st.sampled_from([(1, 1), (1, 3), (2, 4), (4, 4)]),
    st.integers(0, 10**6),
    st.sampled_from([1e-4, 1.0, 30.0]),
)
def test_every_shape_and_decay(tokens: int, batch: int, heads: tuple[int, int], seed: int, decay: float):
    case = inputs(tokens, batch, *heads, seed, decay)
    assert_same(delta_rule_chunked(*case), delta_rule_recurrent(*case), 1e-4)


def test_the_formula_by_hand():
    """Two tokens, one head, fp64: S <- S e^g; S <- S + k beta (v - S^T k)^T; o = S^T q."""
    q, k, v, g, beta, state = (x.double() for x in inputs(2, 1, 1, 1))
    expected, S = [], state[0, 0]
    for t in range(2):
        unit_k = k[0, t, 0] / (k[0, t, 0].square().sum() + 1e-6).sqrt()
        unit_q = q[0, t, 0] / (q[0, t, 0].square().sum() + 1e-6).sqrt() / 4
        S = S * g[0, t, 0].exp()
        S = S + torch.outer(unit_k, beta[0, t, 0] * (v[0, t, 0] - S.T @ unit_k))
        expected.append(S.T @ unit_q)
    o, end = delta_rule_recurrent(*inputs(2, 1, 1, 1))
    assert_same((o[0, :, 0].double(), end[0, 0].double()), (torch.stack(expected), S), 1e-5)


@pytest.mark.parametrize("cuts", [(0, 1, 3, 70), (0, 64, 70), (0, 5, 69, 70)])
def test_pieces_equal_the_whole(cuts: tuple[int, ...]):
    q, k, v, g, beta, state = inputs(70)
    whole, end = delta_rule(q, k, v, g, beta, state)
    pieces = []
    for a, b in pairwise(cuts):
        part = slice(a, b)
        o, state = delta_rule(q[:, part], k[:, part], v[:, part], g[:, part], beta[:, part], state)
        pieces.append(o)
    assert_same((torch.cat(pieces, dim=1), state), (whole, end))


def test_gradients_agree():
    gradients = []
    for rule in (delta_rule_chunked, delta_rule_recurrent):
        q, k, v, g, beta, state = leaves = [x.clone().requires_grad_() for x in inputs(100)]
        o, end = rule(q, k, v, g, beta, state)
        (o.square().sum() + end.sum()).backward()
        gradients.append(tuple(leaf.grad for leaf in leaves))
    assert_same(*gradients, tolerance=1e-4)


def test_the_state_given_is_not_written():
    case = inputs(70)
    before = [x.clone() for x in case]
    delta_rule(*case)
    assert all(torch.equal(a, b) for a, b in zip(case, before, strict=True))


def test_half_precision_in_fp32_state():
    q, k, v, g, beta, state = inputs(70)
    o, end = delta_rule(q.bfloat16(), k.bfloat16(), v.bfloat16(), g, beta, state)
    assert o.dtype == torch.bfloat16
    assert end.dtype == torch.float32


def test_the_convolution_carries_its_window():
    x, weight = torch.randn(2, 10, 6), torch.randn(6, 1, 4)
    start = torch.zeros(2, 3, 6)
    whole, columns = causal_conv(x, start, weight)
    assert torch.equal(columns, torch.cat((start, x), dim=1))
    window, pieces = start, []
    for a, b in ((0, 1), (1, 3), (3, 10)):
        y, seen = causal_conv(x[:, a:b], window, weight)
        window = seen[:, b - a :]
        pieces.append(y)
    assert torch.allclose(torch.cat(pieces, dim=1), whole, atol=1e-6)
    assert torch.equal(window, x[:, -3:])


def test_inverse_and_its_gradient():
    torch.manual_seed(0)
    strict = (torch.randn(2, 64, 64, dtype=torch.float64) * 0.2).tril(-1).requires_grad_()
    inverse = reference.unit_lower_inverse(strict)
    eye = torch.eye(64, dtype=torch.float64).expand(2, -1, -1)
    torch.testing.assert_close(inverse @ (eye + strict), eye)
    weight = torch.randn_like(inverse)
    (inverse * weight).sum().backward()
    plain = strict.detach().clone().requires_grad_()
    (torch.linalg.inv(eye + plain.tril(-1)) * weight).sum().backward()
    torch.testing.assert_close(strict.grad, plain.grad)
