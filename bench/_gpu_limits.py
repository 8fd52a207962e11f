"""What no card can beat at the shape of a network: bytes that must move, products that must be computed.

Shapes come as the dicts of `_gpu_models`; bf16 throughout. Divide by a card's measured speed of copying or
multiplying.
"""

from typing import Any

from bench._gpu_models import step_bytes


def row_bytes(text: dict[str, Any], seen: int, attention_layers: int | None = None) -> int:
    """The state of one sequence: keys and values of `seen` tokens, recurrent states in fp32."""
    layers = text["num_hidden_layers"]
    attention = layers // 4 if attention_layers is None else attention_layers
    keys = 2 * 2 * text["num_key_value_heads"] * text["head_dim"] * seen
    values = text["linear_num_value_heads"] * text["linear_value_head_dim"]
    return attention * keys + (layers - attention) * 4 * values * text["linear_key_head_dim"]


def rows_bytes(text: dict[str, Any], seen: int, rows: int) -> int:
    """A step of so many sequences: every weight that one of them uses once, each one's keys once and states
    twice. Experts as if each were chosen with equal chance: 163 of 256 for 32 rows of 8."""
    experts, k = text["num_experts"], text["num_experts_per_tok"]
    distinct = experts * (1 - (1 - k / experts) ** rows)
    expert = 2 * 3 * text["moe_intermediate_size"] * text["hidden_size"]
    more = text["num_hidden_layers"] * expert * (distinct - k)
    own = row_bytes(text, seen) + row_bytes(text, 0)
    return int(step_bytes(text, seen) + more + (rows - 1) * own)


def weight_bytes(text: dict[str, Any]) -> int:
    """All matrices of the language model, embeddings left out: what a prompt reads once for each chunk."""
    unused = text["num_experts"] - text["num_experts_per_tok"]
    experts = 2 * 3 * text["moe_intermediate_size"] * text["hidden_size"] * unused
    states = 2 * row_bytes(text, 0)
    return step_bytes(text, 0) - states + text["num_hidden_layers"] * experts


def prompt_flops(text: dict[str, Any], tokens: int, seen: int = 0) -> float:
    """Of so many tokens behind `seen` others, the head for the last alone: products of weights, and of the
    queries with what lies before them."""
    head = 2 * text["vocab_size"] * text["hidden_size"]
    weights = step_bytes(text, 0) - 2 * row_bytes(text, 0) - head  # two bytes each, a product and a sum
    pairs = tokens * (seen + tokens / 2)
    attention = 4 * text["num_attention_heads"] * text["head_dim"] * text["num_hidden_layers"] // 4
    return weights * tokens + attention * pairs


def tower_flops(vision: dict[str, Any], width: int, patches: int) -> float:
    """One picture through the encoder and its merger into tokens of so many dims."""
    dim, merged = vision["hidden_size"], vision["hidden_size"] * vision["spatial_merge_size"] ** 2
    block = 2 * patches * (4 * dim * dim + 2 * dim * vision["intermediate_size"]) + 4 * patches**2 * dim
    embed = 2 * patches * 3 * vision["temporal_patch_size"] * vision["patch_size"] ** 2 * dim
    tokens = patches // vision["spatial_merge_size"] ** 2
    return vision["depth"] * block + embed + 2 * tokens * merged * (merged + width)
