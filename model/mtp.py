"""Multi-token prediction: one more block that drafts the token after the next.

Shapes: B batch, T tokens, D model dim.
"""

import torch
from torch import Tensor, nn

from .cache import AttentionState
from .config import TextConfig
from .decoder import DecoderLayer
from .layers import RMSNorm
from .rope import RotaryEmbedding


class MultiTokenPredictor(nn.Module):
    """x = fc(concat[norm(embed(token t+1)), norm(hidden t)]) -> block -> norm; the shared head gives t+2.

    `hidden` is the main model's state AFTER its final norm.
    """

    def __init__(self, config: TextConfig):
        super().__init__()
        norm = (config.hidden_size, config.rms_norm_eps, config.norm_offset)
        self.fc = nn.Linear(2 * config.hidden_size, config.hidden_size, bias=False)
        self.pre_fc_norm_embedding = RMSNorm(*norm)
        self.pre_fc_norm_hidden = RMSNorm(*norm)
        blocks = range(config.mtp_num_hidden_layers)
        self.layers = nn.ModuleList(DecoderLayer(config, "full_attention") for _ in blocks)
        self.norm = RMSNorm(*norm)
        self.rotary = RotaryEmbedding(config)

    def forward(
        self, next_embedding: Tensor, hidden: Tensor, positions: Tensor, states: list[AttentionState | None]
    ) -> Tensor:
        """next_embedding, hidden [B, T, D]; positions [3, B, T]; `states` advance. Returns [B, T, D]."""
        parts = self.pre_fc_norm_embedding(next_embedding), self.pre_fc_norm_hidden(hidden)
        x, rotary = self.fc(torch.cat(parts, dim=-1)), self.rotary(positions)
        for i, layer in enumerate(self.layers):
            x, states[i] = layer(x, rotary, states[i])
        return self.norm(x)
