"""The network at the shape of Qwen3.5-35B-A3B with random weights, and `transformers` on the same tensors."""

import gc
import json
import math
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from saccade.model.config import ModelConfig
from saccade.model.hub import BUILTIN
from saccade.model.quantise import Kind, QuantisedWeight
from saccade.model.vlm import VisionLanguageModel
from saccade.model.weights import empty_model
from torch import Tensor

TEXT = {
    "vocab_size": 248320, "hidden_size": 2048, "num_hidden_layers": 40, "num_attention_heads": 16,
    "num_key_value_heads": 2, "head_dim": 256, "linear_num_key_heads": 16, "linear_num_value_heads": 32,
    "linear_key_head_dim": 128, "linear_value_head_dim": 128, "num_experts": 256, "num_experts_per_tok": 8,
    "moe_intermediate_size": 512, "shared_expert_intermediate_size": 512, "max_position_embeddings": 262144,
    "rope_parameters": {
        "rope_type": "default", "rope_theta": 1e7, "mrope_section": [11, 11, 10], "mrope_interleaved": True,
        "partial_rotary_factor": 0.25,
    },
}  # fmt: skip
SMALL = {
    **TEXT, "vocab_size": 512, "hidden_size": 256, "num_hidden_layers": 8, "num_attention_heads": 4,
    "head_dim": 64, "linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 32,
    "linear_value_head_dim": 32, "num_experts": 16, "num_experts_per_tok": 4, "moe_intermediate_size": 64,
    "shared_expert_intermediate_size": 64,
    "rope_parameters": {**TEXT["rope_parameters"], "mrope_section": [3, 3, 2]},
}  # fmt: skip
VISION = {
    "depth": 27, "hidden_size": 1152, "intermediate_size": 4304, "num_heads": 16, "patch_size": 16,
    "temporal_patch_size": 2, "spatial_merge_size": 2, "num_position_embeddings": 2304,
}  # fmt: skip
MOST_S = 15  # for earlier parts to let go of the card
SMALL_VISION = {**VISION, "depth": 1, "hidden_size": 64, "intermediate_size": 64, "num_heads": 2}


@cache
def network(layers: int) -> VisionLanguageModel:
    """35B-A3B with so many layers in bf16 on the GPU, made once for all parts; `network.cache_clear()`."""
    return random_model({**TEXT, "num_hidden_layers": layers}, "cuda", torch.bfloat16)


def without_network(part: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    """A part that needs the card's memory for itself: `network` is made again if it is wanted afterwards."""

    def run(lab: Any) -> dict[str, Any]:
        network.cache_clear()
        begin = time.perf_counter()
        while torch.cuda.memory_allocated() > 2**30:  # an engine's thread holds on for a few seconds
            if time.perf_counter() - begin > MOST_S:
                raise RuntimeError(f"{torch.cuda.memory_allocated() / 1e9:.1f} GB of earlier parts are held")
            time.sleep(0.2)
            gc.collect()
        torch.cuda.empty_cache()
        return part(lab)

    return run


def config_of(text: dict[str, Any], vision: dict[str, Any]) -> ModelConfig:
    """With the special tokens of the built-in model, whose tokenizer and template it then can use."""
    special = json.loads((BUILTIN / "config.json").read_text("utf-8"))
    return ModelConfig.from_dict(
        {
            "model_type": "qwen3_5_moe",
            "text_config": text,
            "vision_config": {**vision, "out_hidden_size": text["hidden_size"]},
            **{key: value for key, value in special.items() if key.endswith("_token_id")},
        }
    )


def random_model(
    text: dict[str, Any],
    device: str,
    dtype: torch.dtype,
    kind: Kind | None = None,
    vision: dict[str, Any] = VISION,
) -> VisionLanguageModel:
    """Made where it will run: 35 billion numbers take seconds there and an hour on a CPU."""
    model = empty_model(config_of(text, vision), device, dtype, kind)
    generator = torch.Generator(device).manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=parameter.shape[-1] ** -0.5, generator=generator)
            elif name.endswith("dt_bias"):
                parameter.normal_(-4, 0.5, generator=generator)  # heads remember, as trained ones do
            else:
                plain = name.endswith("linear_attn.norm.weight") or (name[:6] == "visual" and "norm" in name)
                parameter.normal_(float(plain), 0.1, generator=generator)
        for module in model.modules():
            if isinstance(module, QuantisedWeight):
                randomise(module, generator)
    return model.eval().requires_grad_(False)


