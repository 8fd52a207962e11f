"""Model configuration, read from a checkpoint's `config.json`. Knows numbers; knows nothing of tensors.

One set of dataclasses covers `qwen3_5`, `qwen3_5_moe`, `qwen3_vl` and `qwen3_vl_moe`. A key that is neither
understood nor known to be harmless is an error: it may change the maths.
"""

import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ..errors import CheckpointError

ARCHITECTURES = {
    "qwen3_5": "Qwen3_5ForConditionalGeneration",
    "qwen3_5_moe": "Qwen3_5MoeForConditionalGeneration",
    "qwen3_vl": "Qwen3VLForConditionalGeneration",
    "qwen3_vl_moe": "Qwen3VLMoeForConditionalGeneration",
}
MODEL_TYPES = tuple(ARCHITECTURES)
SPECIAL_TOKENS = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")

# Keys that never change what the network computes.
HARMLESS = {
    *("model_type", "architectures", "dtype", "torch_dtype", "transformers_version", "use_cache"),
    *("initializer_range", "bos_token_id", "pad_token_id", "base_config_key", "output_router_logits"),
    *("router_aux_loss_coef", "attention_dropout", "tie_word_embeddings", "return_dict"),
    *("output_hidden_states", "output_attentions", "_name_or_path", "chunk_size_feed_forward"),
    *("is_encoder_decoder", "problem_type", "id2label", "label2id", "mamba_ssm_dtype"),
    *("language_model_only", "_attn_implementation", "experts_implementation"),
}
ROPE_KEYS = {"rope_type", "type", "rope_theta", "partial_rotary_factor", "mrope_section", "mrope_interleaved"}
# Keys that are read or checked, each in its place, but are no fields of the dataclasses.
HANDLED = {
    *("full_attention_interval", "rope_theta", "rope_scaling", "rope_parameters", "partial_rotary_factor"),
    *("decoder_sparse_step", "norm_topk_prob", "mlp_only_layers", "num_local_experts"),
    *("mtp_use_dedicated_embeddings", "text_config", "vision_config"),
}


@dataclass(frozen=True)
class BlockFP8:
    """Matrices stored as e4m3 times one scale per block of (rows, columns); `skipped` modules are not."""

    block: tuple[int, int]
    skipped: tuple[str, ...]

    def covers(self, name: str) -> bool:
        """Whether the tensor of this name may be stored so."""
        return not any(f"{name}.".startswith(f"{module}.") for module in self.skipped)


@dataclass(frozen=True)
class YarnConfig:
    """YaRN: a context of `factor` times the original one."""

    factor: float
    original_max_position_embeddings: int
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    attention_factor: float | None = None
    mscale: float | None = None
    mscale_all_dim: float | None = None
    truncate: bool = True

    @property
    def attention_scale(self) -> float:
        """What cos and sin are multiplied by."""
        if self.attention_factor is not None:
            return self.attention_factor
        if self.mscale and self.mscale_all_dim:
            return self._grown(self.mscale) / self._grown(self.mscale_all_dim)
        return self._grown(1.0)

    def _grown(self, mscale: float) -> float:
        return 0.1 * mscale * math.log(self.factor) + 1 if self.factor > 1 else 1.0


@dataclass(frozen=True)
class RopeConfig:
    theta: float
    partial_rotary_factor: float
    mrope_section: tuple[int, ...]
    yarn: YarnConfig | None = None


@dataclass(frozen=True)
class TextConfig:
    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    layer_types: tuple[str, ...]
    rope: RopeConfig
    attn_output_gate: bool
    norm_offset: float  # 1.0: y = x̂ (1 + w), Qwen3.5; 0.0: y = x̂ w, Qwen3-VL
    intermediate_size: int = 0
    num_experts: int = 0
    num_experts_per_tok: int = 0
    moe_intermediate_size: int = 0
    shared_expert_intermediate_size: int = 0
    linear_num_key_heads: int = 0
    linear_num_value_heads: int = 0
    linear_key_head_dim: int = 0
    linear_value_head_dim: int = 0
    linear_conv_kernel_dim: int = 4
    rms_norm_eps: float = 1e-6
    max_position_embeddings: int = 262144
    mtp_num_hidden_layers: int = 0
    hidden_act: str = "silu"
    attention_bias: bool = False
    eos_token_id: int | tuple[int, ...] | None = None

    @property
    def rotary_dim(self) -> int:
        return int(self.head_dim * self.rope.partial_rotary_factor)

    @property
    def max_context(self) -> int:
        """Tokens that the positions were made for, YaRN's stretch included."""
        yarn = self.rope.yarn
        stretched = int(yarn.factor * yarn.original_max_position_embeddings) if yarn else 0
        return max(self.max_position_embeddings, stretched)


