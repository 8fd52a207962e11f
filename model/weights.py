"""Weights in the official layout: a table of (checkpoint name, our tensor), streamed tensor by tensor.

Afterwards nothing is missing, nothing is unused, every shape is equal and every value finite, or loading
fails and names the tensor. Block FP8 becomes the chosen dtype on the way, or stays as it is; wide
weights become integers or FP8, on demand.
"""

import json
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..errors import CheckpointError
from .checkpoint import INDEX, SINGLE, Checkpoint, some
from .config import ModelConfig
from .hub import find_checkpoint
from .kernels.packed import dequantise, is_finite
from .quantise import Kind, QuantisedWeight, make_quantised
from .vlm import VisionLanguageModel

FLOATS = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
FP8 = "F8_E4M3"
EMBEDDING = "model.language_model.embed_tokens.weight"
FUSED_EXPERTS = re.compile(r"mlp\.experts\.(gate_up_proj|down_proj)$")
BAR_FROM_BYTES = 2**30


def load_model(
    path: str | Path, device: str | torch.device = "cpu", dtype: torch.dtype | None = None,
    quantise: Kind | None = None,
) -> VisionLanguageModel:  # fmt: skip
    """The network of a checkpoint (folder, hub id or "builtin"), in evaluation mode, without gradients.

    `dtype` None keeps the checkpoint's own. `quantise` "int8" or "int4" keeps the large matrices as integers,
    "fp8" as e4m3 with a scale for each block: those of an official FP8 checkpoint exactly, which is widened
    otherwise. Raises CheckpointError: missing files, unsupported config, tensors that are missing, unused,
    misshapen or not finite.
    """
    folder = find_checkpoint(path)
    config, checkpoint = ModelConfig.from_pretrained(folder), Checkpoint(folder)
    if not any(name.startswith("mtp.") for name in checkpoint.names):
        config = replace(config, text=replace(config.text, mtp_num_hidden_layers=0))
    embedding = checkpoint.stored.get(EMBEDDING)
    dtype = dtype or FLOATS.get(embedding.dtype if embedding else "", torch.bfloat16)
    model = empty_model(config, device, dtype, quantise)
    fill(model, checkpoint)
    model.config = replace(config, quantization_config=None)
    return model.eval().requires_grad_(False)


def empty_model(
    config: ModelConfig, device: str | torch.device, dtype: torch.dtype, quantise: Kind | None = None
) -> VisionLanguageModel:
    """The network with uninitialised parameters: no random numbers that a checkpoint would replace."""
    with torch.device("meta"), _Unfilled():
        model = VisionLanguageModel(config)
        if quantise:
            official = config.quantization_config
            make_quantised(model, quantise, dtype, official.block if official else (128, 128))

    def materialise(t: Tensor) -> Tensor:
        if not t.is_meta:
            return t.to(device)
        return torch.empty(t.shape, device=device, dtype=dtype if isinstance(t, nn.Parameter) else t.dtype)

    return model._apply(materialise)


