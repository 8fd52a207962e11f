"""Turns trained shards into the checkpoint that ships: `python -m train.export SHARDS [--to model/builtin]`.

Writes the official layout: config.json, model.safetensors (bf16), tokenizer.json, chat_template.jinja,
preprocessor_config.json, generation_config.json, and saccade.json (what the agent should know of this model); the
heads that only training uses go to train/heads.safetensors, so that training can go on from what shipped.
"""

import argparse
import json
from pathlib import Path

import torch
from saccade.model.weights import save_model
from safetensors.torch import save_file

from .ablation import PARTS, shape_without
from .model import Trainee
from .pages import HEIGHT, WIDTH
from .shape import SHAPES, Shape
from .tokenizer import make_tokenizer, write_tokenizer
from .weights import HEADS, load_checkpoint, load_shards


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shards", type=Path, help="folder with weights-*.safetensors")
    parser.add_argument("--shape", choices=SHAPES, default="p10", help="as it was given to train.train")
    parser.add_argument("--without", choices=PARTS, nargs="*", default=(), help="as it was given there")
    parser.add_argument("--to", type=Path, default=Path(__file__).parent.parent / "model" / "builtin")
    parser.add_argument(
        "--middle",
        type=Path,
        help="a checkpoint that the training began from: what ships is the mean of both",
    )
    args = parser.parse_args()
    export(args.shards, shape_without(SHAPES[args.shape], args.without), args.to, args.middle)
    print(f"wrote {args.to}: {sum(f.stat().st_size for f in args.to.iterdir()) / 2**20:.1f} MiB")


def export(shards: Path, shape: Shape, folder: Path, middle: Path | None = None) -> None:
    """`middle`: a checkpoint in the official layout whose heads are still those beside this file. Each weight is then
    the mean of both, which after a fine-tuning keeps more of what was known before (Wortsman et al. 2022, WiSE-FT)."""
    tokenizer = make_tokenizer()
    trainee = Trainee(tokenizer, shape)
    if middle:
        if fresh := load_checkpoint(middle, trainee):
            raise SystemExit(f"{middle} has another shape: {', '.join(fresh)}")
        before = {name: tensor.clone() for name, tensor in trainee.state_dict().items()}
        after = load_shards(shards)
        trainee.load_state_dict({name: (before[name] + after[name]) / 2 for name in before})
    else:
        trainee.load_state_dict(load_shards(shards))
    folder.mkdir(parents=True, exist_ok=True)
    write_tokenizer(folder)
    heads = {k: v.bfloat16() for k, v in trainee.state_dict().items() if not k.startswith("model.")}
    save_file(heads, HEADS)
    save_model(trainee.model.to(torch.bfloat16), folder)
    write_json(folder / "config.json", shape.config(tokenizer))
    write_json(folder / "preprocessor_config.json", shape.preprocessor())
    end = [tokenizer.token_to_id("<|im_end|>"), tokenizer.token_to_id("<|endoftext|>")]
    write_json(folder / "generation_config.json", {"do_sample": False, "eos_token_id": end})
    wants = {"viewport": [WIDTH, HEIGHT], "memory": "snapshot", "thinking": "deep", "quotes_task": True}
    write_json(folder / "saccade.json", wants)


def write_json(path: Path, value: dict) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
