"""Full attention with q/k norm, partial rotary embedding, grouped keys and (Qwen3.5) an output gate.

Shapes: B batch, T new tokens, S all tokens, H query heads, G key/value heads, D head dim, M model dim.
"""

from torch import Tensor, nn

from . import kernels
from .cache import AttentionState, PadMask, RaggedState
from .config import TextConfig
from .layers import RMSNorm
from .rope import Rotary


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
        self, x_BTM: Tensor, rotary: Rotary, state: AttentionState | RaggedState | None,
        pads: PadMask | None = None, rows: slice = slice(None),
    ) -> tuple[Tensor, AttentionState | RaggedState]:  # fmt: skip
        """`rows`, the last of the new tokens, look back; all of them are seen from now on."""
        q, k, v, gate = self.heads(x_BTM, rotary, rows)
        state = state.append(k, v) if state else AttentionState.of(k, v)
        o_BHTD = state.attend(q, pads and pads.visible[:, :, rows])
        return self.out(o_BHTD.transpose(1, 2), gate), state

    def heads(self, x_BTM: Tensor, rotary: Rotary, rows: slice = slice(None)) -> tuple:
        """q (of `rows`), k, v [B, heads, T, D], and the gate [B, T, H, D] of what q will find, or None."""
        q, gate = self._queries(x_BTM[:, rows])
        k, v = kernels.project(x_BTM, self.k_proj.weight, self.v_proj.weight)
        k, v = (y.unflatten(-1, (-1, self.head_dim)) for y in (k, v))
        q = self.q_norm.rotated(q, (rotary[0][:, rows], rotary[1][:, rows]))
        return q, self.k_norm.rotated(k, rotary), v.transpose(1, 2), gate

    def _queries(self, x_BTM: Tensor) -> tuple[Tensor, Tensor | None]:
        """Per head the first D columns are the query, the last D its gate."""
        (q,) = kernels.project(x_BTM, self.q_proj.weight)
        q, *gate = q.unflatten(-1, (-1, self.head_dim * (1 + self.gated))).chunk(1 + self.gated, dim=-1)
        return q, gate[0] if gate else None

    def out(self, o_BTHD: Tensor, gate: Tensor | None) -> Tensor:
        o_BTHD = o_BTHD if gate is None else kernels.gate_heads(o_BTHD, gate)
        return kernels.project(o_BTHD.flatten(-2), self.o_proj.weight)[0]