class _Unfilled(TorchFunctionMode):
    """Leaves new parameters as they are: drawing numbers on "meta" would load torch's compiler, in 1.5 s."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__module__", None) == nn.init.__name__:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def fill(model: VisionLanguageModel, checkpoint: Checkpoint) -> None:
    """Copy every tensor of the checkpoint to its place; raises CheckpointError unless both sides match."""
    slots = sorted(name_table(model, checkpoint), key=lambda slot: _file_order(slot.name, checkpoint))
    _reject_leftovers(slots, checkpoint, model)
    with torch.no_grad():
        for slot in _with_bar(slots, checkpoint):
            _check_stored(slot, checkpoint, model.config)
            if not _fill(slot, checkpoint, model.config):
                raise CheckpointError(
                    f"{checkpoint.stored[slot.name].path}: tensor {slot.name} holds NaN, infinity or a "
                    "number that its new format does not reach: download the file again, or load it wider"
                )


def _fill(slot: "Slot", checkpoint: Checkpoint, config: ModelConfig) -> bool:
    """Whether what it holds is finite."""
    tensor, fp8 = checkpoint.read(slot.name), config.quantization_config
    if fp8 is None or checkpoint.stored[slot.name].dtype != FP8:
        return slot.fill(tensor)
    scale_inv = checkpoint.read(_scale(slot.name))
    if isinstance(slot.target, QuantisedWeight) and slot.target.low is None:
        return slot.keep(slot.target, tensor, scale_inv, fp8.block)
    tensor, scale_inv = tensor.to(slot.device), scale_inv.to(slot.device)  # a GPU takes the narrow tensor
    return slot.fill(dequantise(tensor, scale_inv, fp8.block, slot.target.dtype))


@dataclass(frozen=True)
class Slot:
    """One row of the table: a tensor of the checkpoint and where it goes, a weight or a part of one."""

    name: str
    target: Tensor | QuantisedWeight
    index: tuple[int | slice, ...] = ()
    transposed: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        shape = torch.empty(self.target.shape, device="meta")[self.index].shape
        return (*shape[:-2], shape[-1], shape[-2]) if self.transposed else tuple(shape)

    @property
    def device(self) -> torch.device:
        return self.target.device if isinstance(self.target, Tensor) else self.target.codes.device

    def fill(self, tensor: Tensor) -> bool:
        """Copy it into its place; False if not all values are finite there."""
        tensor = tensor.mT if self.transposed else tensor
        if isinstance(self.target, QuantisedWeight):
            return self.target.store(tensor, self.index)
        part = self.target[self.index]
        part.copy_(tensor)
        return is_finite(part)

    def keep(self, target: QuantisedWeight, codes: Tensor, scale_inv: Tensor, block: tuple[int, int]) -> bool:
        """Copy FP8 as it is stored; False if not all values are finite."""
        if not self.transposed:
            return target.keep(codes, scale_inv, block[0], self.index)
        if block[0] != block[1]:
            raise CheckpointError(f"{self.name}: oblong blocks cannot be kept, load it without quantise")
        return target.keep(codes.mT, scale_inv.mT, block[0], self.index)


def name_table(model: VisionLanguageModel, checkpoint: Checkpoint) -> Iterator[Slot]:
    """Nearly the identity; only the experts come in more than one layout."""
    for ours, target in [*model.named_parameters(), *_quantised(model)]:
        name = _official(ours)
        if not FUSED_EXPERTS.search(name):
            yield Slot(name, target)
        elif f"{name.rpartition('.')[0]}.0.down_proj.weight" in checkpoint.names:
            yield from _per_expert(name, target)
        else:
            yield Slot(name, target, transposed=_is_transposed(name, model.config, checkpoint))


def _quantised(model: VisionLanguageModel) -> Iterator[tuple[str, QuantisedWeight]]:
    return ((name, module) for name, module in model.named_modules() if isinstance(module, QuantisedWeight))


def _official(ours: str) -> str:
    return f"model.{ours}" if ours.startswith(("language_model.", "visual.")) else ours


def _per_expert(name: str, target: Tensor | QuantisedWeight) -> Iterator[Slot]:
    """experts.N.{gate,up,down}_proj.weight, as parts of the fused tensors."""
    prefix, _, kind = name.rpartition(".")
    experts, rows, _ = target.shape
    halves = {"gate_proj": slice(rows // 2), "up_proj": slice(rows // 2, rows)}
    parts = {"down_proj": slice(rows)} if kind == "down_proj" else halves
    for expert in range(experts):
        for part, span in parts.items():
            yield Slot(f"{prefix}.{expert}.{part}.weight", target, (expert, span))


def _is_transposed(name: str, config: ModelConfig, checkpoint: Checkpoint) -> bool:
    """Qwen3-VL-MoE is published as [E, D, 2I] and [E, I, D]; `transformers` 5 saves [E, 2I, D] and [E, D, I].

    The two shapes together tell the layouts apart, whatever D and I are.
    """
    if config.model_type != "qwen3_vl_moe":
        return False
    prefix, text = name.rpartition(".")[0], config.text
    experts, dim, width = text.num_experts, text.hidden_size, text.moe_intermediate_size
    straight = {"gate_up_proj": (experts, 2 * width, dim), "down_proj": (experts, dim, width)}
    stored = {kind: checkpoint.stored.get(f"{prefix}.{kind}") for kind in straight}
    return any((it := stored[kind]) is None or it.shape != shape for kind, shape in straight.items())


def _reject_leftovers(slots: list[Slot], checkpoint: Checkpoint, model: VisionLanguageModel) -> None:
    wanted = {slot.name for slot in slots}
    stored = {name for name in wanted & checkpoint.names if checkpoint.stored[name].dtype == FP8}
    wanted |= {_scale(name) for name in stored if model.config.quantization_config}
    missing, unused = wanted - checkpoint.names, checkpoint.names - wanted
    if model.lm_head is None and "lm_head.weight" in unused:
        unused.remove("lm_head.weight")
        _check_tied(checkpoint)
    if missing:
        raise CheckpointError(
            f"{checkpoint.folder}: tensor {some(missing)} is missing: download the checkpoint again"
        )
    if unused:
        raise CheckpointError(
            f"{checkpoint.folder}: tensor {some(unused)} is no part of the model in config.json: "
            "check that config.json and the weights belong together"
        )


def _check_tied(checkpoint: Checkpoint) -> None:
    """A head that is stored although config.json ties it must equal the embedding."""
    if EMBEDDING in checkpoint.names:
        embedding, head = checkpoint.read(EMBEDDING), checkpoint.read("lm_head.weight")
        if head.shape == embedding.shape and torch.equal(head, embedding):
            return
    raise CheckpointError(
        f"{checkpoint.folder}: lm_head.weight differs from the embedding, but config.json ties them: "
        "set tie_word_embeddings to false"
    )


def _check_stored(slot: Slot, checkpoint: Checkpoint, config: ModelConfig) -> None:
    """The shape that config.json asks for, in a number format that it allows; likewise an FP8 scale."""
    entry, fp8 = checkpoint.stored[slot.name], config.quantization_config
    if entry.shape != slot.shape:
        raise CheckpointError(_misfit(entry.path, slot.name, entry.shape, slot.shape))
    if entry.dtype in FLOATS:
        return
    module = slot.name.removesuffix(".weight")
    if entry.dtype != FP8 or fp8 is None or len(entry.shape) < 2 or not fp8.covers(module):
        raise CheckpointError(
            f"{entry.path}: tensor {slot.name} is stored as {entry.dtype}, which config.json does not "
            f"announce: use a checkpoint in {', '.join(FLOATS)} or official block FP8"
        )
    scale = checkpoint.stored[_scale(slot.name)]
    *stack, rows, columns = entry.shape
    blocks = (*stack, math.ceil(rows / fp8.block[0]), math.ceil(columns / fp8.block[1]))
    if scale.shape != blocks:
        raise CheckpointError(_misfit(scale.path, _scale(slot.name), scale.shape, blocks))
    if scale.dtype not in FLOATS:
        raise CheckpointError(
            f"{scale.path}: tensor {_scale(slot.name)} is stored as {scale.dtype}: use float scales"
        )


def _misfit(path: Path, name: str, found: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    return (
        f"{path}: tensor {name} has shape {list(found)}, config.json asks for {list(wanted)}: "
        "check that config.json and the weights belong together"
    )


def _scale(name: str) -> str:
    return f"{name}_scale_inv"


def _file_order(name: str, checkpoint: Checkpoint) -> str:
    return str(checkpoint.stored[name].path) if name in checkpoint.names else ""


def _with_bar(slots: list[Slot], checkpoint: Checkpoint) -> Iterator[Slot]:
    """The slots, behind a progress bar where a person waits for many bytes."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    sizes = [math.prod(slot.shape) * slot.target.dtype.itemsize for slot in slots]
    console = Console(stderr=True)
    columns = (TextColumn("Loading weights"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    hidden = sum(sizes) < BAR_FROM_BYTES or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task("", total=sum(sizes))
        for slot, size in zip(slots, sizes, strict=True):
            yield slot
            bar.advance(task, size)


def save_model(model: VisionLanguageModel, folder: str | Path, max_shard_bytes: int = 5_000_000_000) -> None:
    """Write config.json and safetensors in the official layout, which `transformers` and `load_model` read.

    Files appear under their names only when complete; weights of an earlier save in `folder` are removed.
    Raises CheckpointError for a quantised model: what it was made from is gone.
    """
    if any(_quantised(model)):
        raise CheckpointError("a quantised model cannot be exported: load it without quantise")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    shards = _shards(model, max_shard_bytes)
    files = [f"model-{i + 1:05}-of-{len(shards):05}.safetensors" for i in range(len(shards))]
    files = [SINGLE] if len(shards) == 1 else files
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