@dataclass(frozen=True)
class VisionConfig:
    depth: int
    hidden_size: int
    intermediate_size: int
    num_heads: int
    patch_size: int
    temporal_patch_size: int
    spatial_merge_size: int
    out_hidden_size: int
    num_position_embeddings: int
    in_channels: int = 3
    deepstack_visual_indexes: tuple[int, ...] = ()
    hidden_act: str = "gelu_pytorch_tanh"

    @property
    def patch_dim(self) -> int:
        return self.in_channels * self.temporal_patch_size * self.patch_size**2


@dataclass(frozen=True)
class ModelConfig:
    model_type: str
    text: TextConfig
    vision: VisionConfig
    image_token_id: int
    video_token_id: int
    vision_start_token_id: int
    vision_end_token_id: int
    tie_word_embeddings: bool
    quantization_config: BlockFP8 | None = None  # of the files; what is loaded is wide

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "ModelConfig":
        """Read `config.json` in `folder`. Raises CheckpointError: missing, broken or unsupported."""
        path = Path(folder) / "config.json"
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise CheckpointError(
                f"no config.json in {path.parent}: name a folder with a checkpoint"
            ) from None
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{path} cannot be read ({error}): download the file again") from None
        if not isinstance(raw, dict):
            raise CheckpointError(f"{path} is not a JSON object: download the file again")
        return cls.from_dict(raw)

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> "ModelConfig":
        model_type = raw.get("model_type", "")
        if model_type not in MODEL_TYPES:
            raise CheckpointError(
                f"model_type {model_type!r} is not supported: use one of {', '.join(MODEL_TYPES)}"
            )
        if not all(isinstance(raw.get(part), dict) for part in ("text_config", "vision_config")):
            raise CheckpointError(
                "config.json lacks text_config or vision_config: not a vision-language checkpoint"
            )
        _reject_unknown(raw, {f.name for f in fields(cls)} | {"eos_token_id"}, "config.json")
        try:
            config = cls(
                model_type=model_type,
                text=_text_config(raw["text_config"], model_type),
                vision=_vision_config(raw["vision_config"]),
                tie_word_embeddings=bool(
                    raw.get("tie_word_embeddings", raw["text_config"].get("tie_word_embeddings", False))
                ),
                quantization_config=_block_fp8(raw.get("quantization_config")),
                **{key: raw[key] for key in SPECIAL_TOKENS},
            )
        except (KeyError, TypeError, AttributeError, ZeroDivisionError) as error:
            raise CheckpointError(
                f"config.json is incomplete ({error}): download the file again, or name the key"
            ) from None
        _check_sizes(config)
        return config

    def to_dict(self) -> dict[str, Any]:
        """The official `config.json`; `from_dict` of it gives this config again."""
        hybrid = self.model_type.startswith("qwen3_5")
        text = {key: value for key, value in asdict(self.text).items() if value not in (0, None, False)}
        rope = {"rope_type": "default", "rope_theta": self.text.rope.theta, "mrope_interleaved": True}
        given = {key: value for key, value in text.pop("rope").items() if value is not None}
        stretch = given.pop("yarn", None)
        rope |= {key: value for key, value in given.items() if key != "theta"}
        if stretch:
            rope |= {"rope_type": "yarn", **{k: v for k, v in stretch.items() if v is not None}}
        text |= {"model_type": f"{self.model_type}_text", "rope_parameters": rope}
        text |= {"tie_word_embeddings": self.tie_word_embeddings}
        text |= {"attn_output_gate": self.text.attn_output_gate} if hybrid else {}
        implied = ("norm_offset",) if hybrid else ("linear_", "layer_types")
        text = {key: value for key, value in text.items() if not key.startswith(implied)}
        vision = {**asdict(self.vision), "model_type": f"{self.model_type}_vision"}
        return {
            "architectures": [ARCHITECTURES[self.model_type]],
            "model_type": self.model_type,
            "text_config": text,
            "vision_config": vision,
            "tie_word_embeddings": self.tie_word_embeddings,
            **{key: getattr(self, key) for key in SPECIAL_TOKENS},
        }


