"""The built-in model's shape, and what training adds to it: auxiliary heads, losses, and branches on one image.

One screenshot is encoded once; its cache is then expanded to N branches, each an independent turn. A branch is
exactly what inference sees: screenshot first, then task and history, then thought and call.

Shapes: B images, N branches per image, T branch tokens, P = 2700 visual tokens, D model dim.
"""

from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from saccade.model import moe
from saccade.model.cache import AttentionState
from saccade.model.config import ModelConfig
from saccade.model.decoder import DecoderLayer
from saccade.model.rope import apply_rotary, mrope_positions
from saccade.model.vlm import VisionLanguageModel

from .pages import HEIGHT, WIDTH
from .render import CELL, COLUMNS, IGNORE, ROLES, ROWS

CHARACTERS = 95  # nothing, and printable ASCII
BALANCE = 0.01  # weight of the router's load-balancing loss


def config_dict(tokenizer: Tokenizer) -> dict:
    """`config.json` of the built-in model."""
    ids = {name: tokenizer.token_to_id(f"<|{name}|>") for name in CONTROL_NAMES}
    text = {
        "model_type": "qwen3_5_moe_text",
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": 256,
        "num_hidden_layers": 8,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 64,
        "full_attention_interval": 4,
        "layer_types": ["full_attention" if i % 4 == 3 else "linear_attention" for i in range(8)],
        "linear_num_key_heads": 4,
        "linear_num_value_heads": 4,
        "linear_key_head_dim": 64,
        "linear_value_head_dim": 64,
        "linear_conv_kernel_dim": 4,
        "num_experts": 8,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 64,
        "shared_expert_intermediate_size": 256,
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
        "depth": 6,
        "hidden_size": 256,
        "intermediate_size": 768,
        "num_heads": 4,
        "patch_size": CELL,
        "temporal_patch_size": 2,
        "spatial_merge_size": 1,
        "out_hidden_size": 256,
        "num_position_embeddings": 2304,
        "in_channels": 3,
        "deepstack_visual_indexes": [1, 3],
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


CONTROL_NAMES = ("im_start", "im_end", "vision_start", "vision_end", "image_pad", "video_pad")


@dataclass
class Batch:
    """Everything of one step, on the device."""

    images: Tensor  # [B, HEIGHT, WIDTH, 3] uint8
    characters: Tensor  # [B, ROWS, COLUMNS, 2] uint8
    roles: Tensor  # [B, ROWS, COLUMNS] uint8
    ids: Tensor  # [B, N, T] tokens, padded at the right with 0
    targets: Tensor  # [B, N, T] next token where it is learned, else -100
    boxes: Tensor  # [B, N, 4] target box (x, y, w, h) in CSS px; w = 0: none
    learned: Tensor  # [L] flat places in [B * N * T] where a token is learned
    wanted: Tensor  # [L] those tokens
    at_x: Tensor  # [M] places in `learned` where x is written; y follows


class Trainee(nn.Module):
    """The model with its training-only heads."""

    def __init__(self, tokenizer: Tokenizer):
        super().__init__()
        self.model = VisionLanguageModel(ModelConfig.from_dict(config_dict(tokenizer)))
        width, vision = self.model.config.text.hidden_size, self.model.config.vision.hidden_size
        self.read = nn.Linear(vision, 2 * CHARACTERS)
        self.role = nn.Linear(width, len(ROLES))
        self.point_from, self.point_at = nn.Linear(width, width), nn.Linear(width, width)
        self.x_ids = token_ids(tokenizer, "[0", "[1000")
        self.y_ids = token_ids(tokenizer, ", 0]", ", 1000]")
        self.prefix = self._prefix(tokenizer)
        self.trains_mtp = False
        _initialise(self.model)

    def _prefix(self, tokenizer: Tokenizer) -> list[int]:
        text = "<|im_start|>user\n<|vision_start|>" + "<|image_pad|>" * (ROWS * COLUMNS) + "<|vision_end|>"
        return tokenizer.encode(text).ids

    def forward(
        self, batch: Batch, coordinate_width: float = 6.0
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Losses, and detached measures (shares of right answers)."""
        model, device = self.model, batch.images.device
        count = batch.images.shape[0]
        grid = torch.tensor([[1, ROWS, COLUMNS]] * count)
        states, taps = model.visual.encode_patches(patchify(batch.images), grid)
        features = type_features(model, states, taps)
        prefix = torch.tensor(self.prefix, device=device)
        cache, (positions, start) = model.empty_cache(), self._positions(prefix)
        seen, _ = self._decode(
            prefix.expand(count, -1), positions[:, None].expand(-1, count, -1), cache, features
        )
        first = self.prefix.index(model.config.image_token_id)
        visual = seen[:, first : first + ROWS * COLUMNS]
        ids = batch.ids.flatten(0, 1)
        branch_positions = (start + torch.arange(ids.shape[1], device=device)).expand(3, ids.shape[0], -1)
        hidden, before_last = self._decode(ids, branch_positions, cache.expand(batch.ids.shape[1]))
        losses, measures = self._read_losses(states, visual, batch)
        learned = hidden.flatten(0, 1)[batch.learned]
        logits = self._token_losses(learned, batch, coordinate_width, losses, measures)
        self._point_losses(learned, logits, visual, batch, losses, measures)
        last = cache.layers[-1]
        assert isinstance(last, AttentionState)
        keys = last.keys[:, :, first : first + ROWS * COLUMNS]
        losses["look"] = self._look_loss(before_last, branch_positions, keys, batch)
        if self.trains_mtp:
            losses["mtp"] = self._mtp_loss(hidden, ids, batch.targets.flatten(0, 1), branch_positions)
        return losses, measures

    def _decode(self, ids, positions, cache, features=None) -> tuple[Tensor, Tensor]:
        """As `VisionLanguageModel.forward`, but also gives the state before the last layer."""
        model, decoder = self.model, self.model.language_model
        x, taps = decoder.embed_tokens(ids), []
        if features is not None:
            visual = model.visual_mask(ids)
            x = x.masked_scatter(visual, features.tokens.to(x.dtype))
            taps = [x.new_zeros(x.shape).masked_scatter(visual, t.to(x.dtype)) for t in features.deepstack]
        rotary, before = decoder.rotary(positions), x
        for i, layer in enumerate(decoder.layers):
            before = x
            x, cache.layers[i] = layer(x, rotary, cache.layers[i])
            x = x + taps[i] if i < len(taps) else x
        return decoder.norm(x), before

    def _look_loss(self, before: Tensor, positions: Tensor, keys: Tensor, batch: Batch) -> Tensor:
        """The last layer's first heads must look at the target while x and y are written: what they read there, the
        model then only has to say."""
        layer = self.model.language_model.layers[-1]
        assert isinstance(layer, DecoderLayer)
        places = torch.cat((batch.learned[batch.at_x], batch.learned[batch.at_x + 1]))
        turn = places // batch.ids.shape[2]
        state = layer.input_layernorm(before.flatten(0, 1)[places])[None]
        cos, sin = self.model.language_model.rotary(positions.flatten(1)[:, places][:, None])
        query, _ = layer.self_attn._queries(state)
        query = apply_rotary(layer.self_attn.q_norm(query), cos, sin)[0]  # [M, H, head_dim]
        looking = query[:, : query.shape[1] // 2].float()
        near = keys[:, 0].float()  # the first half of the heads share the first key head
        scores = torch.einsum("mhd,mpd->mhp", looking, near[turn // batch.ids.shape[1]])
        logp = (scores * query.shape[-1] ** -0.5).log_softmax(-1)
        inside = cells_in(batch.boxes.flatten(0, 1)[turn])[:, None]
        return -logp.masked_fill(~inside, -torch.inf).logsumexp(-1).mean()

    def _positions(self, prefix: Tensor) -> tuple[Tensor, int]:
        if not hasattr(self, "_cached_positions"):
            grid = torch.tensor([[1, ROWS, COLUMNS]])
            self._cached_positions = mrope_positions(prefix, (self.model.config.image_token_id,), grid, 1)
        return self._cached_positions

    def _read_losses(self, states: Tensor, visual: Tensor, batch: Batch) -> tuple[dict, dict]:
        logits = self.read(states).float().view(-1, CHARACTERS)
        labels = batch.characters.flatten().long()
        known = labels != IGNORE
        weight = torch.where(labels == 0, 0.15, 1.0) * known
        each = F.cross_entropy(logits, labels.clamp(max=CHARACTERS - 1), reduction="none")
        letter = known & (labels > 0)
        right = (logits.argmax(-1) == labels) & letter
        role = F.cross_entropy(self.role(visual).float().flatten(0, 1), batch.roles.flatten().long())
        losses = {"read": (each * weight).sum() / weight.sum(), "role": role}
        return losses, {"read": right.sum() / letter.sum().clamp(min=1)}

    def _token_losses(
        self, hidden: Tensor, batch: Batch, width: float, losses: dict, measures: dict
    ) -> Tensor:
        """Cross-entropy on every learned token; x and y against a narrow bell. Returns the logits [L, vocab]."""
        logits = self.model.logits(hidden).float()
        logp = logits.log_softmax(-1)
        each = -logp.gather(1, batch.wanted[:, None])[:, 0]
        word = torch.ones_like(batch.wanted, dtype=torch.bool)
        for name, (low, high), place in (("x", self.x_ids, batch.at_x), ("y", self.y_ids, batch.at_x + 1)):
            goal = soft_number(batch.wanted[place] - low, width)
            losses[name] = -(goal * logp[place, low : high + 1]).sum(-1).mean()
            word[place] = False
        losses["token"] = (each * word).sum() / word.sum()
        right = (logits.argmax(-1) == batch.wanted) | ~word
        measures["token"] = (right & word).sum() / word.sum()
        turn = batch.learned // batch.ids.shape[2]
        wrong = torch.zeros(batch.ids.shape[0] * batch.ids.shape[1], device=hidden.device)
        wrong.index_add_(0, turn, (~right).float())
        measures["exact"] = (wrong == 0).float().mean()
        return logits.detach()

    def _mtp_loss(self, hidden: Tensor, ids: Tensor, targets: Tensor, positions: Tensor) -> Tensor:
        """From the state at t and the token t+1, the token t+2. Sees the branch only."""
        mtp = self.model.mtp
        assert mtp is not None
        embedding = self.model.language_model.embed_tokens(ids[:, 1:])
        drafted = mtp(embedding, hidden[:, :-1].detach(), positions[:, :, :-1], [None] * len(mtp.layers))
        wanted = targets[:, 1:]
        learned = wanted != -100
        return F.cross_entropy(self.model.logits(drafted[learned]).float(), wanted[learned])

    def _point_losses(
        self, hidden: Tensor, logits: Tensor, visual: Tensor, batch: Batch, losses: dict, measures: dict
    ) -> None:
        """The state that is about to write x must also point at the target's visual tokens."""
        turn = batch.learned[batch.at_x] // batch.ids.shape[2]
        query = self.point_from(hidden[batch.at_x])
        near = self.point_at(visual)[turn // batch.ids.shape[1]]
        scores = torch.einsum("md,mpd->mp", query, near).float() * query.shape[-1] ** -0.5
        boxes = batch.boxes.flatten(0, 1)[turn]
        inside = cells_in(boxes)
        losses["point"] = -scores.log_softmax(-1).masked_fill(~inside, -torch.inf).logsumexp(-1).mean()
        measures["point"] = inside.gather(1, scores.argmax(-1, keepdim=True)).float().mean()
        x = logits[batch.at_x, self.x_ids[0] : self.x_ids[1] + 1].argmax(-1) * WIDTH / 1000
        y = logits[batch.at_x + 1, self.y_ids[0] : self.y_ids[1] + 1].argmax(-1) * HEIGHT / 1000
        left, top, w, h = boxes.unbind(-1)
        hit = (x >= left) & (x <= left + w) & (y >= top) & (y <= top + h)
        measures["hit"] = hit.float().mean()  # greedy x and y, given the right thought


def token_ids(tokenizer: Tokenizer, *texts: str) -> list[int]:
    ids = [tokenizer.token_to_id(text) for text in texts]
    return [i for i in ids if i is not None]


def type_features(model: VisionLanguageModel, states: Tensor, taps: list[Tensor]):
    from saccade.vision.encoder import VisionFeatures

    mergers = model.visual.deepstack_merger_list
    return VisionFeatures(
        model.visual.merger(states), tuple(m(t) for m, t in zip(mergers, taps, strict=True))
    )


def patchify(images: Tensor) -> Tensor:
    """[B, HEIGHT, WIDTH, 3] uint8 -> [B * P, 3 * 2 * CELL * CELL] in -1..1, the frame doubled in time."""
    x = images.permute(0, 3, 1, 2).float() / 127.5 - 1
    x = x.unflatten(2, (ROWS, CELL)).unflatten(4, (COLUMNS, CELL))  # [B, 3, ROWS, CELL, COLUMNS, CELL]
    x = x.permute(0, 2, 4, 1, 3, 5).unsqueeze(4).expand(-1, -1, -1, -1, 2, -1, -1)
    return x.reshape(-1, 3 * 2 * CELL * CELL)


def soft_number(value: Tensor, width: float) -> Tensor:
    """A narrow bell over 0..1000 round each value: neighbours of the right number are nearly right."""
    numbers = torch.arange(1001, device=value.device)
    bell = torch.exp(-((numbers - value[:, None].float()) ** 2) / (2 * width**2))
    return bell / bell.sum(-1, keepdim=True).clamp(min=1e-9)


def cells_in(boxes: Tensor) -> Tensor:
    """[M, 4] -> [M, P] bool: cells whose centre lies in the box, and always the cell of its centre."""
    x = (torch.arange(COLUMNS, device=boxes.device) + 0.5) * CELL
    y = (torch.arange(ROWS, device=boxes.device) + 0.5) * CELL
    left, top, w, h = boxes[:, :, None].unbind(1)
    columns = (x >= left) & (x <= left + w) | (x - left - w / 2).abs().le(CELL / 2)
    rows = (y >= top) & (y <= top + h) | (y - top - h / 2).abs().le(CELL / 2)
    return (rows[:, :, None] & columns[:, None, :]).flatten(1)


class _Balance(torch.autograd.Function):
    """Identity whose backward adds the gradient of BALANCE * E * sum_e(load_e * probability_e)."""

    @staticmethod
    def forward(ctx, logits, top_k):
        p = logits.float().softmax(-1)
        chosen = p.topk(top_k, dim=-1).indices
        load = torch.zeros_like(p).scatter_(1, chosen, 1.0).mean(0) / top_k
        push = load * p.shape[-1] * BALANCE / p.shape[0]
        ctx.save_for_backward((p * (push - (p * push).sum(-1, keepdim=True))).to(logits.dtype))
        return logits.clone()

    @staticmethod
    def backward(ctx, grad):
        return grad + ctx.saved_tensors[0], None


def balance_routers() -> None:
    """From here on every router also learns to spread its load."""

    def logits(self: moe.Router, x: Tensor) -> Tensor:
        return _Balance.apply(F.linear(x, self.weight), self.top_k)

    moe.Router.logits = logits  # pyright: ignore[reportAttributeAccessIssue]


def _initialise(model: VisionLanguageModel) -> None:
    for name, p in model.named_parameters():
        if "embed_tokens" in name or "pos_embed" in name:
            nn.init.normal_(p, std=0.02)
        elif name.endswith(
            ("o_proj.weight", "out_proj.weight", "down_proj", "down_proj.weight", "linear_fc2.weight")
        ):
            p.data.mul_(0.3)
