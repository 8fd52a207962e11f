"""What a checkpoint is and what it needs: layers, parameters, memory, machines. Reads its config.json alone.

Sizes are counted on the network itself, built without memory on torch's meta device; nothing is estimated.
"""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import torch
from rich.console import Group
from rich.table import Table
from rich.text import Text
from torch import nn

from ..errors import InputError
from ..model.config import ModelConfig, TextConfig
from ..model.moe import Experts
from ..model.weights import empty_model

GIB = 2**30
CONTEXTS = {"4k": 4096, "32k": 32768, "128k": 131072, "262k": 262144, "1M": 1_010_000}
CACHE_ITEM_BYTES = {"bf16": 2, "fp32": 4}  # of keys, values and conv windows
STATE_ITEM_BYTES = 4  # DeltaNet states are fp32 always
THOUSANDS = {"k": 1024, "m": 1_000_000}
# GiB for weights and cache: a tenth is left to activations, on a laptop 4 GiB more to the system.
MACHINES = {
    "laptop 16 GB": 0.9 * 12,
    "24 GB card": 0.9 * 24,
    "80 GB card": 0.9 * 80,
    "H200 141 GB": 0.9 * 140,
    "8 x H200": 0.9 * 8 * 140,
}


@dataclass(frozen=True)
class Parameters:
    """Counts. The published names mean `language` and `active`: no vision, no prediction head."""

    vision: int
    embedding: int
    head: int  # 0 when tied to the embedding
    decoder: int
    experts: int  # part of `decoder`
    mtp: int
    language: int  # embedding, decoder and head
    active: int  # of `language`, per token: of the experts, the chosen ones

    @property
    def total(self) -> int:
        return self.vision + self.language + self.mtp


@dataclass(frozen=True)
class Report:
    model_type: str
    architecture: dict[str, Any]
    parameters: Parameters
    max_positions: int
    weight_bytes: dict[str, int]  # by dtype
    kv_bytes_per_token: int
    state_bytes: int  # per sequence, whatever its length
    cache_dtype: str
    contexts: dict[str, int]  # tokens, by what they are called

    def cache_bytes(self, tokens: int) -> int:
        return self.kv_bytes_per_token * tokens + self.state_bytes

    def longest_context(self, dtype: str, machine: str) -> str | None:
        """The longest of the contexts that fits beside the weights; None when not even the first does."""
        room = MACHINES[machine] * GIB - self.weight_bytes[dtype]
        fitting = [name for name, tokens in self.contexts.items() if self.cache_bytes(tokens) <= room]
        return max(fitting, key=self.contexts.__getitem__, default=None)

    def to_dict(self) -> dict[str, Any]:
        contexts = {str(tokens): self.cache_bytes(tokens) for tokens in self.contexts.values()}
        fits = {m: {d: self.longest_context(d, m) for d in self.weight_bytes} for m in MACHINES}
        total = {"total_parameters": self.parameters.total}
        return {**asdict(self), **total, "cache_bytes": contexts, "fits": fits}


def parse_context(text: str) -> int:
    """`32768`, `32k` (of 1024) or `1M` -> tokens. Raises InputError."""
    digits, unit = text.strip().rstrip("kKmM"), text.strip()[-1:].lower()
    if not digits.isdecimal() or int(digits) == 0:
        raise InputError(f"the context is {text!r}; give a number of tokens, such as 32768, 32k or 1M")
    return int(digits) * THOUSANDS.get(unit, 1)


def examine(config: ModelConfig, contexts: dict[str, int] | None = None, cache_dtype: str = "bf16") -> Report:
    """Count a model of this shape; takes no memory to speak of. Raises InputError for another cache dtype."""
    if cache_dtype not in CACHE_ITEM_BYTES:
        raise InputError(f"the cache dtype is {cache_dtype!r}; use {' or '.join(CACHE_ITEM_BYTES)}")
    wide = {"fp32": torch.float32, "bf16": torch.bfloat16}
    sizes = {name: _nbytes(empty_model(config, "meta", dtype)) for name, dtype in wide.items()}
    sizes |= {kind: _nbytes(empty_model(config, "meta", torch.bfloat16, kind)) for kind in ("int8", "int4")}
    kv, state = cache_sizes(config.text, CACHE_ITEM_BYTES[cache_dtype])
    text = config.text
    return Report(
        config.model_type,
        _architecture(config),
        count(config),
        text.max_context,
        sizes,
        kv,
        state,
        cache_dtype,
        contexts or CONTEXTS,
    )


def count(config: ModelConfig) -> Parameters:
    model = empty_model(config, "meta", torch.bfloat16)
    stacks = [m for m in model.language_model.modules() if isinstance(m, Experts)]
    embedding, experts = model.language_model.embed_tokens.weight.numel(), sum(map(_numel, stacks))
    vision, decoder = _numel(model.visual), _numel(model.language_model) - embedding
    head = _numel(model.lm_head) if model.lm_head else 0
    language = embedding + decoder + head
    idle = experts - experts * config.text.num_experts_per_tok // max(config.text.num_experts, 1)
    mtp = _numel(model.mtp) if model.mtp else 0
    return Parameters(vision, embedding, head, decoder, experts, mtp, language, language - idle)


def cache_sizes(text: TextConfig, item_bytes: int) -> tuple[int, int]:
    """Bytes per token (keys and values of the attention layers) and per sequence (DeltaNet layers)."""
    layers = Counter(text.layer_types)
    per_token = 2 * text.num_key_value_heads * text.head_dim * item_bytes
    keys = text.linear_num_key_heads * text.linear_key_head_dim
    values = text.linear_num_value_heads * text.linear_value_head_dim
    window = (2 * keys + values) * (text.linear_conv_kernel_dim - 1) * item_bytes
    state = text.linear_key_head_dim * values * STATE_ITEM_BYTES
    return layers["full_attention"] * per_token, layers["linear_attention"] * (window + state)