def _check_sizes(config: ModelConfig) -> None:
    """Refuse numbers that do not fit each other, before a layer is built from them."""
    text, vision = config.text, config.vision
    kinds, taps = set(text.layer_types), vision.deepstack_visual_indexes
    linear = "linear_attention" in kinds
    facts = {
        f"layer_types {kinds}": kinds <= {"linear_attention", "full_attention"},
        f"{len(text.layer_types)} layer_types": len(text.layer_types) == text.num_hidden_layers,
        f"num_key_value_heads {text.num_key_value_heads}": _divides(
            text.num_key_value_heads, text.num_attention_heads
        ),
        f"linear_num_key_heads {text.linear_num_key_heads}": not linear
        or _divides(text.linear_num_key_heads, text.linear_num_value_heads),
        f"num_experts_per_tok {text.num_experts_per_tok}": text.num_experts_per_tok <= text.num_experts,
        f"vision num_heads {vision.num_heads}": _divides(4 * vision.num_heads, vision.hidden_size),
        f"out_hidden_size {vision.out_hidden_size}": vision.out_hidden_size == text.hidden_size,
        f"deepstack_visual_indexes {taps}": list(taps) == sorted({i for i in taps if 0 <= i < vision.depth})
        and len(taps) <= text.num_hidden_layers,
    }
    wrong = [fact for fact, holds in facts.items() if not holds]
    if wrong:
        raise CheckpointError(f"config.json: {wrong[0]} does not fit the other sizes: check the file")


def _divides(part: int, whole: int) -> bool:
    return part > 0 and whole > 0 and whole % part == 0


def _text_config(raw: dict[str, Any], model_type: str) -> TextConfig:
    hybrid = model_type.startswith("qwen3_5")
    known = {f.name for f in fields(TextConfig)} - {"rope", "norm_offset"}
    _reject_unknown(raw, known, "text_config")
    _reject_unsupported(raw)
    given = {k: _frozen(v) for k, v in raw.items() if k in known and v is not None}
    head_dim = raw.get("head_dim") or raw["hidden_size"] // raw["num_attention_heads"]
    derived = {
        "num_experts": raw.get("num_experts") or raw.get("num_local_experts") or 0,
        "head_dim": head_dim,
        "layer_types": _layer_types(raw, hybrid),
        "rope": _rope_config(raw, head_dim, hybrid),
        "norm_offset": 1.0 if hybrid else 0.0,
        "attn_output_gate": raw.get("attn_output_gate", hybrid),
    }
    return TextConfig(**{**given, **derived})


def _vision_config(raw: dict[str, Any]) -> VisionConfig:
    known = {f.name for f in fields(VisionConfig)}
    _reject_unknown(raw, known, "vision_config")
    if raw.get("hidden_act", "gelu_pytorch_tanh") != "gelu_pytorch_tanh":
        raise CheckpointError(
            f"vision hidden_act {raw['hidden_act']!r} is not supported: expected gelu_pytorch_tanh"
        )
    return VisionConfig(**{k: _frozen(v) for k, v in raw.items() if k in known})


