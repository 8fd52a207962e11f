"""The checkpoint that both sides of a comparison load: 18 M random parameters, saved by `transformers`.

Hidden 256, 8 layers (3 DeltaNet to 1 attention), 8 experts of which 2 are chosen, a vision encoder of depth
6; tokenizer and chat template are those of the built-in model.
"""

import json
import shutil
from pathlib import Path

import torch
from saccade.model.hub import BUILTIN

VISION = {
    "depth": 6, "hidden_size": 256, "intermediate_size": 1024, "num_heads": 4, "patch_size": 16,
    "temporal_patch_size": 2, "spatial_merge_size": 2, "out_hidden_size": 256,
    "num_position_embeddings": 2304,
}  # fmt: skip
TEXT = {"moe_intermediate_size": 128, "max_position_embeddings": 65536, "mtp_num_hidden_layers": 0}


def make_checkpoint(folder: Path, text: dict | None = None, vision: dict | None = None) -> Path:
    """Write it to `folder`. `text`, `vision`: keys of the configs that differ."""
    import transformers

    raw = json.loads((BUILTIN / "config.json").read_text("utf-8"))
    special = {key: value for key, value in raw.items() if key.endswith("_token_id")}
    config = transformers.Qwen3_5MoeConfig(
        text_config={**raw["text_config"], **TEXT, **(text or {}), "tie_word_embeddings": True},
        vision_config={**VISION, **(vision or {})},
        tie_word_embeddings=True,
        **special,
    )
    torch.manual_seed(0)
    model = transformers.Qwen3_5MoeForConditionalGeneration(config).float().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=parameter[0].numel() ** -0.5)
            if name.endswith("dt_bias"):
                parameter.sub_(5)  # heads remember, as trained ones do
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "chat_template.jinja"):
        shutil.copy(BUILTIN / name, folder)
    processor = {"patch_size": 16, "merge_size": 2, "temporal_patch_size": 2}
    processor |= {"size": {"shortest_edge": 1024, "longest_edge": 16777216}}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    end = raw["text_config"]["eos_token_id"]
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": end}))
    return folder
