"""Tiny checkpoints of every family member, made and saved by `transformers`, all parameters random.

The reference stays in this file: a test gets a folder, the reference model and inputs.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from saccade.model.chat import Placeholders
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor

TEMPLATE = Path(__file__).with_name("chat_template.jinja")
VOCAB = 320
IMAGE, VIDEO, VISION_START, VISION_END, EOS, IM_END = 300, 301, 302, 303, 304, 305
SPECIAL = {"image_token_id": IMAGE, "video_token_id": VIDEO}
SPECIAL |= {"vision_start_token_id": VISION_START, "vision_end_token_id": VISION_END}
PLACEHOLDERS = Placeholders(IMAGE, VIDEO, VISION_START, VISION_END)

VISION = {
    "depth": 3,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_heads": 2,
    "patch_size": 4,
    "temporal_patch_size": 2,
    "spatial_merge_size": 2,
    "out_hidden_size": 48,
    "num_position_embeddings": 36,
}
TEXT = {
    "vocab_size": VOCAB,
    "hidden_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "rms_norm_eps": 1e-6,
    "max_position_embeddings": 4096,
    "eos_token_id": EOS,
}
LINEAR = {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 12,
}
DENSE = {"intermediate_size": 64}
EXPERTS = {"num_experts": 6, "num_experts_per_tok": 2, "moe_intermediate_size": 20}


def rope(factor: float, section: tuple[int, int, int]) -> dict[str, Any]:
    values = {
        "rope_type": "default",
        "rope_theta": 1e4,
        "mrope_section": list(section),
        "mrope_interleaved": True,
    }
    return {"rope_parameters": {**values, "partial_rotary_factor": factor}}


QUARTER, HALF = rope(0.25, (1, 1, 0)), rope(0.5, (2, 1, 1))
FULL, ODD = rope(1.0, (4, 2, 2)), rope(1.0, (3, 3, 2))

# name -> model_type, text_config, vision_config, top level
CONFIGS: dict[str, tuple[str, dict, dict, dict]] = {
    "dense": ("qwen3_5", {**TEXT, **LINEAR, **DENSE, **HALF}, VISION, {}),
    "dense-tied": (
        "qwen3_5",
        {**TEXT, **LINEAR, **DENSE, **QUARTER, "linear_num_value_heads": 2, "full_attention_interval": 2},
        {**VISION, "spatial_merge_size": 1},
        {"tie_word_embeddings": True},
    ),
    "dense-full-rotary": (
        "qwen3_5",
        {**TEXT, **LINEAR, **DENSE, **FULL, "linear_num_value_heads": 6, "num_key_value_heads": 4},
        VISION,
        {},
    ),
    "moe": (
        "qwen3_5_moe",
        {**TEXT, **LINEAR, **EXPERTS, **HALF, "shared_expert_intermediate_size": 28},
        VISION,
        {},
    ),
    "vl": ("qwen3_vl", {**TEXT, **DENSE, **ODD}, {**VISION, "deepstack_visual_indexes": [0, 2]}, {}),
    "vl-moe": (
        "qwen3_vl_moe",
        {**TEXT, **EXPERTS, **FULL, **DENSE},
        {**VISION, "deepstack_visual_indexes": [1], "spatial_merge_size": 1},
        {},
    ),
}


def reference_model(name: str, seed: int = 2, **changes: Any) -> Any:
    """A `transformers` model with every parameter random, fp32, in evaluation mode.

    `changes` are keys of the text config.
    """
    import transformers

    kind, text, vision, top = CONFIGS[name]
    text = {**text, **changes}
    config_class, model_class = {
        "qwen3_5": (transformers.Qwen3_5Config, transformers.Qwen3_5ForConditionalGeneration),
        "qwen3_5_moe": (transformers.Qwen3_5MoeConfig, transformers.Qwen3_5MoeForConditionalGeneration),
        "qwen3_vl": (transformers.Qwen3VLConfig, transformers.Qwen3VLForConditionalGeneration),
        "qwen3_vl_moe": (transformers.Qwen3VLMoeConfig, transformers.Qwen3VLMoeForConditionalGeneration),
    }[kind]
    tied = {"tie_word_embeddings": top.get("tie_word_embeddings", False)}
    config = config_class(text_config={**text, **tied}, vision_config=vision, **SPECIAL, **top)
    config._attn_implementation = "eager"
    config.text_config._experts_implementation = "eager"
    torch.manual_seed(seed)  # the decays start from random values
    model = model_class(config).float().eval()
    randomise(model, seed)
    return model


def randomise(model: torch.nn.Module, seed: int) -> None:
    """Matrices keep their scale in check; vectors (norms, biases, decays) leave their neutral values.

    DeltaNet heads remember, as trained ones do. A head that forgets at once reads (q . k) v, and its norm
    divides by q . k, be it near zero: rounding grows up to 1000 times in each layer.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("dt_bias"):
                parameter.sub_(5)
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.dim() == 1:
                parameter.add_(0.3 * noise)
            else:
                parameter.copy_(noise * parameter[0].numel() ** -0.5)


def save(model: Any, folder: Path) -> Path:
    """The reference's own files."""
    model.save_pretrained(folder)
    return folder


def add_chat_files(folder: Path, vision: dict, **preferences: Any) -> Path:
    """Tokenizer, template and processor beside the weights: a folder that the engine loads."""
    tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "chat_template.jinja").write_text(TEMPLATE.read_text())
    processor = {"patch_size": vision["patch_size"], "merge_size": vision["spatial_merge_size"]}
    processor |= {"size": {"shortest_edge": 64, "longest_edge": 4096}, "temporal_patch_size": 2}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [EOS, IM_END]}))
    if preferences:
        (folder / "saccade.json").write_text(json.dumps(preferences))
    return folder


