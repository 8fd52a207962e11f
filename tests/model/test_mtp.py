"""The prediction head against a plain derivation: `transformers` has none to compare with."""

from dataclasses import replace

import pytest
import torch
from saccade.model.config import TextConfig
from saccade.model.mtp import MultiTokenPredictor
from torch import Tensor
from torch.nn import functional as F

from . import tiny
from .conftest import Pair


@pytest.fixture(params=["dense", "moe"])
def case(request: pytest.FixtureRequest, make_pair) -> tuple[TextConfig, MultiTokenPredictor]:
    pair: Pair = make_pair(request.param)
    config = replace(pair.ours.config.text, mtp_num_hidden_layers=1)
    head = MultiTokenPredictor(config)
    tiny.randomise(head, seed=4)
    return config, head.requires_grad_(False)


def norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return x / (x.square().mean(-1, keepdim=True) + eps).sqrt() * (1 + weight)


def rotated(x: Tensor, config: TextConfig) -> Tensor:
    """x [T, heads, D] at positions 0, 1, ...: pairs (i, i + R/2) turn by t / theta^(2i / R)."""
    half = config.rotary_dim // 2
    angles = torch.arange(len(x))[:, None] / config.rope.theta ** (torch.arange(half) / half)
    turn = torch.polar(torch.ones_like(angles), angles)[:, None]
    turned = torch.complex(x[..., :half], x[..., half : 2 * half]) * turn
    return torch.cat((turned.real, turned.imag, x[..., 2 * half :]), dim=-1)


def derived(config: TextConfig, head: MultiTokenPredictor, embedding: Tensor, hidden: Tensor) -> Tensor:
    """embedding, hidden [T, D]; written out head by head and token by token."""
    eps = config.rms_norm_eps
    weights: dict[str, Tensor] = dict(head.named_parameters())
    block = {name.removeprefix("layers.0."): w for name, w in weights.items()}
    parts = (
        norm(embedding, weights["pre_fc_norm_embedding.weight"], eps),
        norm(hidden, weights["pre_fc_norm_hidden.weight"], eps),
    )
    x = torch.cat(parts, dim=-1) @ weights["fc.weight"].T
    y, d = norm(x, block["input_layernorm.weight"], eps), config.head_dim
    q_and_gate = (y @ block["self_attn.q_proj.weight"].T).view(len(x), -1, 2 * d)
    q, gate = q_and_gate[..., :d], q_and_gate[..., d:]
    k = (y @ block["self_attn.k_proj.weight"].T).view(len(x), -1, d)
    v = (y @ block["self_attn.v_proj.weight"].T).view(len(x), -1, d)
    q = rotated(norm(q, block["self_attn.q_norm.weight"], eps), config)
    k = rotated(norm(k, block["self_attn.k_norm.weight"], eps), config)
    group = config.num_attention_heads // config.num_key_value_heads
    out = torch.zeros_like(q)
    for t in range(len(x)):
        for h in range(config.num_attention_heads):
            scores = (k[: t + 1, h // group] @ q[t, h]) / d**0.5
            out[t, h] = scores.softmax(0) @ v[: t + 1, h // group] * gate[t, h].sigmoid()
    x = x + out.flatten(1) @ block["self_attn.o_proj.weight"].T
    y = norm(x, block["post_attention_layernorm.weight"], eps)
    return norm(x + feed_forward(config, block, y), weights["norm.weight"], eps)


def feed_forward(config: TextConfig, block: dict[str, Tensor], y: Tensor) -> Tensor:
    def mlp(prefix: str, x: Tensor) -> Tensor:
        gate, up, down = (block[f"{prefix}.{part}_proj.weight"] for part in ("gate", "up", "down"))
        return (F.silu(x @ gate.T) * (x @ up.T)) @ down.T

    if not config.num_experts:
        return mlp("mlp", y)
    rows = []
    for x in y:
        chances = (block["mlp.gate.weight"] @ x).softmax(0)
        best = chances.topk(config.num_experts_per_tok)
        row = torch.sigmoid(block["mlp.shared_expert_gate.weight"] @ x) * mlp("mlp.shared_expert", x)
        for weight, expert in zip(best.values / best.values.sum(), best.indices, strict=True):
            gate, up = (block["mlp.experts.gate_up_proj"][expert] @ x).chunk(2)
            row = row + weight * (block["mlp.experts.down_proj"][expert] @ (F.silu(gate) * up))
        rows.append(row)
    return torch.stack(rows)


def test_equals_the_derivation(case: tuple[TextConfig, MultiTokenPredictor]):
    config, head = case
    embedding, hidden = torch.randn(2, 12, config.hidden_size).unbind()
    positions = torch.arange(12).expand(3, 1, 12)
    ours = head(embedding[None], hidden[None], positions, [None])[0]
    assert (ours - derived(config, head, embedding, hidden)).abs().max() < 1e-4


def test_drafting_in_steps_equals_the_whole(case: tuple[TextConfig, MultiTokenPredictor]):
    config, head = case
    embedding, hidden = torch.randn(2, 1, 12, config.hidden_size).unbind()
    positions = torch.arange(12).expand(3, 1, 12)
    whole, states = head(embedding, hidden, positions, [None]), [None]
    steps = [
        head(embedding[:, a:b], hidden[:, a:b], positions[..., a:b], states)
        for a, b in ((0, 7), (7, 8), (8, 12))
    ]
    assert (torch.cat(steps, dim=1) - whole).abs().max() < 1e-4
