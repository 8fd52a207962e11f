"""The Triton recurrence between chunks equals its reference, both ways."""

import pytest
import torch
from saccade.model.kernels import reference

pytest.importorskip("triton")
from saccade.model.kernels import pass_state

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


@pytest.mark.parametrize("chunks", [1, 3])
def test_pass_state_equals_reference_with_gradients(chunks):
    torch.manual_seed(chunks)
    shapes = [
        (1, 2, chunks, 64, 32),
        (1, 2, chunks, 64, 16),
        (1, 2, chunks, 64, 16),
        (1, 2, chunks),
        (1, 2, 16, 32),
    ]
    inputs = [torch.randn(s, device=DEVICE) * 0.2 for s in shapes]
    results = []
    for rule in (reference.delta_pass_state, pass_state.delta_pass_state):
        leaves = [x.clone().requires_grad_() for x in inputs]
        out = rule(*leaves)
        torch.manual_seed(0)
        torch.stack([(o * torch.randn_like(o)).sum() for o in out]).sum().backward()
        results.append([*out, *(x.grad for x in leaves)])
    for expected, got in zip(*results, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)
