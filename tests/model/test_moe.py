"""The ways to compute a mixture of experts agree with each other and with the formula."""

import pytest
import torch
from saccade.model.kernels.reference import experts_by_token, experts_dense, experts_grouped
from torch import Tensor
from torch.nn import functional as F

Case = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def case(tokens: int, experts: int = 6, top_k: int = 2) -> Case:
    generator = torch.Generator().manual_seed(tokens)
    x, gate_up, down = (
        torch.randn(shape, generator=generator) / 4
        for shape in ((tokens, 16), (experts, 24, 16), (experts, 16, 12))
    )
    chances = torch.rand(tokens, experts, generator=generator).softmax(-1)
    weights, indices = chances.topk(top_k)
    return x, gate_up, down, weights, indices


def by_hand(x: Tensor, gate_up: Tensor, down: Tensor, weights: Tensor, indices: Tensor) -> Tensor:
    out = torch.zeros_like(x)
    for t, row in enumerate(x):
        for weight, expert in zip(weights[t], indices[t], strict=True):
            hidden = gate_up[expert] @ row
            out[t] += weight * (down[expert] @ (F.silu(hidden[:12]) * hidden[12:]))
    return out


@pytest.mark.parametrize("rule", [experts_by_token, experts_dense, experts_grouped])
@pytest.mark.parametrize(("tokens", "experts", "top_k"), [(1, 6, 2), (40, 6, 2), (3, 6, 6), (5, 64, 1)])
def test_equals_the_formula(rule, tokens: int, experts: int, top_k: int):
    inputs = case(tokens, experts, top_k)
    assert torch.allclose(rule(*inputs), by_hand(*inputs), atol=1e-6)


def test_gradients_agree():
    gradients = []
    for rule in (experts_by_token, experts_dense, experts_grouped):
        x, gate_up, down, weights, indices = case(20)
        leaves = [tensor.requires_grad_() for tensor in (x, gate_up, down, weights)]
        rule(x, gate_up, down, weights, indices).square().sum().backward()
        gradients.append([leaf.grad for leaf in leaves])
    for each in zip(*gradients, strict=True):
        assert all(torch.allclose(one, each[0], atol=1e-6) for one in each[1:])
