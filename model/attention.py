"""Full attention with q/k norm, partial rotary embedding, grouped keys and (Qwen3.5) an output gate.

Shapes: B batch, T new tokens, S all tokens, H query heads, G key/value heads, D head dim, M model dim.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .cache import AttentionState, PadMask
from .config import TextConfig
from .layers import RMSNorm
from .rope import apply_rotary


class Attention(nn.Module):
    def __init__(self, config: TextConfig):
        super().__init__()
        self.head_dim, self.gated = config.head_dim, config.attn_output_gate
        query_dim = config.num_attention_heads * config.head_dim
        kv_dim = config.num_key_value_heads * config.head_dim
        self.q_proj = nn.Linear(config.hidden_size, query_dim * (1 + self.gated), bias=False)
        self.k_proj = nn.Linear(config.hidden_size, kv_dim, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, kv_dim, bias=False)
        self.o_proj = nn.Linear(query_dim, config.hidden_size, bias=False)
        self.q_norm = RMSNorm(config.head_dim, config.rms_norm_eps, config.norm_offset)
        self.k_norm = RMSNorm(config.head_dim, config.rms_norm_eps, config.norm_offset)

    def forward(
        self,
        x_BTM: Tensor,
        rotary: tuple[Tensor, Tensor],
        state: AttentionState | None,
        pads: PadMask | None = None,
    ) -> tuple[Tensor, AttentionState]:
        q, gate = self._queries(x_BTM)
        k, v = (proj(x_BTM).unflatten(-1, (-1, self.head_dim)) for proj in (self.k_proj, self.v_proj))
        q = apply_rotary(self.q_norm(q), *rotary).transpose(1, 2)
        k = apply_rotary(self.k_norm(k), *rotary).transpose(1, 2)
        state = _append(state, k, v.transpose(1, 2))
        o_BHTD = causal_attention(q, state.keys, state.values, pads and pads.visible)
        return self.o_proj(_gate(o_BHTD.transpose(1, 2), gate).flatten(-2)), state

    def _queries(self, x_BTM: Tensor) -> tuple[Tensor, Tensor | None]:
        """Per head the first D columns are the query, the last D its gate."""
        q = self.q_proj(x_BTM).unflatten(-1, (-1, self.head_dim * (1 + self.gated)))
        if not self.gated:
            return q, None
        query, gate = q.chunk(2, dim=-1)
        return query, gate


def causal_attention(q: Tensor, k: Tensor, v: Tensor, visible: Tensor | None = None) -> Tensor:
    """The last T of S positions look back: q [B, H, T, D]; k, v [B, G, S, D]; `visible` [B, 1, T, S]."""
    new, seen = q.shape[2], k.shape[2]
    if visible is not None:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=visible, enable_gqa=True)
    if new == seen:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    if new == 1:
        return F.scaled_dot_product_attention(q, k, v, enable_gqa=True)
    mask = torch.ones(new, seen, dtype=torch.bool, device=q.device).tril(seen - new)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)


def _append(state: AttentionState | None, k: Tensor, v: Tensor) -> AttentionState:
    if state is None:
        return AttentionState(k, v)
    return AttentionState(torch.cat((state.keys, k), dim=2), torch.cat((state.values, v), dim=2))


def _gate(o: Tensor, gate: Tensor | None) -> Tensor:
    return o if gate is None else o * gate.sigmoid()