def tokenizer() -> Tokenizer:
    """One token per byte, then the family's control tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: i for i, token in enumerate([*alphabet, *(f"unused {i}" for i in range(256, IMAGE))])}
    built = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    built.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    built.decoder = decoders.ByteLevel()
    special = (
        "<|image_pad|> <|video_pad|> <|vision_start|> <|vision_end|> <|endoftext|> <|im_end|> <|im_start|>"
    )
    built.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special.split()])
    plain = "<think> </think> <tool_call> </tool_call> <tool_response> </tool_response>"
    built.add_tokens([AddedToken(token, special=False, normalized=False) for token in plain.split()])
    assert built.token_to_id("<|image_pad|>") == IMAGE
    assert built.token_to_id("<|im_end|>") == IM_END
    return built


def picture_inputs(grids: list[tuple[int, int, int]], vision: dict, seed: int = 1) -> tuple[Tensor, Tensor]:
    """Random patches for grids (time, height, width) in patches."""
    generator = torch.Generator().manual_seed(seed)
    patches = sum(t * h * w for t, h, w in grids)
    width = 3 * vision["temporal_patch_size"] * vision["patch_size"] ** 2
    return torch.randn(patches, width, generator=generator), torch.tensor(grids).view(-1, 3)


def prompt(grids: list[tuple[int, int, int]], merge: int, text: int = 7, seed: int = 2) -> Tensor:
    """Ids [1, T]: text, then each image in its markers followed by more text."""
    parts: list[Part] = [text, *(part for grid in grids for part in (("image", grid), 5))]
    return torch.tensor([part_ids(parts, merge, seed)])


Grid = tuple[int, int, int]
Part = int | tuple[str, Grid]  # so many tokens of text, or ("image" | "video", grid)


def part_ids(parts: list[Part], merge: int, seed: int = 2) -> list[int]:
    """Text tokens at random; each frame of a video has its own markers, after three tokens for its time."""
    generator = torch.Generator().manual_seed(seed)
    ids: list[int] = []
    for part in parts:
        if isinstance(part, int):
            ids += torch.randint(0, 290, (part,), generator=generator).tolist()
            continue
        kind, (t, h, w) = part
        token, time = (IMAGE, []) if kind == "image" else (VIDEO, [60, 48, 62])
        frame = [*time, VISION_START, *[token] * (h * w // merge**2), VISION_END]
        ids += frame * t
    return ids


@dataclass
class Scene:
    """A prompt of text, pictures and videos, as the reference and as our network take it."""

    ids: Tensor  # [T]
    pixels: dict[str, list[Tensor]]  # "image" or "video" -> the patches of each
    order: list[tuple[str, Grid]]

    def grid(self, kind: str | None = None) -> Tensor:
        """[n, 3]: of the pictures, of the videos, or of both in reading order."""
        return torch.tensor([g for k, g in self.order if kind in (None, k)], dtype=torch.long).view(-1, 3)

    def in_order(self) -> list[Tensor]:
        """The patches of pictures and videos in reading order."""
        sources = {kind: iter(each) for kind, each in self.pixels.items()}
        return [next(sources[kind]) for kind, _ in self.order]


def scene(parts: list[Part], vision: dict, seed: int = 2) -> Scene:
    made = Scene(torch.tensor(part_ids(parts, vision["spatial_merge_size"], seed)), {}, [])
    for i, part in enumerate(parts):
        if not isinstance(part, int):
            made.order.append(part)
            made.pixels.setdefault(part[0], []).append(picture_inputs([part[1]], vision, seed + i)[0])
    return made


def reference_inputs(scenes: list[Scene]) -> dict[str, Tensor]:
    """The arguments of the reference for a batch of scenes, padded at the left."""
    length = max(len(each.ids) for each in scenes)
    rows = [torch.nn.functional.pad(each.ids, (length - len(each.ids), 0)) for each in scenes]
    real = [torch.arange(length) >= length - len(each.ids) for each in scenes]
    ids = torch.stack(rows)
    kinds = ((ids == IMAGE).int() + 2 * (ids == VIDEO).int()) * torch.stack(real)
    inputs = {"input_ids": ids, "attention_mask": torch.stack(real).long(), "mm_token_type_ids": kinds}
    for kind, pixels, grid in (
        ("image", "pixel_values", "image_grid_thw"),
        ("video", "pixel_values_videos", "video_grid_thw"),
    ):
        patches = [patch for each in scenes for patch in each.pixels.get(kind, [])]
        if patches:
            inputs |= {pixels: torch.cat(patches), grid: torch.cat([each.grid(kind) for each in scenes])}
    return inputs


def reference_logits(
    model: Any, ids: Tensor, pixels: Tensor | None = None, grid: Tensor | None = None
) -> Tensor:
    """[T, vocab] of the reference on one sequence."""
    pictures = {}
    if pixels is not None:
        kinds = (ids == IMAGE).int()
        pictures = {"pixel_values": pixels, "image_grid_thw": grid, "mm_token_type_ids": kinds}
    mask = torch.ones_like(ids)
    with torch.no_grad():
        return model(input_ids=ids, attention_mask=mask, use_cache=False, **pictures).logits[0]


def edit_json(path: Path, **changes: Any) -> None:
    """Set keys of a JSON file; a change to None removes the key."""
    raw = json.loads(path.read_text())
    raw.update(changes)
    path.write_text(json.dumps({key: value for key, value in raw.items() if value is not None}))
