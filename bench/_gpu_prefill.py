"""What a prompt and training need on a GPU beside torch's products: the delta rule in chunks, what stands
around it, and experts for many tokens. Each is checked against its reference, then timed beside it."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch
from saccade.model import kernels
from saccade.model.kernels import delta_prompt, reference
from torch import Tensor

ALLOWED = 2e-2  # of |ours - reference| / |reference|: bf16 in and out, TF32 between
ALLOWED_LAYER = 6e-2  # there torch rounds to bf16 at every tap, and the norm divides by what may be small


@dataclass(frozen=True)
class Heads:
    batch: int
    tokens: int
    key_heads: int
    value_heads: int
    dim: int
    trains: bool  # forward and backward


SHAPES = {
    "prompt of 4,096, 35B-A3B": Heads(1, 4096, 16, 32, 128, trains=False),
    "training, 64 x 1,733, 4 heads of 64": Heads(64, 1733, 4, 4, 64, trains=True),
}
Rule = Callable[..., tuple[Tensor, Tensor]]


def rules(trains: bool) -> dict[str, Rule]:
    """The first ones are ours. Each takes and returns what `reference.delta_rule_recurrent` does."""
    found: dict[str, Rule] = {"saccade": kernels.delta_rule}
    if not trains:
        found["saccade, tiles of bf16"] = lambda *inputs: delta_prompt.delta_rule(*inputs)[:2]
    return found | {"torch": reference.delta_rule_chunked} | ({"fla": _fla} if find_spec("fla") else {})


def _fla(q: Tensor, k: Tensor, v: Tensor, g: Tensor, beta: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    from fla.ops.gated_delta_rule import chunk_gated_delta_rule  # type: ignore[import-not-found]

    groups = v.shape[2] // k.shape[2]
    q, k = (x.repeat_interleave(groups, dim=2) for x in (q, k))
    options: dict[str, Any] = {"output_final_state": True, "use_qk_l2norm_in_kernel": True}
    return chunk_gated_delta_rule(q, k, v, g, beta, initial_state=state, **options)


def delta_inputs(heads: Heads) -> list[Tensor]:
    generator = torch.Generator("cuda").manual_seed(1)
    sizes = [n * heads.dim for n in (heads.key_heads, heads.key_heads, heads.value_heads)]
    shape = heads.batch, heads.tokens
    joined = torch.randn(*shape, sum(sizes), generator=generator, device="cuda").bfloat16()
    q, k, v = (x.unflatten(-1, (-1, heads.dim)) for x in joined.split(sizes, dim=-1))
    scalars = torch.rand(2, *shape, heads.value_heads, generator=generator, device="cuda")
    state = torch.randn(heads.batch, heads.value_heads, heads.dim, heads.dim, device="cuda") * 0.1
    return [q, k, v, -0.1 * (3 * scalars[0]).exp(), scalars[1], state]


def delta_runs(heads: Heads) -> dict[str, Callable[[], list[Tensor]]]:
    """For each rule, what computes its outputs, and its gradients where it trains."""
    leaves = [x.requires_grad_(heads.trains) for x in map(Tensor.detach, delta_inputs(heads))]
    asked = torch.randn_like(leaves[2])

    def run(rule: Rule) -> list[Tensor]:
        with torch.set_grad_enabled(heads.trains):
            o, end = rule(*leaves)
            if not heads.trains:
                return [o, end]
            loss = (o * asked).sum() + end.sum()
            return [o.detach(), end.detach(), *torch.autograd.grad(loss, leaves)]

    return {name: lambda rule=rule: run(rule) for name, rule in rules(heads.trains).items()}


def delta_bytes(heads: Heads) -> int:
    """Inputs and outputs once; with gradients, all of them again and the inputs twice."""
    inputs = delta_inputs(heads)
    size = sum(x.nbytes for x in inputs)
    out = inputs[2].nbytes + inputs[5].nbytes
    return 3 * size + 2 * out if heads.trains else size + out


def expert_runs(tokens: int, text: dict[str, Any]) -> dict[str, Callable[[], list[Tensor]]]:
    """A mixture of routed experts in bf16: as dispatched, and expert by expert."""
    experts, k = text["num_experts"], text["num_experts_per_tok"]
    width, hidden = text["moe_intermediate_size"], text["hidden_size"]
    generator = torch.Generator("cuda").manual_seed(2)

    def noise(*shape: int) -> Tensor:
        x = torch.randn(shape, generator=generator, device="cuda", dtype=torch.bfloat16)
        return x.mul_(shape[-1] ** -0.5)

    x, gate_up, down = noise(tokens, hidden), noise(experts, 2 * width, hidden), noise(experts, hidden, width)
    x *= hidden**0.5
    shares, indices = reference.top_experts(noise(tokens, experts), k)
    return {
        "saccade": lambda: [kernels.mixture(x, shares, indices, gate_up, down)],
        "torch": lambda: [reference.experts_by_token(x, gate_up, down, shares, indices)],
    }


def attention_runs(new: int, before: int, text: dict[str, Any]) -> dict[str, Callable[[], list[Tensor]]]:
    """New tokens behind a prefix in a buffer with room for more: as dispatched, and torch's flash."""
    heads, groups, dim = (text[name] for name in ("num_attention_heads", "num_key_value_heads", "head_dim"))
    q = torch.randn(1, new, heads, dim, device="cuda", dtype=torch.bfloat16).transpose(1, 2)
    held = torch.randn(2, 1, groups, before + new + 99, dim, device="cuda", dtype=torch.bfloat16)
    k, v = held[..., : before + new, :]
    flash = torch.ops.aten._scaled_dot_product_flash_attention
    return {
        "saccade": lambda: [kernels.causal_attention(q, k, v)],
        "torch": lambda: [flash(q, k, v, is_causal=True)[0]],
    }


