"""One token for each row of a batch, over states of fixed size and address: what a CUDA graph can hold.

The same network as `decoder.py`, written as the few passes that decoding is: every matrix that reads the same
vector is one matrix, norms come with the product after them, residuals with the product before them. Knows
tensors alone: which row is whose, and what a token means, is known elsewhere.

Shapes: B rows, D model dim, V vocabulary.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from . import kernels
from .attention import Attention
from .cache import AttentionState, DeltaState, HybridCache
from .config import TextConfig
from .decoder import DecoderLayer
from .deltanet import GatedDeltaNet
from .kernels import MixWeights, Norm
from .layers import MLP, RMSNorm
from .layout import joined, packed
from .moe import SparseMoE
from .quantise import QuantisedWeight
from .vlm import VisionLanguageModel


@dataclass(frozen=True)
class DeltaSlots:
    window: Tensor  # [B, taps, C], a ring: the column of token t lies at t % taps
    recurrent: Tensor  # [B, H, K, V] fp32

    def load(self, row: int, state: DeltaState, length: int) -> None:
        self.window[row, self._order(length)] = state.conv[0].to(self.window.dtype)
        self.recurrent[row] = state.recurrent[0]

    def state(self, row: int, length: int) -> DeltaState:
        return DeltaState(self.window[None, row, self._order(length)], self.recurrent[row : row + 1].clone())

    def move(self, source: int, target: int, length: int) -> None:
        self.window[target], self.recurrent[target] = self.window[source], self.recurrent[source]

    def _order(self, length: int) -> list[int]:
        """Where the columns of the last tokens lie, the oldest first."""
        taps = self.window.shape[1]
        return [t % taps for t in range(length + 1, length + taps)]

    def rows(self, count: int) -> "DeltaSlots":
        return DeltaSlots(self.window[:count], self.recurrent[:count])


@dataclass(frozen=True)
class KVSlots:
    keys: Tensor  # [B, G, capacity, D]
    values: Tensor

    def load(self, row: int, state: AttentionState, length: int) -> None:
        self.keys[row, :, :length] = state.keys[0]
        self.values[row, :, :length] = state.values[0]

    def state(self, row: int, length: int) -> AttentionState:
        return AttentionState.of(*(x[row : row + 1, :, :length].clone() for x in (self.keys, self.values)))

    def move(self, source: int, target: int, length: int) -> None:
        for x in (self.keys, self.values):
            x[target, :, :length] = x[source, :, :length]

    def rows(self, count: int) -> "KVSlots":
        return KVSlots(self.keys[:count], self.values[:count])


Slots = DeltaSlots | KVSlots


@dataclass(frozen=True)
class StaticCache:
    """States of `rows` sequences with room for `capacity` tokens each, and the counters that move them."""

    layers: tuple[Slots, ...]
    counters: Tensor  # [3, B] int64: the token to be fed, its position, how many tokens came before it
    turns: tuple[Tensor, Tensor]  # cos, sin [capacity, R/2]: a position is never above the number of tokens
    arrived: Tensor  # [B] int32 zeros, see `kernels.choose_experts`

    @classmethod
    def empty(
        cls, model: VisionLanguageModel, rows: int, capacity: int, first: HybridCache | None = None
    ) -> "StaticCache":
        """`first` becomes the first row; its layers leave it one by one, so none but one is held twice."""
        device, dtype = model.device, model.language_model.embed_tokens.weight.dtype
        positions = torch.arange(capacity, device=device).expand(3, 1, -1)
        cos, sin = (
            turn[0].chunk(2, dim=-1)[0].contiguous() for turn in model.language_model.rotary(positions)
        )
        text = model.config.text
        layers = []
        for i, kind in enumerate(text.layer_types):
            layers.append(_empty_slots(text, kind, rows, capacity, dtype, device))
            if first is not None:
                layers[i].load(0, first.layers[i], first.length)
                first.layers[i] = None
        counters = torch.zeros(3, rows, dtype=torch.long, device=device)
        arrived = torch.zeros(rows, dtype=torch.int32, device=device)
        return cls(tuple(layers), counters, (cos, sin), arrived)

    @property
    def size(self) -> int:
        return self.counters.shape[1]

    @property
    def capacity(self) -> int:
        return len(self.turns[0])

    def load(self, row: int, cache: HybridCache) -> None:
        assert cache.length <= self.capacity
        for slots, state in zip(self.layers, cache.layers, strict=True):
            slots.load(row, state, cache.length)

    def state(self, row: int, length: int) -> HybridCache:
        """A copy of a row that has seen `length` tokens."""
        return HybridCache([slots.state(row, length) for slots in self.layers], length)

    def move(self, source: int, target: int, length: int) -> None:
        """One row's state over another's."""
        for slots in self.layers:
            slots.move(source, target, length)

    def rows(self, count: int) -> "StaticCache":
        """The first rows, the same memory."""
        layers = tuple(slots.rows(count) for slots in self.layers)
        return StaticCache(layers, self.counters[:, :count], self.turns, self.arrived[:count])


def _empty_slots(
    text: TextConfig, kind: str, rows: int, capacity: int, dtype: torch.dtype, device: torch.device
) -> Slots:
    if kind == "full_attention":
        shape = rows, text.num_key_value_heads, capacity, text.head_dim
        return KVSlots(*(torch.zeros(shape, dtype=dtype, device=device) for _ in range(2)))
    heads, key_dim, value_dim = (
        text.linear_num_value_heads,
        text.linear_key_head_dim,
        text.linear_value_head_dim,
    )
    channels = 2 * text.linear_num_key_heads * key_dim + heads * value_dim
    return DeltaSlots(
        torch.zeros(rows, text.linear_conv_kernel_dim, channels, dtype=dtype, device=device),
        torch.zeros(rows, heads, key_dim, value_dim, device=device),
    )


Mix = Callable[[Tensor, Slots, StaticCache], Tensor]  # x [B, D] -> x with what the layer adds
Feed = Callable[[Tensor, StaticCache], Tensor]


class Stepper:
    """Joins the model's matrices where they lie (`layout.joined`), narrow or wide: there is no other copy."""

    def __init__(self, model: VisionLanguageModel):
        decoder = model.language_model
        embedding, head = decoder.embed_tokens.weight, (model.lm_head or decoder.embed_tokens).weight
        self.embedding, self.dtype, self.head = packed(embedding), embedding.dtype, packed(head)
        self.final_norm = _norm(decoder.norm)
        self.layers = [_layer(layer) for layer in decoder.layers]  # pyright: ignore[reportArgumentType]

    def __call__(self, cache: StaticCache) -> Tensor:
        """Feed the counters' tokens: logits [B, V]. States advance, counters do not."""
        x = kernels.embed(cache.counters[0], self.embedding, self.dtype)
        for (mix, feed), slots in zip(self.layers, cache.layers, strict=True):
            x = feed(mix(x, slots, cache), cache)
        return kernels.norm_linear(x, self.final_norm, self.head)


