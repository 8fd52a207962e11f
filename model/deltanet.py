"""Gated DeltaNet layer. Knows tensors and state; knows nothing of pages or prompts.

Shapes: B batch, T tokens, M model dim, G key heads of K dims, H value heads of V dims, C = 2GK + HV channels.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from . import kernels
from .cache import DeltaState, PadMask
from .config import TextConfig
from .layers import RMSNorm


class GatedDeltaNet(nn.Module):
    def __init__(self, config: TextConfig):
        super().__init__()
        self.key_heads, self.value_heads = config.linear_num_key_heads, config.linear_num_value_heads
        self.key_dim, self.value_dim = config.linear_key_head_dim, config.linear_value_head_dim
        keys, values = self.key_heads * self.key_dim, self.value_heads * self.value_dim
        channels, kernel = 2 * keys + values, config.linear_conv_kernel_dim
        self.in_proj_qkv = nn.Linear(config.hidden_size, channels, bias=False)
        self.in_proj_z = nn.Linear(config.hidden_size, values, bias=False)
        self.in_proj_b = nn.Linear(config.hidden_size, self.value_heads, bias=False)
        self.in_proj_a = nn.Linear(config.hidden_size, self.value_heads, bias=False)
        self.conv1d = nn.Conv1d(channels, channels, kernel, groups=channels, bias=False)
        decay = torch.empty(self.value_heads, device="cpu").uniform_(1, 16)
        self.A_log = nn.Parameter(torch.empty(self.value_heads).copy_(decay.log()))
        self.dt_bias = nn.Parameter(torch.ones(self.value_heads))
        self.norm = RMSNorm(self.value_dim, config.rms_norm_eps, offset=0.0)  # its w is plain
        self.out_proj = nn.Linear(values, config.hidden_size, bias=False)

    def forward(
        self, x_BTM: Tensor, state: DeltaState | None, pads: PadMask | None = None,
        rows: slice = slice(None), cut: int = 0,
    ) -> tuple[Tensor, DeltaState]:  # fmt: skip
        """The output at `rows`, and the state after all tokens, with that after `cut` of them beside it."""
        state = state or self.empty_state(x_BTM)
        x_BTM = x_BTM if pads is None else x_BTM * pads.real
        layers = self.in_proj_qkv, self.in_proj_z, self.in_proj_b, self.in_proj_a
        projected = kernels.project(x_BTM, *(layer.weight for layer in layers))
        if cut:
            before, midway = self._mixed([y[:, :cut] for y in projected], state, ends=True)
            after, end = self._mixed([y[:, cut:] for y in projected], midway, ends=True)
            o, state = torch.cat((before, after), dim=1), replace(end, midway=midway)
        else:
            o, state = self._mixed(projected, state)
        return kernels.project(o[:, rows], self.out_proj.weight)[0], state

    def _mixed(self, projected, state: DeltaState, ends: bool = False) -> tuple[Tensor, DeltaState]:
        weights = kernels.MixWeights(self.conv1d.weight, self.A_log, self.dt_bias, self.norm.weight)
        qkv, z, b, a = projected
        before = weights, self.norm.eps, self.key_heads, state.conv, state.recurrent
        o, columns, states = kernels.delta_mix(qkv, z, b, a, *before, ends=ends)
        return o, self._kept(columns, states)

    def _kept(self, columns: Tensor, states: tuple[Tensor, ...]) -> DeltaState:
        """The state after the last token; after few tokens, the states on the way as well."""
        width = self.conv1d.kernel_size[0] - 1
        if len(states) == 1:
            return DeltaState(columns[:, -width:].contiguous(), states[0])
        steps = [DeltaState(columns[:, t : t + width], s) for t, s in enumerate(states, start=1)]
        return replace(steps[-1], earlier=tuple(steps[:-1]))

    def empty_state(self, x_BTM: Tensor) -> DeltaState:
        batch, channels = x_BTM.shape[0], self.conv1d.weight.shape[0]
        conv = x_BTM.new_zeros(batch, self.conv1d.kernel_size[0] - 1, channels)
        recurrent = torch.zeros(batch, self.value_heads, self.key_dim, self.value_dim, device=x_BTM.device)
        return DeltaState(conv, recurrent)
