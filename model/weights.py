"""Weights in the official layout: a table of (checkpoint name, our tensor), streamed tensor by tensor.

Afterwards nothing is missing, nothing is unused, every shape is equal and every value finite, or loading
fails and names the tensor. Reads and writes safetensors only; nothing here can run code from a file.
"""

import json
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..errors import CheckpointError
from .config import ModelConfig
from .vlm import VisionLanguageModel

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
FLOATS = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
FUSED_EXPERTS = re.compile(r"mlp\.experts\.(gate_up_proj|down_proj)$")


def load_model(
    folder: str | Path, device: str | torch.device = "cpu", dtype: torch.dtype | None = None
) -> VisionLanguageModel:
    """The network of the checkpoint in `folder`, in evaluation mode, without gradients.

    `dtype` None keeps the checkpoint's own. Raises CheckpointError: missing files, unsupported config,
    tensors that are missing, unused, misshapen or not finite.
    """
    folder = Path(folder)
    config = ModelConfig.from_pretrained(folder)
    with Checkpoint(folder) as checkpoint:
        if not any(name.startswith("mtp.") for name in checkpoint.names):
            config = replace(config, text=replace(config.text, mtp_num_hidden_layers=0))
        model = empty_model(
            config, device, dtype or checkpoint.dtype(_official("language_model.embed_tokens.weight"))
        )
        fill(model, checkpoint)
    return model.eval().requires_grad_(False)


def empty_model(config: ModelConfig, device: str | torch.device, dtype: torch.dtype) -> VisionLanguageModel:
    """The network with uninitialised parameters: no random numbers that a checkpoint would replace."""
    with torch.device("meta"):
        model = VisionLanguageModel(config)
    return model._apply(
        lambda t: torch.empty_like(t, dtype=dtype, device=device) if t.is_meta else t.to(device)
    )


def fill(model: VisionLanguageModel, checkpoint: "Checkpoint") -> None:
    """Copy every tensor of the checkpoint to its place; raises CheckpointError unless both sides match."""
    slots = list(name_table(model, checkpoint))
    _reject_leftovers(slots, checkpoint, model)
    with torch.no_grad():
        for slot in slots:
            tensor = checkpoint.read(slot.name, slot.shape)
            slot.target.copy_(tensor.mT if slot.transposed else tensor)


@dataclass(frozen=True)
class Slot:
    """One row of the table: a tensor of the checkpoint and where it goes (a parameter or a view of one)."""

    name: str
    target: Tensor
    transposed: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.target.mT.shape if self.transposed else self.target.shape)


def name_table(model: VisionLanguageModel, checkpoint: "Checkpoint") -> Iterator[Slot]:
    """Nearly the identity; only the experts come in more than one layout."""
    for ours, parameter in model.named_parameters():
        name = _official(ours)
        if not FUSED_EXPERTS.search(name):
            yield Slot(name, parameter)
        elif f"{name.rpartition('.')[0]}.0.down_proj.weight" in checkpoint.names:
            yield from _per_expert(name, parameter)
        else:
            yield Slot(name, parameter, _is_transposed(name, model.config, checkpoint))


def _official(ours: str) -> str:
    return f"model.{ours}" if ours.startswith(("language_model.", "visual.")) else ours


def _per_expert(name: str, parameter: Tensor) -> Iterator[Slot]:
    """experts.N.{gate,up,down}_proj.weight, as views of the fused tensors."""
    prefix, _, kind = name.rpartition(".")
    for expert, matrix in enumerate(parameter.detach()):
        if kind == "down_proj":
            yield Slot(f"{prefix}.{expert}.down_proj.weight", matrix)
        else:
            gate, up = matrix.chunk(2)
            yield Slot(f"{prefix}.{expert}.gate_proj.weight", gate)
            yield Slot(f"{prefix}.{expert}.up_proj.weight", up)


def _is_transposed(name: str, config: ModelConfig, checkpoint: "Checkpoint") -> bool:
    """Qwen3-VL-MoE is published as [E, D, 2I] and [E, I, D]; `transformers` 5 saves [E, 2I, D] and [E, D, I].

    The two shapes together tell the layouts apart, whatever D and I are.
    """
    if config.model_type != "qwen3_vl_moe":
        return False
    prefix, text = name.rpartition(".")[0], config.text
    experts, dim, width = text.num_experts, text.hidden_size, text.moe_intermediate_size
    straight = {
        f"{prefix}.gate_up_proj": (experts, 2 * width, dim),
        f"{prefix}.down_proj": (experts, dim, width),
    }
    return any(checkpoint.shape(tensor) != shape for tensor, shape in straight.items())


def _reject_leftovers(slots: list[Slot], checkpoint: "Checkpoint", model: VisionLanguageModel) -> None:
    wanted = {slot.name for slot in slots}
    missing, unused = sorted(wanted - checkpoint.names), sorted(checkpoint.names - wanted)
    if model.lm_head is None and "lm_head.weight" in unused:
        unused.remove("lm_head.weight")
        _check_tied(checkpoint)
    if missing:
        raise CheckpointError(
            f"{checkpoint.folder}: tensor {_some(missing)} is missing: download the checkpoint again"
        )
    if unused:
        raise CheckpointError(
            f"{checkpoint.folder}: tensor {_some(unused)} is no part of the model in config.json: "
            "check that config.json and the weights belong together"
        )