def has_steps(model: VisionLanguageModel) -> bool:
    """Whether routed and shared experts are in one format: integers leave matrices of odd widths alone."""
    mixtures = [m for m in model.language_model.modules() if isinstance(m, SparseMoE) and m.has_shared]
    pairs = [(net.experts.down_proj, net.shared_expert.down_proj.weight) for net in mixtures]
    return all(isinstance(a, QuantisedWeight) == isinstance(b, QuantisedWeight) for a, b in pairs)


def _norm(norm: RMSNorm) -> Norm:
    return Norm(norm.weight, norm.eps, norm.offset)


def _layer(layer: DecoderLayer) -> tuple[Mix, Feed]:
    before, between = _norm(layer.input_layernorm), _norm(layer.post_attention_layernorm)
    linear = layer.layer_type == "linear_attention"
    mix = _delta(layer.linear_attn, before) if linear else _attention(layer.self_attn, before)
    return mix, _experts(layer.mlp, between) if isinstance(layer.mlp, SparseMoE) else _mlp(layer.mlp, between)


def _delta(net: GatedDeltaNet, norm: Norm) -> Mix:
    inward = joined(net.in_proj_qkv, net.in_proj_z, net.in_proj_b, net.in_proj_a)
    weights = MixWeights(net.conv1d.weight, net.A_log, net.dt_bias, net.norm.weight)
    eps, key_heads, outward = net.norm.eps, net.key_heads, joined(net.out_proj)

    def mix(x: Tensor, slots: Slots, cache: StaticCache) -> Tensor:
        assert isinstance(slots, DeltaSlots)
        mixed = kernels.norm_linear(x, norm, inward)
        o = kernels.delta_step(
            mixed, weights, eps, key_heads, slots.window, slots.recurrent, cache.counters[2]
        )
        return kernels.add_linear(o, outward, x)

    return mix


def _attention(net: Attention, norm: Norm) -> Mix:
    inward, outward = joined(net.q_proj, net.k_proj, net.v_proj), joined(net.o_proj)
    heads, norms = net.o_proj.weight.shape[1] // net.head_dim, (_norm(net.q_norm), _norm(net.k_norm))

    def mix(x: Tensor, slots: Slots, cache: StaticCache) -> Tensor:
        assert isinstance(slots, KVSlots)
        qkv, (_, positions, lengths) = kernels.norm_linear(x, norm, inward), cache.counters
        o = kernels.attention_step(
            qkv, heads, *norms, *cache.turns, positions, lengths, slots.keys, slots.values
        )
        return kernels.add_linear(o, outward, x)

    return mix


def _experts(net: SparseMoE, norm: Norm) -> Feed:
    k, gate_up, down = net.gate.top_k, packed(net.experts.gate_up_proj), packed(net.experts.down_proj)
    router, shared, shared_down = joined(net.gate), None, None
    if net.has_shared:
        router = joined(net.gate, net.shared_expert_gate)
        shared = joined(net.shared_expert.gate_proj, net.shared_expert.up_proj)
        shared_down = joined(net.shared_expert.down_proj)
    assert isinstance(router, Tensor)

    def feed(x: Tensor, cache: StaticCache) -> Tensor:
        indices, shares = kernels.choose_experts(x, norm, router, k, net.has_shared, cache.arrived)
        hidden = kernels.experts_up(x, norm, indices, shares, gate_up, shared)
        return kernels.experts_down(hidden, indices, down, shared_down, x)

    return feed


def _mlp(net: MLP, norm: Norm) -> Feed:
    """A dense one is an expert that every row takes whole."""
    inward, outward = joined(net.gate_proj, net.up_proj), joined(net.down_proj)
    device = norm.weight.device
    whole = torch.ones(1, 1, device=device)
    none = torch.empty(1, 0, dtype=torch.int32, device=device)

    def feed(x: Tensor, cache: StaticCache) -> Tensor:
        rows = len(x)
        hidden = kernels.experts_up(x, norm, none.expand(rows, 0), whole.expand(rows, 1), None, inward)
        return kernels.add_linear(hidden, outward, x)

    return feed
