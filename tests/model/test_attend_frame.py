"""Attention within pictures in tiles equals its reference; without a GPU in Triton's interpreter."""

import pytest
import torch
from saccade.model import kernels
from torch.nn import functional as F

attend_frame = pytest.importorskip("saccade.model.kernels.attend_frame", reason="needs triton")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def heads(pictures: int, patches: int, count: int, dim: int) -> list[torch.Tensor]:
    """q, k, v [N, H, S, D] as the encoder has them: parts of one product, patch after patch."""
    torch.manual_seed(patches)
    joined = torch.randn(pictures * patches, 3 * count, dim, device=DEVICE).bfloat16()
    parts = joined.split(count, dim=1)
    return [x.unflatten(0, (pictures, patches)).transpose(1, 2) for x in parts]


@torch.no_grad()
@pytest.mark.parametrize(
    ("pictures", "patches", "count", "dim"), [(1, 64, 2, 72), (1, 150, 1, 72), (2, 70, 2, 80), (1, 3, 1, 72)]
)
def test_equals_attention(pictures, patches, count, dim):
    q, k, v = heads(pictures, patches, count, dim)
    got = attend_frame.attend(q, k, v)
    expected = F.scaled_dot_product_attention(q.float(), k.float(), v.float())
    assert got.shape == expected.shape
    assert got.transpose(1, 2).is_contiguous()
    assert float((got.float() - expected).norm() / expected.norm()) < 5e-3


@torch.no_grad()
def test_is_taken_for_narrow_heads_of_such_a_width(monkeypatch):
    taken = []
    monkeypatch.setattr(kernels, "_many_in_triton", lambda *_: True)
    monkeypatch.setattr(attend_frame, "has_room", lambda _: True)
    monkeypatch.setattr(attend_frame, "attend", lambda *given: taken.append(given) or given[0])
    q, k, v = heads(1, 8, 2, 72)
    kernels.full_attention(q, k, v)
    assert len(taken) == 1
    kernels.full_attention(q.float(), k.float(), v.float())
    kernels.full_attention(*heads(1, 8, 2, 64))
    kernels.full_attention(
        *(x[..., 1:69] for x in (q, k, v))
    )  # rows that begin between multiples of 16 bytes
    assert len(taken) == 1