def _architecture(config: ModelConfig) -> dict[str, Any]:
    text, vision = config.text, config.vision
    return {
        "layers": dict(Counter(text.layer_types)),
        "hidden": text.hidden_size,
        "attention_heads": [text.num_attention_heads, text.num_key_value_heads, text.head_dim],
        "delta_heads": [text.linear_num_value_heads, text.linear_num_key_heads, text.linear_key_head_dim],
        "feed_forward": text.intermediate_size,
        "experts": [text.num_experts, text.num_experts_per_tok, text.moe_intermediate_size],
        "shared_expert": text.shared_expert_intermediate_size,
        "vocabulary": text.vocab_size,
        "tied": config.tie_word_embeddings,
        "prediction_layers": text.mtp_num_hidden_layers,
        "vision": [vision.depth, vision.hidden_size, vision.patch_size, vision.spatial_merge_size],
        "deepstack_taps": list(vision.deepstack_visual_indexes),
    }


def _numel(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _nbytes(module: nn.Module) -> int:
    return sum(t.nbytes for t in [*module.parameters(), *(b for b in module.buffers() if b.is_meta)])


def tables(report: Report, title: str) -> Group:
    per_token, state = size(report.kv_bytes_per_token), size(report.state_bytes)
    cache = (
        f"Cache ({report.cache_dtype}): {per_token} per token, and {state} per sequence whatever its length."
    )
    beyond = (
        f"* beyond the {report.max_positions:,} positions that config.json was made for: needs (more) YaRN."
    )
    notes = [cache, *([beyond] if report.max_positions < max(report.contexts.values()) else [])]
    parts = (_anatomy_table(report, title), _memory_table(report), _machine_table(report))
    return Group(*parts, *(Text(note, style="dim") for note in notes))


def _anatomy_table(report: Report, title: str) -> Table:
    shape, parameters = report.architecture, report.parameters
    table = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2))
    heads, kv_heads, head_dim = shape["attention_heads"]
    layers = shape["layers"]
    table.add_row("family", report.model_type)
    table.add_row(
        "attention", f"{layers.get('full_attention', 0)} layers, {heads}/{kv_heads} heads of {head_dim}"
    )
    if "linear_attention" in layers:
        values, keys, dim = shape["delta_heads"]
        table.add_row("DeltaNet", f"{layers['linear_attention']} layers, {values}/{keys} heads of {dim}")
    experts, chosen, width = shape["experts"]
    shared = f", shared {shape['shared_expert']}" if shape["shared_expert"] else ""
    table.add_row(
        "MLP", f"{chosen} of {experts} experts of {width}{shared}" if experts else str(shape["feed_forward"])
    )
    depth, hidden, patch, merge = shape["vision"]
    taps = ", ".join(map(str, shape["deepstack_taps"])) or "none"
    table.add_row("hidden, vocabulary", f"{shape['hidden']}, {shape['vocabulary']}")
    table.add_row("vision", f"{depth} layers of {hidden}, {patch * merge} px per token, DeepStack {taps}")
    language, active = billions(parameters.language), billions(parameters.active)
    table.add_row("language model", f"{language} parameters, {active} active per token")
    head = billions(parameters.head) if parameters.head else "tied"
    split = f"decoder {billions(parameters.decoder)} (experts {billions(parameters.experts)}), "
    table.add_row("", f"{split}embedding {billions(parameters.embedding)}, head {head}")
    mtp = billions(parameters.mtp) if parameters.mtp else "none"
    table.add_row("besides", f"vision {billions(parameters.vision)}, prediction head {mtp}")
    table.add_row("in all", f"{billions(parameters.total)} parameters")
    return table


def _memory_table(report: Report) -> Table:
    table = Table(title="Weights and one sequence", title_justify="left")
    table.add_column("weights in")
    table.add_column("weights", justify="right")
    for name, tokens in report.contexts.items():
        table.add_column(f"+ {name}{'*' * (tokens > report.max_positions)}", justify="right")
    for dtype, weights in report.weight_bytes.items():
        sums = (size(weights + report.cache_bytes(tokens)) for tokens in report.contexts.values())
        table.add_row(dtype, size(weights), *sums)
    return table


def _machine_table(report: Report) -> Table:
    table = Table(title="Longest context that fits", title_justify="left")
    table.add_column("weights in")
    for machine in MACHINES:
        table.add_column(machine, justify="right")
    for dtype in report.weight_bytes:
        table.add_row(dtype, *(report.longest_context(dtype, machine) or "-" for machine in MACHINES))
    return table


def routing_table(layers: list[dict[str, float]]) -> Table:
    """The figures of `routing.imbalance`."""
    table = Table(title="Expert load (1.00 is even)", title_justify="left")
    for column in ("layer", "max / mean", "entropy", "unused experts"):
        table.add_column(column, justify="right")
    for i, row in enumerate(layers):
        table.add_row(str(i), f"{row['max_over_mean']:.2f}", f"{row['entropy']:.3f}", f"{row['unused']:.0f}")
    return table


def size(nbytes: float) -> str:
    """1536 -> '1.5 KiB'."""
    for unit in ("B", "KiB", "MiB"):
        if nbytes < 1000:
            return f"{nbytes:.3g} {unit}"
        nbytes /= 1024
    return f"{nbytes:.1f} GiB" if nbytes < 100 else f"{nbytes:.0f} GiB"


def billions(number: int) -> str:
    return f"{number / 1e9:.2f} B" if number >= 1e8 else f"{number / 1e6:.1f} M"
