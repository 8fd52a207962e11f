"""The forward of a prompt on a GPU without its host: all that lies between two attentions is one CUDA graph.

Graphs have fixed shapes, prompts have not: tokens are padded at the end, and how many are real is told to the
graph by the device. Attention alone depends on the length before, so it runs as it is, on the real tokens; so
does the last layer, of which mostly one token is wanted. Knows sizes and when to replay; what it does not
cover goes to the ordinary forward (`decoder.py`), whose numbers these are.

Shapes: T tokens with their pads, M model dim, N DeltaNet layers before the last layer; B is 1.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from threading import Lock
from typing import Any, cast

import torch
from torch import Tensor

from . import kernels
from .cache import AttentionState, DeltaState, HybridCache, RaggedState
from .decoder import ALL, Decoder, DecoderLayer
from .graphs import Capture, Known
from .moe import SparseMoE
from .quantise import QuantisedWeight
from .vlm import VisionLanguageModel

STEP = 128  # tokens: T is a multiple of it
LEAST, MOST = 64, 2048  # tokens beyond the least, up to the most: below, half of them could be pads
KEPT = 4  # sizes with graphs, which hold some 60 KB a token each, and share what they compute with

Piece = Callable[[], None]


class PromptGraphs:
    """Called as `model.language_model` is, with the same result. One call at a time, in whatever thread.

    `capture`: makes something that replays a piece of work; None: a CUDA graph, where this model can be in
    one, and the ordinary forward everywhere else.
    """

    def __init__(self, model: VisionLanguageModel, capture: Callable[[Piece], Piece] | None = None):
        self.model, self.decoder = model, model.language_model
        self._capture = capture or (Capture() if suits(model) else None)
        self._weights = list(self.decoder.parameters())
        self._addresses: list[int] = []
        self._states: States | None = None
        self._ready: OrderedDict[int, Graphs] = OrderedDict()
        self._known = Known()
        self._lock = Lock()
        self.replayed = 0  # forwards

    def __call__(
        self, x_BTD: Tensor, positions: Tensor, cache: HybridCache, taps: Sequence = (), rows: slice = ALL,
        cut: int = 0,
    ) -> Tensor:  # fmt: skip
        """See `Decoder.forward`."""
        arguments = x_BTD, positions, cache, taps, rows, cut
        if self._covers(x_BTD, cache, taps):
            size = -(-x_BTD.shape[1] // STEP) * STEP
            with self._lock:
                if self._known(size):
                    return self._run(self._graphs(size), *arguments)
        return self.decoder(*arguments)

    @property
    def sizes(self) -> list[int]:
        """Those with graphs, the latest used last."""
        return list(self._ready)

    def _covers(self, x: Tensor, cache: HybridCache, taps: Sequence) -> bool:
        return (
            self._capture is not None
            and len(x) == 1
            and LEAST < x.shape[1] <= MOST
            and x.dtype is self._weights[0].dtype
            and cache.padding is None
            and not any(isinstance(state, RaggedState) for state in cache.layers)
            and len(taps) <= len(self.model.config.vision.deepstack_visual_indexes) < len(self.decoder.layers)
            and not torch.is_grad_enabled()
        )

    def _graphs(self, size: int) -> "Graphs":
        """Graphs read weights where they were: when decoding has moved them (`layout.joined`), all are made
        anew."""
        addresses = [weight.data_ptr() for weight in self._weights]
        if addresses != self._addresses:
            self._ready.clear()
            self._addresses = addresses
        if size not in self._ready:
            while len(self._ready) >= KEPT:
                self._ready.popitem(last=False)
            self._ready[size] = self._captured(size)
        self._ready.move_to_end(size)
        return self._ready[size]

    @torch.inference_mode(False)  # what lies in fixed places is written in and outside of inference mode
    @torch.no_grad()
    def _captured(self, size: int) -> "Graphs":
        assert self._capture is not None
        self._states = states = self._states or States.empty(self.model)
        states.counts.zero_()  # those of a longer forward would lie beyond the tokens of this size
        places = Places.empty(self.model, size)
        edges = [-1, *attentions(self.decoder), len(self.decoder.layers) - 1]
        works = [
            partial(compute, self.decoder, places, states, first, last) for first, last in pairwise(edges)
        ]
        return Graphs(places, states, [self._capture(work) for work in works])

    def _run(
        self, graphs: "Graphs", x_BTD: Tensor, positions: Tensor, cache: HybridCache, taps: Sequence,
        rows: slice, cut: int,
    ) -> Tensor:  # fmt: skip
        places, tokens, rotary = graphs.places, x_BTD.shape[1], self.decoder.rotary(positions)
        places.load(x_BTD, rotary, taps)
        graphs.states.load(cache, tokens, cut)
        for piece, at in zip(graphs.pieces, attentions(self.decoder), strict=False):
            piece()
            cache.layers[at] = places.attend(cache.layers[at], tokens)
        graphs.pieces[-1]()
        graphs.states.leave(cache, cut)
        x, last = places.x[:, :tokens], self.decoder.layers[-1]
        x, cache.layers[-1] = last(x, rotary, cache.layers[-1], None, rows, cut)
        cache.length += tokens
        self.replayed += 1
        return self.decoder.norm(x)


def suits(model: VisionLanguageModel) -> bool:
    """Whether its device and weights are such that the pieces wait for no host."""
    if not kernels.has_steps(model.device):
        return False
    modules = list(model.language_model.modules())
    if any(isinstance(module, QuantisedWeight) for module in modules):
        return False
    mixtures = (module for module in modules if isinstance(module, SparseMoE))
    return all(
        kernels.holds_mixture(it.experts.gate_up_proj, it.experts.down_proj, it.gate.top_k) for it in mixtures
    )


def layers_of(decoder: Decoder) -> list[DecoderLayer]:
    return cast("list[DecoderLayer]", list(decoder.layers))


def attentions(decoder: Decoder) -> list[int]:
    """The layers with one, without the last layer."""
    kinds = [layer.layer_type for layer in layers_of(decoder)]
    return [i for i, kind in enumerate(kinds[:-1]) if kind != "linear_attention"]


@dataclass(frozen=True)
class Places:
    """What goes into the pieces for T tokens and comes out of them, all of it zero at first."""

    x: Tensor  # [1, T, M]
    rotary: tuple[Tensor, Tensor]  # [1, T, R]
    taps: tuple[Tensor, ...]  # [1, T, M], of DeepStack
    q: Tensor  # [1, H, T, D]
    k: Tensor  # [1, G, T, D]
    v: Tensor
    gate: Tensor | None  # [1, T, H, D]
    o: Tensor  # [1, T, H, D]

    @classmethod
    def empty(cls, model: VisionLanguageModel, tokens: int) -> "Places":
        text, device = model.config.text, model.device
        options: dict[str, Any] = {"dtype": model.language_model.embed_tokens.weight.dtype, "device": device}
        wide, heads = (1, tokens, text.hidden_size), (text.num_attention_heads, text.num_key_value_heads)
        (h, g), d = heads, text.head_dim
        rotary = torch.zeros(2, 1, tokens, text.rotary_dim, device=device)
        return cls(
            torch.zeros(wide, **options),
            (rotary[0], rotary[1]),
            tuple(torch.zeros(wide, **options) for _ in model.config.vision.deepstack_visual_indexes),
            torch.zeros(1, h, tokens, d, **options),
            torch.zeros(1, g, tokens, d, **options),
            torch.zeros(1, g, tokens, d, **options),
            torch.zeros(1, tokens, h, d, **options) if text.attn_output_gate else None,
            torch.zeros(1, tokens, h, d, **options),
        )

    def load(self, x: Tensor, rotary: tuple[Tensor, Tensor], taps: Sequence[Tensor]) -> None:
        """Pads are zeros: nothing that is computed of them is infinite."""
        tokens = x.shape[1]
        for place, value in zip((self.x, *self.rotary), (x, *rotary), strict=True):
            place[:, :tokens].copy_(value)
        self.x[:, tokens:].zero_()
        self.o[:, tokens:].zero_()
        for tap in self.taps:
            tap.zero_()
        for tap, value in zip(self.taps, taps, strict=False):
            tap[:, :tokens].copy_(value)

    def attend(self, state: AttentionState | None, tokens: int) -> AttentionState:
        """The real tokens behind those of the state; what they find lies in `o`."""
        q, k, v = (y[:, :, :tokens] for y in (self.q, self.k, self.v))
        state = state.append(k, v) if state else AttentionState.of(k.clone(), v.clone())
        self.o[:, :tokens].copy_(state.attend(q).transpose(1, 2))
        return state


@dataclass(frozen=True)
class States:
    """DeltaNet states in fixed places, the same for every T: before the forward, and then after it."""

    layers: list[int]  # N
    counts: Tensor  # [2]: how many tokens are real, and after how many of them the state is kept as well
    conv: Tensor  # [N, 1, k - 1, C]
    recurrent: Tensor  # [N, 1, H, K, V] fp32
    kept_conv: Tensor
    kept_recurrent: Tensor

    @classmethod
    def empty(cls, model: VisionLanguageModel) -> "States":
        layers = list(enumerate(layers_of(model.language_model)))[:-1]
        nets = [(i, layer.linear_attn) for i, layer in layers if layer.layer_type == "linear_attention"]
        x = model.language_model.embed_tokens.weight.new_empty(1, 0, 0)
        made = [net.empty_state(x) for _, net in nets]
        conv, recurrent = (
            torch.stack([getattr(s, name) for s in made]) if made else x for name in ("conv", "recurrent")
        )
        counts = torch.zeros(2, dtype=torch.long, device=model.device)
        kept = torch.zeros_like(conv), torch.zeros_like(recurrent)
        return cls([i for i, _ in nets], counts, conv, recurrent, *kept)

    def load(self, cache: HybridCache, tokens: int, cut: int) -> None:
        for place, count in zip(self.counts, (tokens, cut), strict=True):
            place.fill_(count)  # a number in a launch; a copy would wait for the device
        before = [cache.layers[at] for at in self.layers]
        if not any(before):
            self.conv.zero_()
            self.recurrent.zero_()
            return
        torch.stack([state.conv.to(self.conv.dtype) for state in before], out=self.conv)
        torch.stack([state.recurrent for state in before], out=self.recurrent)

    def leave(self, cache: HybridCache, cut: int) -> None:
        """States are values: copies of what the next forward writes over, one for all layers."""
        if not self.layers:
            return
        ends = _values(self.conv, self.recurrent)
        kept = _values(self.kept_conv, self.kept_recurrent) if cut else [None] * len(ends)
        for at, end, midway in zip(self.layers, ends, kept, strict=True):
            cache.layers[at] = DeltaState(end.conv, end.recurrent, midway=midway)


@dataclass(frozen=True)
class Graphs:
    places: Places
    states: States
    pieces: list[Piece]


def compute(decoder: Decoder, places: Places, states: States, first: int, last: int) -> None:
    """From what layer `first` found by attention, or from the embeddings (-1), to what layer `last` looks
    for, or to its input if it is the last of all."""
    x, layers = places.x, layers_of(decoder)
    if first >= 0:
        x = _fed(layers[first], x, layers[first].self_attn.out(places.o, places.gate))
        x = _tapped(places, first, x)
    ends = kernels.Ends.of(states.counts, x.shape[1], states.conv.shape[2])
    for at in range(first + 1, last):
        n, layer = states.layers.index(at), layers[at]
        mixed, windows, end, kept = _mixed(layer, x, states.conv[n], states.recurrent[n], ends)
        states.conv[n].copy_(windows[0])
        states.kept_conv[n].copy_(windows[1])
        states.recurrent[n].copy_(end)
        states.kept_recurrent[n].copy_(kept)
        x = _tapped(places, at, _fed(layer, x, mixed))
    if last < len(layers) - 1:
        heads = layers[last].self_attn.heads(layers[last].input_layernorm(x), places.rotary)
        for place, value in zip((places.q, places.k, places.v, places.gate), heads, strict=True):
            if place is not None:
                place.copy_(value)
    if x is not places.x:
        places.x.copy_(x)


def _fed(layer: DecoderLayer, x: Tensor, mixed: Tensor) -> Tensor:
    x = x + mixed
    return x + layer.mlp(layer.post_attention_layernorm(x))


def _tapped(places: Places, at: int, x: Tensor) -> Tensor:
    return x + places.taps[at] if at < len(places.taps) else x


def _mixed(
    layer: DecoderLayer, x: Tensor, conv: Tensor, recurrent: Tensor, ends: kernels.Ends
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What a DeltaNet layer adds, and what `kernels.delta_mix_padded` leaves of its state."""
    net = layer.linear_attn
    inputs = net.in_proj_qkv, net.in_proj_z, net.in_proj_b, net.in_proj_a
    qkv, z, b, a = kernels.project(layer.input_layernorm(x), *(it.weight for it in inputs))
    weights = kernels.MixWeights(net.conv1d.weight, net.A_log, net.dt_bias, net.norm.weight)
    o, windows, end, kept = kernels.delta_mix_padded(
        qkv, z, b, a, weights, net.norm.eps, net.key_heads, conv, recurrent, ends
    )
    return kernels.project(o, net.out_proj.weight)[0], windows, end, kept


def _values(conv: Tensor, recurrent: Tensor) -> list[DeltaState]:
    return [DeltaState(c, r) for c, r in zip(conv.clone(), recurrent.clone(), strict=True)]
