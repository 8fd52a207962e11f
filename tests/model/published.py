"""The published sizes as `config.json` writes them, and what their names promise.

A name counts the language model with its embedding, without the vision encoder and the prediction head: the
published card of the 30B-A3B text model, 30.5 B with 3.3 B active, is exactly that count.
Not confirmed by a primary source: the vision encoders of 2B, 4B and 397B, the DeltaNet value heads of 2B,
122B and 397B, and the attention heads and expert width of 122B; of Qwen3-VL all but 30B-A3B. That the
counts meet the names supports them.
"""

from dataclasses import dataclass
from typing import Any

SPECIAL = {"image_token_id": 248056, "video_token_id": 248057}
SPECIAL |= {"vision_start_token_id": 248053, "vision_end_token_id": 248054}
VISION = {
    "patch_size": 16,
    "temporal_patch_size": 2,
    "spatial_merge_size": 2,
    "num_position_embeddings": 2304,
}
LARGE_VISION = {**VISION, "depth": 27, "hidden_size": 1152, "intermediate_size": 4304, "num_heads": 16}
MIDDLE_VISION = {**VISION, "depth": 24, "hidden_size": 1024, "intermediate_size": 4096, "num_heads": 16}
SMALL_VISION = {**VISION, "depth": 12, "hidden_size": 768, "intermediate_size": 3072, "num_heads": 12}
LINEAR = {"linear_key_head_dim": 128, "linear_value_head_dim": 128, "linear_num_key_heads": 16}
ROPE = {"rope_type": "default", "rope_theta": 1e7, "mrope_section": [11, 11, 10], "mrope_interleaved": True}


@dataclass(frozen=True)
class Published:
    name: str
    total: float  # billions, as the name says
    active: float | None
    config: dict[str, Any]
    why: str = ""  # a count differs from the name by more than 3%, and this is the reason


def qwen35(
    hidden: int,
    layers: int,
    heads: tuple[int, int],
    values: int,
    vision: dict,
    tied: bool,
    **feed_forward: int,
) -> dict[str, Any]:
    text = {"vocab_size": 248320, "hidden_size": hidden, "num_hidden_layers": layers, "head_dim": 256}
    text |= {"num_attention_heads": heads[0], "num_key_value_heads": heads[1], "mtp_num_hidden_layers": 1}
    text |= {**LINEAR, "linear_num_value_heads": values, "max_position_embeddings": 262144}
    text |= {"rope_parameters": {**ROPE, "partial_rotary_factor": 0.25}, **feed_forward}
    kind = "qwen3_5_moe" if "num_experts" in feed_forward else "qwen3_5"
    vision = {**vision, "out_hidden_size": hidden, "deepstack_visual_indexes": []}
    return {
        "model_type": kind,
        "text_config": text,
        "vision_config": vision,
        "tie_word_embeddings": tied,
    } | SPECIAL


def experts(number: int, chosen: int, width: int, shared: int | None = None) -> dict[str, int]:
    """The shared expert is as wide as the others where nothing else is said; 0: there is none."""
    sizes = {"num_experts": number, "num_experts_per_tok": chosen, "moe_intermediate_size": width}
    return sizes if shared == 0 else {**sizes, "shared_expert_intermediate_size": shared or width}


def qwen3_vl(
    hidden: int,
    layers: int,
    heads: tuple[int, int],
    vision: dict,
    taps: tuple[int, int, int],
    tied: bool,
    **feed_forward: int,
) -> dict[str, Any]:
    text = {"vocab_size": 151936, "hidden_size": hidden, "num_hidden_layers": layers, "head_dim": 128}
    text |= {"num_attention_heads": heads[0], "num_key_value_heads": heads[1]}
    text |= {"max_position_embeddings": 262144, **feed_forward}
    text |= {"rope_parameters": {**ROPE, "rope_theta": 5e6, "mrope_section": [24, 20, 20]}}
    kind = "qwen3_vl_moe" if "num_experts" in feed_forward else "qwen3_vl"
    vision = {**vision, "out_hidden_size": hidden, "deepstack_visual_indexes": list(taps)}
    return {
        "model_type": kind,
        "text_config": text,
        "vision_config": vision,
        "tie_word_embeddings": tied,
    } | SPECIAL


EARLY, LATE = (5, 11, 17), (8, 16, 24)  # the taps of the vision encoders of 24 and of 27 blocks

PUBLISHED = [
    Published(
        "0.8B",
        0.8,
        None,
        qwen35(1024, 24, (8, 2), 16, SMALL_VISION, True, intermediate_size=3584),
        "0.75 B, rounded to one digit",
    ),
    Published(
        "2B",
        2,
        None,
        qwen35(2048, 24, (8, 2), 16, MIDDLE_VISION, True, intermediate_size=6144),
        "1.88 B, rounded to one digit",
    ),
    Published(
        "4B",
        4,
        None,
        qwen35(2560, 32, (16, 4), 32, MIDDLE_VISION, True, intermediate_size=9216),
        "4.21 B, rounded to one digit",
    ),
    Published("9B", 9, None, qwen35(4096, 32, (16, 4), 32, LARGE_VISION, False, intermediate_size=12288)),
    Published("27B", 27, None, qwen35(5120, 64, (24, 4), 48, LARGE_VISION, False, intermediate_size=17408)),
    Published(
        "35B-A3B",
        35,
        3,
        qwen35(2048, 40, (16, 2), 32, LARGE_VISION, False, **experts(256, 8, 512)),
        "3.45 B active, rounded down",
    ),
    Published(
        "122B-A10B", 122, 10, qwen35(3072, 48, (32, 2), 64, LARGE_VISION, False, **experts(256, 8, 1024))
    ),
    Published(
        "397B-A17B", 397, 17, qwen35(4096, 60, (32, 2), 64, LARGE_VISION, False, **experts(512, 10, 1024))
    ),
    Published(
        "VL-2B",
        2,
        None,
        qwen3_vl(2048, 28, (16, 8), MIDDLE_VISION, EARLY, True, intermediate_size=6144),
        "1.72 B, rounded to one digit",
    ),
    Published(
        "VL-4B", 4, None, qwen3_vl(2560, 36, (32, 8), MIDDLE_VISION, EARLY, True, intermediate_size=9728)
    ),
    Published(
        "VL-8B", 8, None, qwen3_vl(4096, 36, (32, 8), LARGE_VISION, LATE, False, intermediate_size=12288)
    ),
    Published(
        "VL-32B", 32, None, qwen3_vl(5120, 64, (64, 8), LARGE_VISION, LATE, False, intermediate_size=25600)
    ),
    Published(
        "VL-30B-A3B",
        30,
        3,
        qwen3_vl(2048, 48, (32, 4), LARGE_VISION, LATE, False, **experts(128, 8, 768, shared=0)),
        "3.35 B active, rounded down",
    ),
    Published(
        "VL-235B-A22B",
        235,
        22,
        qwen3_vl(4096, 94, (64, 4), LARGE_VISION, LATE, False, **experts(128, 8, 1536, shared=0)),
    ),
]