def attention_flops(new: int, before: int, text: dict[str, Any]) -> float:
    pairs = new * before + new * (new + 1) / 2
    return 4.0 * pairs * text["num_attention_heads"] * text["head_dim"]


def expert_flops(tokens: int, text: dict[str, Any]) -> float:
    return 6.0 * tokens * text["num_experts_per_tok"] * text["moe_intermediate_size"] * text["hidden_size"]


def layer_runs(heads: Heads) -> dict[str, Callable[[], list[Tensor]]]:
    """A DeltaNet layer between its projections, as dispatched, and in torch around our delta rule."""
    q, k, v, *_, state = delta_inputs(heads)
    qkv = torch.cat([x.flatten(2) for x in (q, k, v)], dim=-1)
    z, (b, a) = torch.randn_like(v).flatten(2), torch.randn(2, *v.shape[:3], device="cuda").bfloat16()
    shapes = (qkv.shape[-1], 1, 4), heads.value_heads, heads.value_heads, heads.dim
    weights = kernels.MixWeights(*(torch.randn(s, device="cuda").bfloat16() / 2 for s in shapes))
    window = qkv[:, :3].clone()
    inputs = qkv, z, b, a, weights, 1e-6, heads.key_heads, window, state

    def run(mix: Callable[..., Any], **options: Any) -> list[Tensor]:
        out, columns, states = mix(*inputs, **options)
        return [out, columns, *states]

    return {
        "saccade": lambda: run(kernels.delta_mix),
        "torch": lambda: run(reference.delta_mix, each=False, rule=kernels.delta_rule),
    }


def worst(got: list[Tensor], expected: list[Tensor]) -> float:
    """The largest |ours - theirs| / |theirs|, NaN where there is one."""
    pairs = zip(got, expected, strict=True)
    errors = [float((a.double() - b.double()).norm() / b.double().norm()) for a, b in pairs]
    return float(torch.tensor(errors).max())