def randomise(weight: QuantisedWeight, generator: torch.Generator) -> None:
    """Codes at random in place, of about the spread of the wide matrices.

    Scales are powers of two, so that bf16 holds the values exactly: the forward widens to the same ones.
    """
    codes, wanted = weight.codes.view(torch.uint8), weight.shape[-1] ** -0.5
    if weight.low is None:
        codes.random_(0, 254, generator=generator)
        codes += codes >= 127  # neither of the two NaN
        every = torch.arange(127, dtype=torch.uint8).view(torch.float8_e4m3fn).float()
        weight.scale.fill_(_power_of_two(wanted / float(every.square().mean().sqrt())))
        return
    codes.random_(0, 256, generator=generator)
    bits = 8 // weight.planes
    scale = _power_of_two(wanted * 12**0.5 / 2**bits)
    weight.scale.fill_(scale)
    weight.low.fill_(-scale * 2 ** (bits - 1))


def _power_of_two(x: float) -> float:
    return 2.0 ** round(math.log2(x))


def peer_of(model: VisionLanguageModel, text: dict[str, Any], experts: str) -> Any:
    """The text model of `transformers` on our tensors: two copies would not fit one GPU."""
    import transformers

    transformers.logging.set_verbosity_error()
    config = transformers.Qwen3_5MoeTextConfig(**text)
    config._attn_implementation, config._experts_implementation = "sdpa", experts
    with torch.device("meta"):
        peer = transformers.Qwen3_5MoeForCausalLM(config)
    tensors = {
        name.replace("language_model.", "model."): tensor for name, tensor in model.state_dict().items()
        if name.startswith(("language_model.", "lm_head."))
    }  # fmt: skip
    peer.load_state_dict(tensors, assign=True)
    with torch.device(model.device):
        peer.model.rotary_emb = type(peer.model.rotary_emb)(config)  # its buffers are in no state_dict
    return peer.eval().requires_grad_(False)


def tower_of(model: VisionLanguageModel, vision: dict[str, Any]) -> Any:
    """The vision encoder of `transformers` on our tensors."""
    import transformers

    width = model.config.text.hidden_size
    config = transformers.Qwen3_5MoeVisionConfig(**vision, out_hidden_size=width)
    config._attn_implementation = "sdpa"
    with torch.device("meta"):
        peer = transformers.Qwen3_5MoeVisionModel(config)
    peer.load_state_dict(model.visual.state_dict(), assign=True)
    with torch.device(model.device):
        peer.rotary_pos_emb = type(peer.rotary_pos_emb)(config)  # its buffers are in no state_dict
    return peer.eval().requires_grad_(False)


@torch.inference_mode()
def prefill(model: VisionLanguageModel, ids: Tensor) -> tuple[Any, Tensor]:
    """The ordinary forward on ids [T]: its cache, and the logits [V] after the last."""
    cache = model.empty_cache()
    positions = torch.arange(len(ids), device=ids.device).expand(3, 1, -1)
    hidden = model(ids[None], positions, cache)
    return cache, model.logits(hidden[0, -1])


BITS = {"bf16": 16, "fp8": 8 + 32 / 128**2, "int8": 8 + 32 / 128, "int4": 4 + 32 / 128}  # with scales
HEAD = {"bf16": 16, "fp8": 16, "int8": BITS["int8"], "int4": BITS["int8"]}


def step_bytes(text: dict[str, Any], seen: int, weights: str = "bf16") -> int:
    """What one token of one sequence must move: every weight it uses, states twice, keys once.

    `weights` is the format of projections, MLPs, experts and, of integers, the head; all else is bf16
    (`model/quantise.py`).
    """
    t, each, head = text, BITS[weights] / 8, HEAD[weights] / 8
    hidden, linear_v = t["hidden_size"], t["linear_num_value_heads"] * t["linear_value_head_dim"]
    channels = 2 * t["linear_num_key_heads"] * t["linear_key_head_dim"] + linear_v
    delta = each * hidden * (channels + 2 * linear_v) + 2 * hidden * 2 * t["linear_num_value_heads"]
    delta += 2 * 4 * linear_v * t["linear_key_head_dim"]
    query, key = t["num_attention_heads"] * t["head_dim"], t["num_key_value_heads"] * t["head_dim"]
    attention = each * hidden * (3 * query + 2 * key) + 2 * 2 * key * seen
    used = t["num_experts_per_tok"] * t["moe_intermediate_size"] + t["shared_expert_intermediate_size"]
    experts = hidden * (each * 3 * used + 2 * (t["num_experts"] + 1))
    layers = t["num_hidden_layers"]
    return round(layers * experts + layers // 4 * (3 * delta + attention) + head * hidden * t["vocab_size"])