def _check_tied(checkpoint: "Checkpoint") -> None:
    """A head that is stored although config.json ties it must equal the embedding."""
    head, embedding = (
        checkpoint.read(name) for name in ("lm_head.weight", _official("language_model.embed_tokens.weight"))
    )
    if head.shape != embedding.shape or not torch.equal(head, embedding):
        raise CheckpointError(
            f"{checkpoint.folder}: lm_head.weight differs from the embedding, but config.json ties them: "
            "set tie_word_embeddings to false"
        )


def _some(names: list[str]) -> str:
    return names[0] + (f" (and {len(names) - 1} more)" if len(names) > 1 else "")


class Checkpoint:
    """The safetensors files of a folder, opened together; a context manager."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._stack = ExitStack()
        self._files: dict[str, Any] = {}

    def __enter__(self) -> "Checkpoint":
        with self._stack as stack:
            for path in _weight_files(self.folder):
                file = stack.enter_context(_open(path))
                self._files |= dict.fromkeys(file.keys(), (path, file))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @property
    def names(self) -> set[str]:
        return set(self._files)

    def shape(self, name: str) -> tuple[int, ...] | None:
        """The stored shape, or None when there is no such tensor."""
        return tuple(self._files[name][1].get_slice(name).get_shape()) if name in self._files else None

    def dtype(self, name: str) -> torch.dtype:
        if name not in self._files:
            raise CheckpointError(f"{self.folder}: tensor {name} is missing: download the checkpoint again")
        path, file = self._files[name]
        stored = file.get_slice(name).get_dtype()
        if stored not in FLOATS:
            raise CheckpointError(
                f"{path}: tensor {name} is stored as {stored}: use a checkpoint in {', '.join(FLOATS)}"
            )
        return FLOATS[stored]

    def read(self, name: str, shape: tuple[int, ...] | None = None) -> Tensor:
        """The tensor, on the CPU, checked: its shape (when given), a float type, finite values."""
        path, file = self._files[name]
        self.dtype(name)
        if shape is not None and self.shape(name) != shape:
            found = list(self.shape(name) or ())
            raise CheckpointError(
                f"{path}: tensor {name} has shape {found}, config.json asks for {list(shape)}: "
                "check that config.json and the weights belong together"
            )
        tensor = file.get_tensor(name)
        if not torch.isfinite(tensor).all():
            raise CheckpointError(f"{path}: tensor {name} holds NaN or infinity: download the file again")
        return tensor


def _weight_files(folder: Path) -> list[Path]:
    if (folder / SINGLE).is_file():
        return [folder / SINGLE]
    index = folder / INDEX
    if not index.is_file():
        raise CheckpointError(
            f"no {SINGLE} and no {INDEX} in {folder}: download the checkpoint's safetensors files"
        )
    try:
        weight_map = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        shards = sorted(set(weight_map.values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{index} cannot be read ({error!r}): download the file again") from None
    if any(not isinstance(shard, str) or Path(shard).name != shard for shard in shards):
        raise CheckpointError(f"{index} names files outside its folder: download the file again")
    missing = [shard for shard in shards if not (folder / shard).is_file()]
    if missing:
        raise CheckpointError(f"{folder}: shard {_some(missing)} is missing: download it again")
    return [folder / shard for shard in shards]


def _open(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is truncated or corrupt ({error}): download the file again") from None


def save_model(model: VisionLanguageModel, folder: str | Path, max_shard_bytes: int = 5_000_000_000) -> None:
    """Write config.json and safetensors in the official layout, which `transformers` and `load_model` read.

    Files appear under their names only when complete; weights of an earlier save in `folder` are removed.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    shards = _shards(model, max_shard_bytes)
    files = (
        [SINGLE]
        if len(shards) == 1
        else [f"model-{i + 1:05}-of-{len(shards):05}.safetensors" for i in range(len(shards))]
    )
    for file, shard in zip(files, shards, strict=True):
        tensors = {name: _stored(name, t, model.config).cpu().contiguous() for name, t in shard.items()}
        save_file(tensors, folder / f"{file}.part", metadata={"format": "pt"})
    for old in [*folder.glob("model*.safetensors"), folder / INDEX]:
        old.unlink(missing_ok=True)
    for file in files:
        os.replace(folder / f"{file}.part", folder / file)
    if len(shards) > 1:
        weight_map = {name: file for file, shard in zip(files, shards, strict=True) for name in shard}
        size = sum(t.nbytes for shard in shards for t in shard.values())
        _write_json(folder / INDEX, {"metadata": {"total_size": size}, "weight_map": weight_map})
    dtype = str(model.language_model.embed_tokens.weight.dtype).removeprefix("torch.")
    _write_json(folder / "config.json", {**model.config.to_dict(), "dtype": dtype})


def _shards(model: VisionLanguageModel, max_bytes: int) -> list[dict[str, Tensor]]:
    shards: list[dict[str, Tensor]] = [{}]
    size = 0
    for ours, parameter in model.named_parameters():
        if size and size + parameter.nbytes > max_bytes:
            shards.append({})
            size = 0
        shards[-1][_official(ours)] = parameter.detach()
        size += parameter.nbytes
    return shards


def _stored(name: str, tensor: Tensor, config: ModelConfig) -> Tensor:
    transposed = config.model_type == "qwen3_vl_moe" and FUSED_EXPERTS.search(name)
    return tensor.mT if transposed else tensor


def _write_json(path: Path, value: Any) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    os.replace(part, path)
