"""Weights between training and the official layout: shards that come home, and starts from what shipped."""

import re
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

from .model import OUTPUTS, Trainee
from .tokenizer import make_tokenizer

SHARD_BYTES = 15 << 20
HEADS = Path(__file__).with_name("heads.safetensors")  # the heads that only training uses
EMBEDDING = "model.language_model.embed_tokens.weight"
PATCHES = "model.visual.patch_embed.proj.weight"
LAYER = re.compile(r"(model\.language_model\.layers\.)(\d+)(\..*)")


def save_shards(trainee: Trainee, folder: Path) -> None:
    """weights-00.safetensors, ...: everything in bf16, at most SHARD_BYTES each."""
    shards: list[dict[str, Tensor]] = [{}]
    size = 0
    for name, tensor in trainee.state_dict().items():
        narrow = tensor.to("cpu", torch.bfloat16).contiguous()
        if size + 2 * narrow.numel() > SHARD_BYTES:
            shards.append({})
            size = 0
        shards[-1][name] = narrow
        size += 2 * narrow.numel()
    for i, shard in enumerate(shards):
        save_file(shard, folder / f"weights-{i:02}.safetensors")


def load_shards(folder: Path) -> dict[str, Tensor]:
    """Everything in weights-*.safetensors, in fp32."""
    files = sorted(folder.glob("weights-*.safetensors"))
    if not files:
        raise SystemExit(f"no weights-*.safetensors in {folder}: name the folder that train.train wrote")
    return {name: tensor.float() for file in files for name, tensor in load_file(file).items()}


def load_checkpoint(folder: Path, trainee: Trainee) -> list[str]:
    """Start from a checkpoint in the official layout and the heads beside this file, whatever its shape was.

    A vocabulary that has grown keeps its old rows, matched by text; a new token starts as the mean of what spelled
    it before. Layers are matched by kind, in order; further ones start as the last of their kind but add nothing to the
    stream yet, so that a deeper network begins as the one it grew from. Patches of another size are resampled. What fits
    nowhere starts fresh; its names are returned.
    """
    stored = {
        k if k.startswith("model.") else f"model.{k}": v
        for k, v in load_file(folder / "model.safetensors").items()
    }
    weights = _by_kind({k: v.float() for k, v in (stored | load_file(HEADS)).items()}, trainee)
    ours = trainee.state_dict()
    weights[EMBEDDING] = _match_rows(
        weights[EMBEDDING], ours[EMBEDDING], Tokenizer.from_file(str(folder / "tokenizer.json"))
    )
    kernel = F.interpolate(weights[PATCHES].flatten(1, 2), ours[PATCHES].shape[-2:], mode="bilinear")
    area = weights[PATCHES].shape[-1] ** 2 / kernel.shape[-1] ** 2
    weights[PATCHES] = kernel.view(ours[PATCHES].shape) * area
    fitting = {k: v for k, v in weights.items() if k in ours and v.shape == ours[k].shape}
    fresh = sorted(ours.keys() - fitting.keys())
    print(f"from {folder}: {len(fitting)} of {len(ours)} tensors; fresh: {fresh}")
    trainee.load_state_dict(ours | fitting)
    return fresh


def _match_rows(rows: Tensor, ours: Tensor, before: Tokenizer) -> Tensor:
    matched = ours.cpu().clone()
    for token, index in make_tokenizer().get_vocab().items():
        known = before.token_to_id(token)
        spelled = before.encode(token).ids if known is None else [known]
        matched[index] = rows[spelled].mean(0)
    return matched


def _by_kind(weights: dict[str, Tensor], trainee: Trainee) -> dict[str, Tensor]:
    """Renumbers the decoder's layers: the nth DeltaNet layer stays the nth DeltaNet layer, and so for attention. Where
    ours are more, the further ones copy the last."""
    found = {
        int(m[2]): "self_attn" in name
        for name in weights
        if (m := LAYER.fullmatch(name)) and ("self_attn" in name or "linear_attn" in name)
    }
    ours = [i in trainee.shape.attention_at for i in range(trainee.shape.decoder_depth)]
    place: dict[int, list[int]] = {}
    grown: set[int] = set()
    for kind in (False, True):
        before = [i for i in sorted(found) if found[i] is kind]
        after = [i for i, is_attention in enumerate(ours) if is_attention is kind]
        for old, new in zip(before, after, strict=False):
            place.setdefault(old, []).append(new)
        more = after[len(before) :] if before else []
        for i, new in enumerate(more):
            place[before[(i - len(more)) % len(before)]].append(new)
            grown.add(new)
    moved = {}
    for name, tensor in weights.items():
        layer = LAYER.fullmatch(name)
        if not layer:
            moved[name] = tensor
            continue
        for new in place.get(int(layer[2]), []):
            silent = new in grown and name.endswith(OUTPUTS)
            moved[f"{layer[1]}{new}{layer[3]}"] = torch.zeros_like(tensor) if silent else tensor
    return moved
