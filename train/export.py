"""Turns trained shards into the checkpoint that ships: `python -m train.export SHARDS [--to model/builtin]`.

Writes the official layout: config.json, model.safetensors (bf16), tokenizer.json, chat_template.jinja,
preprocessor_config.json, generation_config.json, and saccade.json (what the agent should know of this model); the
heads that only training uses go to train/heads.safetensors, so that training can go on from what shipped.
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from saccade.model.weights import save_model

from .model import Trainee, config_dict
from .pages import HEIGHT, WIDTH
from .render import CELL
from .tokenizer import write_tokenizer
from .train import HEADS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shards", type=Path, help="folder with weights-*.safetensors")
    parser.add_argument("--to", type=Path, default=Path(__file__).parent.parent / "model" / "builtin")
    args = parser.parse_args()
    export(args.shards, args.to)
    print(f"wrote {args.to}: {sum(f.stat().st_size for f in args.to.iterdir()) / 2**20:.1f} MiB")


def export(shards: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = write_tokenizer(folder)
    trainee = Trainee(tokenizer)
    trainee.load_state_dict(load_shards(shards))
    heads = {k: v.bfloat16() for k, v in trainee.state_dict().items() if not k.startswith("model.")}
    save_file(heads, HEADS)
    save_model(trainee.model.to(torch.bfloat16), folder)
    write_json(folder / "config.json", config_dict(tokenizer))
    write_json(folder / "preprocessor_config.json", PREPROCESSOR)
    end = [tokenizer.token_to_id("<|im_end|>"), tokenizer.token_to_id("<|endoftext|>")]
    write_json(folder / "generation_config.json", {"do_sample": False, "eos_token_id": end})
    write_json(
        folder / "saccade.json", {"viewport": [WIDTH, HEIGHT], "memory": "snapshot", "thinking": "deep"}
    )


PREPROCESSOR = {
    "image_processor_type": "Qwen2VLImageProcessorFast",
    "patch_size": CELL,
    "temporal_patch_size": 2,
    "merge_size": 1,
    "size": {"shortest_edge": 64 * 64, "longest_edge": WIDTH * HEIGHT},
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}


def load_shards(folder: Path) -> dict[str, torch.Tensor]:
    """Everything in weights-*.safetensors, in fp32."""
    files = sorted(folder.glob("weights-*.safetensors"))
    if not files:
        raise SystemExit(f"no weights-*.safetensors in {folder}: name the folder that train.train wrote")
    return {name: tensor.float() for file in files for name, tensor in load_file(file).items()}


def write_json(path: Path, value: dict) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