def _block_fp8(raw: dict[str, Any] | None) -> BlockFP8 | None:
    if raw is None:
        return None
    known = {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "scale_fmt": "float"}
    free = ("modules_to_not_convert", "dequantize", "weight_block_size")
    wrong = [key for key, value in raw.items() if key not in free and value not in (None, known.get(key))]
    block = raw.get("weight_block_size") or []
    if len(block) != 2 or not all(type(n) is int and n > 0 for n in block):
        wrong.append("weight_block_size")
    if wrong or raw.get("quant_method") is None:
        key = [*wrong, "quant_method"][0]
        raise CheckpointError(
            f"quantization_config: {key} {raw.get(key)!r} is not supported: use the bf16 checkpoint or "
            "the official FP8 one (quant_method fp8, fmt e4m3, weight_block_size [128, 128])"
        )
    return BlockFP8((block[0], block[1]), tuple(raw.get("modules_to_not_convert") or ()))


def _layer_types(raw: dict[str, Any], hybrid: bool) -> tuple[str, ...]:
    if raw.get("layer_types"):
        return tuple(raw["layer_types"])
    interval = raw.get("full_attention_interval", 4) if hybrid else 1
    return tuple(
        "linear_attention" if (i + 1) % interval else "full_attention"
        for i in range(raw["num_hidden_layers"])
    )


def _rope_config(raw: dict[str, Any], head_dim: int, hybrid: bool) -> RopeConfig:
    rope = {**(raw.get("rope_scaling") or {}), **(raw.get("rope_parameters") or {})}
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind not in ("default", "mrope", "yarn"):
        raise CheckpointError(f"rope_type {kind!r} is not supported: expected 'default' or 'yarn'")
    if rope.get("mrope_interleaved") is False:
        raise CheckpointError("mrope_interleaved false is not supported: the family interleaves")
    stretch = {f.name for f in fields(YarnConfig)} if kind == "yarn" else set()
    _reject_unknown(rope, ROPE_KEYS | stretch, "rope_parameters")
    factor = rope.get("partial_rotary_factor", raw.get("partial_rotary_factor", 0.25 if hybrid else 1.0))
    theta = rope.get("rope_theta", raw.get("rope_theta"))
    if theta is None:
        raise CheckpointError("config.json names no rope_theta: the checkpoint must say it")
    default_section = (11, 11, 10) if hybrid else (24, 20, 20)
    section = tuple(rope.get("mrope_section", default_section))
    if sum(section) != int(head_dim * factor) // 2:
        raise CheckpointError(
            f"mrope_section {section} does not add up to half the rotary dim {head_dim * factor:g}"
        )
    yarn = _yarn_config(rope, raw) if kind == "yarn" else None
    return RopeConfig(theta=theta, partial_rotary_factor=factor, mrope_section=section, yarn=yarn)


def _yarn_config(rope: dict[str, Any], raw: dict[str, Any]) -> YarnConfig:
    given = {f.name: rope[f.name] for f in fields(YarnConfig) if rope.get(f.name) is not None}
    given.setdefault("original_max_position_embeddings", raw.get("max_position_embeddings", 262144))
    if given.get("factor", 0) < 1:
        raise CheckpointError(f"rope_type 'yarn' needs a factor of at least 1, not {rope.get('factor')}")
    return YarnConfig(**given)


def _reject_unknown(raw: dict[str, Any], known: set[str], where: str) -> None:
    understood = known | HARMLESS | HANDLED
    unknown = sorted(k for k, v in raw.items() if k not in understood and v is not None and v is not False)
    if unknown:
        raise CheckpointError(
            f"{where} has unknown keys {', '.join(unknown)}: they may change the model's maths"
        )


def _reject_unsupported(raw: dict[str, Any]) -> None:
    if raw.get("hidden_act", "silu") != "silu":
        raise CheckpointError(f"hidden_act {raw['hidden_act']!r} is not supported: expected silu")
    if raw.get("mtp_use_dedicated_embeddings"):
        raise CheckpointError(
            "mtp_use_dedicated_embeddings true is not supported: the head shares the embedding"
        )
    if raw.get("attention_bias"):
        raise CheckpointError("attention_bias true is not supported: the family has none")
    if (
        raw.get("norm_topk_prob") is False
        or raw.get("mlp_only_layers")
        or raw.get("decoder_sparse_step", 1) != 1
    ):
        raise CheckpointError(
            "norm_topk_prob, mlp_only_layers or decoder_sparse_step differ from the family's"
        )


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
