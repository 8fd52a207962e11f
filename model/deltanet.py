"""Gated DeltaNet layer. Knows tensors and state; knows nothing of pages or prompts.

Shapes: B batch, T tokens, M model dim, G key heads of K dims, H value heads of V dims, C = 2GK + HV channels.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import kernels
from .cache import DeltaState, PadMask
from .config import TextConfig


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
        self.A_log = nn.Parameter(torch.empty(self.value_heads).uniform_(1, 16).log())
        self.dt_bias = nn.Parameter(torch.ones(self.value_heads))
        self.norm = GatedRMSNorm(self.value_dim, config.rms_norm_eps)
        self.out_proj = nn.Linear(values, config.hidden_size, bias=False)
        self.split = (keys, keys, values)

    def forward(
        self, x_BTM: Tensor, state: DeltaState | None, pads: PadMask | None = None
    ) -> tuple[Tensor, DeltaState]:
        state = state or self.empty_state(x_BTM)
        x_BTM = x_BTM if pads is None else x_BTM * pads.real
        qkv, columns = kernels.causal_conv(self.in_proj_qkv(x_BTM), state.conv, self.conv1d.weight)
        q, k, v = qkv.split(self.split, dim=-1)
        q, k = (x.unflatten(-1, (self.key_heads, self.key_dim)) for x in (q, k))
        v = v.unflatten(-1, (self.value_heads, self.value_dim))
        beta, g = self._gates(x_BTM)
        o_BTHV, state = self._mix(q, k, v, g, beta, state.recurrent, columns)
        z = self.in_proj_z(x_BTM).view_as(o_BTHV)
        return self.out_proj(self.norm(o_BTHV, z).flatten(-2)), state

    def _mix(self, q, k, v, g, beta, recurrent: Tensor, columns: Tensor) -> tuple[Tensor, DeltaState]:
        """The delta rule, and the state after it; after few tokens, the states on the way as well."""
        tokens, width = v.shape[1], columns.shape[1] - v.shape[1]
        if tokens > kernels.SHORT:  # the window is copied: a view would keep every column alive
            o_BTHV, recurrent = kernels.delta_rule(q, k, v, g, beta, recurrent)
            return o_BTHV, DeltaState(columns[:, tokens:].clone(), recurrent)
        o_BTHV, steps = kernels.delta_rule_steps(q, k, v, g, beta, recurrent)
        states = [DeltaState(columns[:, t : t + width], s) for t, s in enumerate(steps, start=1)]
        return o_BTHV, replace(states[-1], earlier=tuple(states[:-1]))

    def _gates(self, x_BTM: Tensor) -> tuple[Tensor, Tensor]:
        """beta in (0, 1) and the log decay g = -exp(A_log) softplus(a + dt_bias), both [B, T, H] in fp32."""
        beta = self.in_proj_b(x_BTM).float().sigmoid()
        g = -self.A_log.float().exp() * F.softplus(self.in_proj_a(x_BTM).float() + self.dt_bias.float())
        return beta, g

    def empty_state(self, x_BTM: Tensor) -> DeltaState:
        batch, channels = x_BTM.shape[0], self.conv1d.weight.shape[0]
        conv = x_BTM.new_zeros(batch, self.conv1d.kernel_size[0] - 1, channels)
        recurrent = torch.zeros(batch, self.value_heads, self.key_dim, self.value_dim, device=x_BTM.device)
        return DeltaState(conv, recurrent)


class GatedRMSNorm(nn.Module):
    """cast(x / rms(x)) * w * silu(z): plain w, unlike every other norm of Qwen3.5."""

    def __init__(self, dim: int, eps: float):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        normed = F.rms_norm(x.float(), self.weight.shape, eps=self.eps)
        weighted = self.weight * normed.to(x.dtype)
        return (weighted * F.silu(z.float())).to(x.dtype)
