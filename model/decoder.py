"""The language model's stack: pre-norm blocks of a mixer (DeltaNet or attention) and an MLP (dense or MoE).

Shapes: B batch, T tokens, D model dim.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from .attention import Attention
from .cache import HybridCache
from .config import TextConfig
from .deltanet import GatedDeltaNet
from .layers import MLP, RMSNorm
from .moe import SparseMoE
from .rope import Rotary, RotaryEmbedding

ALL, LAST = slice(None), slice(-1, None)  # of the tokens of a forward


class DecoderLayer(nn.Module):
    def __init__(self, config: TextConfig, layer_type: str):
        super().__init__()
        self.layer_type = layer_type
        if layer_type == "linear_attention":
            self.linear_attn = GatedDeltaNet(config)
        else:
            self.self_attn = Attention(config)
        sparse = config.num_experts > 0
        self.mlp = SparseMoE(config) if sparse else MLP(config.hidden_size, config.intermediate_size)
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps, config.norm_offset)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps, config.norm_offset)

    def forward(self, x_BTD: Tensor, rotary: Rotary, state, pads=None, rows: slice = ALL, cut: int = 0):
        """`rows`: the tokens whose output is wanted; the state takes in all of them. `cut`: see `Decoder`."""
        normed = self.input_layernorm(x_BTD)
        if self.layer_type == "linear_attention":
            mixed, state = self.linear_attn(normed, state, pads, rows, cut)
        else:
            mixed, state = self.self_attn(normed, rotary, state, pads, rows)
        x_BTD = x_BTD[:, rows] + mixed
        return x_BTD + self.mlp(self.post_attention_layernorm(x_BTD)), state


class Decoder(nn.Module):
    def __init__(self, config: TextConfig):
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(DecoderLayer(config, kind) for kind in config.layer_types)
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps, config.norm_offset)
        self.rotary = RotaryEmbedding(config)

    def forward(
        self, x_BTD: Tensor, positions: Tensor, cache: HybridCache, taps: Sequence = (), rows: slice = ALL,
        cut: int = 0,
    ) -> Tensor:  # fmt: skip
        """Hidden states after the final norm; `cache` advances. taps[j] [B, T, D] joins after layer j.

        `rows`: the tokens whose states are wanted. The last layer computes no others, it only takes them in.
        `cut`: the state after so many tokens is kept as well, for `cache.split_off`; 0 keeps none.
        """
        tokens, last = x_BTD.shape[1], len(self.layers) - 1
        rotary, pads = self.rotary(positions), cache.pad_mask(tokens)
        for i, layer in enumerate(self.layers):
            wanted = rows if i == last else ALL
            x_BTD, cache.layers[i] = layer(x_BTD, rotary, cache.layers[i], pads, wanted, cut)
            if i < len(taps):
                x_BTD = x_BTD + taps[i][:, wanted]
        cache.length += tokens
        return self.norm(x_BTD)
