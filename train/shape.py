"""The shapes of the built-in model that are tried against each other, and what follows from each.

A cell is one visual token: `patch` x `patch` CSS px, since a screenshot has one pixel per CSS px and patches are not
merged. Small cells read small text sooner; large ones cost less: attention in the encoder grows with the square of
their number.
"""

from dataclasses import dataclass

from tokenizers import Tokenizer

from .pages import HEIGHT, WIDTH

SLOT_PX = 4  # a letter of 10-13 px text is rarely narrower
CONTROL_NAMES = ("im_start", "im_end", "vision_start", "vision_end", "image_pad", "video_pad")


@dataclass(frozen=True)
class Shape:
    """`attention_at`: the decoder layers that are full attention, one in four. `looks`: which of these looks at the
    target while it is said where that is. Not in the last layer: one that finds the target leaves later ones the work
    of saying it. `deepstack`: two taps of the encoder into the decoder."""

    patch: int
    hidden: int = 256
    vision_depth: int = 6
    decoder_depth: int = 8
    attention_at: tuple[int, ...] = (2, 6)
    looks: int = -1
    deepstack: bool = True

    @property
    def looks_at(self) -> int:
        return self.attention_at[self.looks]

    @property
    def rows(self) -> int:
        return HEIGHT // self.patch

    @property
    def columns(self) -> int:
        return WIDTH // self.patch

    @property
    def cells(self) -> int:
        return self.rows * self.columns

    @property
    def slots(self) -> int:
        """Letters that a cell may hold side by side."""
        return self.patch // SLOT_PX

    def config(self, tokenizer: Tokenizer) -> dict:
        """`config.json`."""
        ids = {name: tokenizer.token_to_id(f"<|{name}|>") for name in CONTROL_NAMES}
        kinds = ("linear_attention", "full_attention")
        text = {
            "model_type": "qwen3_5_moe_text",
            "vocab_size": tokenizer.get_vocab_size(),
            "hidden_size": self.hidden,
            "num_hidden_layers": self.decoder_depth,
            "num_attention_heads": self.hidden // 64,
            "num_key_value_heads": 2,
            "head_dim": 64,
            "layer_types": [kinds[i in self.attention_at] for i in range(self.decoder_depth)],
            "linear_num_key_heads": self.hidden // 64,
            "linear_num_value_heads": self.hidden // 64,
            "linear_key_head_dim": 64,
            "linear_value_head_dim": 64,
            "linear_conv_kernel_dim": 4,
            "num_experts": 8,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 64,
            "shared_expert_intermediate_size": self.hidden,
            "mtp_num_hidden_layers": 1,
            "rms_norm_eps": 1e-6,
            "hidden_act": "silu",
            "attention_bias": False,
            "attn_output_gate": True,
            "max_position_embeddings": 8192,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "partial_rotary_factor": 0.5,
                "mrope_section": [6, 5, 5],
                "mrope_interleaved": True,
            },
            "tie_word_embeddings": True,
            "eos_token_id": ids["im_end"],
        }
        vision = {
            "model_type": "qwen3_5_moe_vision",
            "depth": self.vision_depth,
            "hidden_size": self.hidden,
            "intermediate_size": 3 * self.hidden,
            "num_heads": self.hidden // 64,
            "patch_size": self.patch,
            "temporal_patch_size": 2,
            "spatial_merge_size": 1,
            "out_hidden_size": self.hidden,
            "num_position_embeddings": 2304,
            "in_channels": 3,
            "deepstack_visual_indexes": [self.vision_depth * k // 3 - 1 for k in (1, 2) if self.deepstack],
            "hidden_act": "gelu_pytorch_tanh",
        }
        return {
            "model_type": "qwen3_5_moe",
            "architectures": ["Qwen3_5MoeForConditionalGeneration"],
            "text_config": text,
            "vision_config": vision,
            "image_token_id": ids["image_pad"],
            "video_token_id": ids["video_pad"],
            "vision_start_token_id": ids["vision_start"],
            "vision_end_token_id": ids["vision_end"],
            "tie_word_embeddings": True,
            "dtype": "bfloat16",
        }

    def preprocessor(self) -> dict:
        """`preprocessor_config.json`."""
        return {
            "image_processor_type": "Qwen2VLImageProcessorFast",
            "patch_size": self.patch,
            "temporal_patch_size": 2,
            "merge_size": 1,
            "size": {"shortest_edge": 64 * 64, "longest_edge": WIDTH * HEIGHT},
            "image_mean": [0.5, 0.5, 0.5],
            "image_std": [0.5, 0.5, 0.5],
        }


SHAPES = {
    "p8": Shape(8),
    "p8-late": Shape(8, attention_at=(3, 7)),  # the first checkpoint
    "p10": Shape(10),
    "p10-deep": Shape(10, decoder_depth=12, attention_at=(2, 6, 10), looks=1),  # p10, grown
    "p12": Shape(12),
    "p12-wide": Shape(12, hidden=384),
    "trial": Shape(
        20, hidden=128, vision_depth=3, decoder_depth=4, attention_at=(2,)
    ),  # sees little; for tests
}
