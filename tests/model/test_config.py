import copy
import json

import pytest
from saccade.errors import CheckpointError
from saccade.model.config import ModelConfig

from . import tiny
from .conftest import Pair


def raw_config(name: str) -> dict:
    kind, text, vision, top = tiny.CONFIGS[name]
    return copy.deepcopy(
        {"model_type": kind, "text_config": text, "vision_config": vision, **tiny.SPECIAL, **top}
    )


@pytest.mark.parametrize("name", tiny.CONFIGS)
def test_there_and_back(name: str):
    config = ModelConfig.from_dict(raw_config(name))
    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_the_reference_reads_ours(pair: Pair):
    theirs = type(pair.reference.config).from_dict(json.loads(json.dumps(pair.ours.config.to_dict())))
    for part in ("text_config", "vision_config"):
        ours = getattr(theirs, part).to_dict()
        for key, value in getattr(pair.reference.config, part).to_dict().items():
            if key not in ("dtype", "pad_token_id", "use_cache", "_attn_implementation_internal"):
                assert ours[key] == value, key


def test_a_gate_can_be_off():
    raw = raw_config("dense")
    raw["text_config"]["attn_output_gate"] = False
    config = ModelConfig.from_dict(raw)
    assert not config.text.attn_output_gate
    assert ModelConfig.from_dict(config.to_dict()) == config


def test_a_published_shape():
    """The keys as the family's checkpoints write them, with the rope at the top of the text part."""
    raw = raw_config("moe")
    rope = raw["text_config"].pop("rope_parameters")
    raw["text_config"] |= {"rope_theta": 1e7, "partial_rotary_factor": 0.5, "full_attention_interval": 4}
    raw["text_config"] |= {"rope_scaling": {"mrope_section": rope["mrope_section"], "type": "mrope"}}
    raw["text_config"] |= {"mamba_ssm_dtype": "float32", "mtp_num_hidden_layers": 1, "dtype": "bfloat16"}
    raw["vision_config"] |= {"model_type": "qwen3_5_moe", "initializer_range": 0.02}
    config = ModelConfig.from_dict(raw)
    assert config.text.rope.theta == 1e7
    assert config.text.layer_types.count("full_attention") == 1
    assert config.text.rotary_dim == 8


@pytest.mark.parametrize(
    ("path", "value", "word"),
    [
        ("model_type", "llama", "llama"),
        ("model_type", None, "model_type"),
        ("text_config", None, "text_config"),
        ("vision_config", 3, "vision_config"),
        ("image_token_id", None, "image_token_id"),
        ("quantization_config", {"quant_method": "fp8"}, "quantization_config"),
        ("text_config.hidden_size", None, "hidden_size"),
        ("text_config.rope_parameters", None, "rope_theta"),
        ("text_config.rope_parameters", {"rope_type": "longrope", "rope_theta": 1e4}, "longrope"),
        ("text_config.rope_parameters", {"rope_theta": 1e4, "mrope_section": [9, 9, 9]}, "mrope_section"),
        ("text_config.sliding_window", 128, "sliding_window"),
        ("text_config.hidden_act", "gelu", "gelu"),
        ("text_config.attention_bias", True, "attention_bias"),
        ("text_config.norm_topk_prob", False, "norm_topk_prob"),
        ("text_config.mtp_use_dedicated_embeddings", True, "mtp_use_dedicated_embeddings"),
        ("text_config.layer_types", ["full_attention"], "layer_types"),
        ("text_config.layer_types", ["mamba"] * 4, "mamba"),
        ("vision_config.hidden_act", "relu", "relu"),
        ("vision_config.window_size", 112, "window_size"),
        ("vision_config.depth", None, "depth"),
        ("vision_config.deepstack_visual_indexes", [7], "deepstack_visual_indexes"),
    ],
)
def test_what_is_not_understood_is_refused(path: str, value: object, word: str):
    raw = raw_config("moe")
    *parents, key = path.split(".")
    part = raw
    for parent in parents:
        part = part[parent]
    if value is None:
        del part[key]
    else:
        part[key] = value
    with pytest.raises(CheckpointError, match=word) as error:
        ModelConfig.from_dict(raw)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [None, "", "{", "[]", "\xff"])
def test_a_broken_file_is_named(tmp_path, content: str | None):
    if content is not None:
        (tmp_path / "config.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(CheckpointError, match=r"config\.json"):
        ModelConfig.from_pretrained(tmp_path)
