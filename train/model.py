"""What training adds to the built-in model: auxiliary heads, losses, and branches on one image.

One screenshot is encoded once; its cache is then expanded to N branches, each an independent turn. A branch is
exactly what inference sees: screenshot first, then task and history, then thought and call.

Shapes: B images, N branches per image, T branch tokens, P visual tokens, D model dim.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from saccade.model import moe
from saccade.model.cache import AttentionState, HybridCache
from saccade.model.config import ModelConfig
from saccade.model.decoder import DecoderLayer
from saccade.model.rope import apply_rotary, mrope_positions
from saccade.model.vlm import VisionLanguageModel
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from .branches import branch_layer
from .pages import HEIGHT, WIDTH
from .render import IGNORE, ROLES
from .shape import Shape

CHARACTERS = 95  # nothing, and printable ASCII
BALANCE = 0.01  # weight of the router's load-balancing loss
OUTPUTS = ("o_proj.weight", "out_proj.weight", "down_proj", "down_proj.weight")  # of a layer
BELL = 6.0  # width, in thousandths of the screen, of what counts as nearly the right number


@dataclass
class Batch:
    """Everything of one step, on the device."""

    images: Tensor  # [B, HEIGHT, WIDTH, 3] uint8
    characters: Tensor  # [B, rows, columns, slots] uint8
    roles: Tensor  # [B, rows, columns] uint8
    ids: Tensor  # [B, N, T] tokens, padded at the right with 0
    targets: Tensor  # [B, N, T] next token where it is learned, else -100
    boxes: Tensor  # [B, N, 4] target box (x, y, w, h) in CSS px
    learned: Tensor  # [L] flat places in [B * N * T] where a token is learned
    wanted: Tensor  # [L] those tokens
    word: Tensor  # [L] 1.0, or 0.0 where the token is a coordinate or only fills the list
    x_at: Tensor  # [B, N] the place in T where x is written; y follows
    aims: Tensor  # [B, N] 1.0 where a branch writes a coordinate at all
    name_at: Tensor  # [B, N] the place in T where the first letter of what the target shows is written
    named: Tensor  # [B, N] 1.0 where a thought names its target so
    drafted: Tensor  # [K] flat places in [B * N * (T - 1)] where the token after the next is learned
    drafts: Tensor  # [K] those tokens, -100 where one only fills the list


class Trainee(nn.Module):
    """The model with its training-only heads. What a step needs lies on the device: nothing is sent there in between."""

    prefix_ids: Tensor  # [P'] what comes before the text
    places: Tensor  # [3, P'] their positions

    def __init__(self, tokenizer: Tokenizer, shape: Shape):
        super().__init__()
        self.shape = shape
        self.model = VisionLanguageModel(ModelConfig.from_dict(shape.config(tokenizer)))
        self.read = nn.Linear(shape.hidden, shape.slots * CHARACTERS)
        self.role = nn.Linear(shape.hidden, len(ROLES))
        self.point_from, self.point_at = (nn.Linear(shape.hidden, shape.hidden) for _ in range(2))
        self.x_ids = token_ids(tokenizer, "[0", "[1000")
        self.y_ids = token_ids(tokenizer, ", 0]", ", 1000]")
        text = "<|im_start|>user\n<|vision_start|>" + "<|image_pad|>" * shape.cells + "<|vision_end|>"
        self.prefix = tokenizer.encode(text).ids
        self.register_buffer("prefix_ids", torch.tensor(self.prefix), persistent=False)
        self.first = self.prefix.index(self.model.config.image_token_id)
        self.trains_mtp, self.shares_prefix = False, True
        self.branch_layer = branch_layer
        self.register_buffer("places", self.prefix_positions[0], persistent=False)
        _initialise(self.model)

    def forward(self, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Losses, and detached measures (shares of right answers)."""
        states, visual, cache = self.see(batch.images)
        ids = batch.ids.flatten(0, 1)
        positions = self.branch_positions(ids)
        looking = cache.layers[self.shape.looks_at]
        assert isinstance(looking, AttentionState)
        keys = looking.keys[:, 0, self.first : self.first + self.shape.cells]
        hidden, before = self.decode_branches(ids, positions, cache, batch.ids.shape[1])
        losses, measures = self._read_losses(states, visual, batch)
        self._word_losses(hidden, batch, losses, measures)
        aimed = [_at(hidden, batch.x_at), _at(hidden, batch.x_at + 1)]  # [B, N, D] before x, before y
        self._number_losses(aimed, batch, losses, measures)
        self._point_loss(aimed[0], visual, batch, losses, measures)
        places = (batch.x_at, batch.x_at + 1)
        first = positions[0, 0, 0]
        looks = [self._look_loss(_at(before, at), at + first, keys, batch.boxes, batch.aims) for at in places]
        losses["look"] = torch.stack(looks).mean()
        reading = _at(before, batch.name_at), batch.name_at + first
        losses["find"] = self._look_loss(*reading, keys, batch.boxes, batch.named)
        if self.trains_mtp:
            losses["mtp"] = self._mtp_loss(hidden, ids, positions, batch)
        return losses, measures

    def see(self, images: Tensor) -> tuple[Tensor, Tensor, HybridCache]:
        """Patch states [B * P, D] of the encoder, the decoder's states of the visual tokens [B, P, D], the cache."""
        shape, model, count = self.shape, self.model, images.shape[0]
        grid = torch.tensor([[1, shape.rows, shape.columns]] * count)
        states, taps = model.visual.encode_patches(patchify(images, shape), grid)
        mergers = model.visual.deepstack_merger_list
        tokens = model.visual.merger(states).unflatten(0, (count, -1))
        added = [m(t).unflatten(0, (count, -1)) for m, t in zip(mergers, taps, strict=True)]
        embedded = model.language_model.embed_tokens(self.prefix_ids).expand(count, -1, -1)
        before, after = self.first, len(self.prefix) - self.first - shape.cells
        x = torch.cat((embedded[:, :before], tokens.to(embedded.dtype), embedded[:, -after:]), dim=1)
        joined = [F.pad(tap.to(x.dtype), (0, 0, before, after)) for tap in added]
        positions = self.places[:, None].expand(-1, count, -1)
        cache = model.empty_cache()
        seen = model.language_model(x, positions, cache, joined)
        return states, seen[:, before : before + shape.cells], cache

    def branch_positions(self, ids: Tensor) -> Tensor:
        """[3, B * N, T]: text goes on after the screenshot."""
        start = self.prefix_positions[1]
        return (start + torch.arange(ids.shape[1], device=ids.device)).expand(3, ids.shape[0], -1)

    @cached_property
    def prefix_positions(self) -> tuple[Tensor, int]:
        grid = torch.tensor([[1, self.shape.rows, self.shape.columns]])
        return mrope_positions(torch.tensor(self.prefix), (self.model.config.image_token_id,), grid, 1)

    def decode_branches(
        self, ids: Tensor, positions: Tensor, cache: HybridCache, n: int
    ) -> tuple[Tensor, Tensor]:
        """Hidden states [B * N, T, D] of n branches on each sequence of `cache`, as `VisionLanguageModel.forward` gives
        them, and the states before the layer that looks. `shares_prefix` False copies the prefix's keys."""
        decoder = self.model.language_model
        x, shared = decoder.embed_tokens(ids), self.shares_prefix
        states = [None if shared and isinstance(state, AttentionState) else state for state in cache.layers]
        branched = HybridCache(states, cache.length).expand(n).layers
        rotary, before = decoder.rotary(positions), x
        for i, (layer, prefix) in enumerate(zip(decoder.layers, cache.layers, strict=True)):
            before = x if i == self.shape.looks_at else before
            assert isinstance(layer, DecoderLayer)
            if shared and isinstance(prefix, AttentionState):
                x = self.branch_layer(layer, x, rotary, prefix)
            else:
                x, _ = layer(x, rotary, branched[i])
        return decoder.norm(x), before

    def _look_loss(
        self, state: Tensor, position: Tensor, keys: Tensor, boxes: Tensor, counts: Tensor
    ) -> Tensor:
        """The first heads of one attention layer must look at the target while x and y are written, and while the
        first letter of its name is: what they read there, the rest only has to say. state [B, N, D], keys [B, P,
        head_dim] of the first key head; counts [B, N]: which branches it is asked of."""
        layer = self.model.language_model.layers[self.shape.looks_at]
        assert isinstance(layer, DecoderLayer)
        cos, sin = self.model.language_model.rotary(position.expand(3, -1, -1))
        query, _ = layer.self_attn._queries(layer.input_layernorm(state))
        query = apply_rotary(layer.self_attn.q_norm(query), cos, sin)  # [B, N, H, head_dim]
        looking = query[:, :, : query.shape[2] // self.model.config.text.num_key_value_heads]
        scores = torch.einsum("bnhd,bpd->bnhp", looking, keys).float() * query.shape[-1] ** -0.5
        inside = cells_in(boxes, self.shape)[:, :, None]
        missed = -scores.log_softmax(-1).masked_fill(~inside, -torch.inf).logsumexp(-1).mean(-1)
        return _mean_over(missed, counts)

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

    def _word_losses(self, hidden: Tensor, batch: Batch, losses: dict, measures: dict) -> None:
        """Cross-entropy on every learned token that is no coordinate."""
        logits = self.model.logits(hidden.flatten(0, 1).index_select(0, batch.learned)).float()
        each = F.cross_entropy(logits, batch.wanted, reduction="none")
        losses["token"] = (each * batch.word).sum() / batch.word.sum()
        wrong = (logits.argmax(-1) != batch.wanted) * batch.word
        measures["token"] = 1 - wrong.sum() / batch.word.sum()
        turn = batch.learned // batch.ids.shape[2]
        mistakes = torch.zeros(batch.ids.shape[0] * batch.ids.shape[1], device=hidden.device)
        measures["exact"] = (mistakes.index_add_(0, turn, wrong) == 0).float().mean()

    def _number_losses(self, aimed: list[Tensor], batch: Batch, losses: dict, measures: dict) -> None:
        """x and y against a narrow bell; `hit`: greedy x and y, given the right thought, lie in the box."""
        said = []
        for name, state, (low, high), at in zip(
            ("x", "y"), aimed, (self.x_ids, self.y_ids), (batch.x_at, batch.x_at + 1), strict=True
        ):
            wanted = batch.targets.gather(2, at[..., None])[..., 0] - low
            logp = self.model.logits(state)[..., low : high + 1].float().log_softmax(-1)
            losses[name] = _mean_over(-(soft_number(wanted, BELL) * logp).sum(-1), batch.aims)
            said.append(logp.argmax(-1))
        x, y = said[0] * WIDTH / 1000, said[1] * HEIGHT / 1000
        left, top, w, h = batch.boxes.unbind(-1)
        hit = (x >= left) & (x <= left + w) & (y >= top) & (y <= top + h)
        measures["hit"] = _mean_over(hit.float(), batch.aims)

    def _point_loss(self, state: Tensor, visual: Tensor, batch: Batch, losses: dict, measures: dict) -> None:
        """The state that is about to write x must also point at the target's visual tokens."""
        query, near = self.point_from(state), self.point_at(visual)
        scores = (query @ near.mT).float() * query.shape[-1] ** -0.5  # [B, N, P]
        inside = cells_in(batch.boxes, self.shape)
        missed = -scores.log_softmax(-1).masked_fill(~inside, -torch.inf).logsumexp(-1)
        losses["point"] = _mean_over(missed, batch.aims)
        right = inside.gather(-1, scores.argmax(-1, keepdim=True))[..., 0]
        measures["point"] = _mean_over(right.float(), batch.aims)

    def _mtp_loss(self, hidden: Tensor, ids: Tensor, positions: Tensor, batch: Batch) -> Tensor:
        """From the state at t and the token t+1, the token t+2. Sees the branch only."""
        mtp = self.model.mtp
        assert mtp is not None
        embedding = self.model.language_model.embed_tokens(ids[:, 1:])
        drafted = mtp(embedding, hidden[:, :-1].detach(), positions[:, :, :-1], [None] * len(mtp.layers))
        logits = self.model.logits(drafted.flatten(0, 1).index_select(0, batch.drafted)).float()
        return F.cross_entropy(logits, batch.drafts)


def _at(states: Tensor, place: Tensor) -> Tensor:
    """The states [B * N, T, D] at place [B, N] of each branch: [B, N, D]."""
    branch = torch.arange(place.numel(), device=place.device)
    return states[branch, place.flatten()].view(*place.shape, -1)


def _mean_over(values: Tensor, weights: Tensor) -> Tensor:
    return (values * weights).sum() / weights.sum().clamp(min=1)


def token_ids(tokenizer: Tokenizer, *texts: str) -> list[int]:
    ids = [tokenizer.token_to_id(text) for text in texts]
    return [i for i in ids if i is not None]


def patchify(images: Tensor, shape: Shape) -> Tensor:
    """[B, HEIGHT, WIDTH, 3] uint8 -> [B * P, 3 * 2 * patch * patch] in -1..1, the frame doubled in time."""
    x = images.permute(0, 3, 1, 2).float() / 127.5 - 1
    x = x.unflatten(2, (shape.rows, shape.patch)).unflatten(4, (shape.columns, shape.patch))
    x = x.permute(0, 2, 4, 1, 3, 5).unsqueeze(4).expand(-1, -1, -1, -1, 2, -1, -1)
    return x.reshape(-1, 3 * 2 * shape.patch**2)


def soft_number(value: Tensor, width: float) -> Tensor:
    """A narrow bell over 0..1000 round each value: neighbours of the right number are nearly right."""
    numbers = torch.arange(1001, device=value.device)
    bell = torch.exp(-((numbers - value[..., None].float()) ** 2) / (2 * width**2))
    return bell / bell.sum(-1, keepdim=True).clamp(min=1e-9)


def cells_in(boxes: Tensor, shape: Shape) -> Tensor:
    """[..., 4] -> [..., P] bool: cells whose centre lies in the box, and always the cell of its centre."""
    x = (torch.arange(shape.columns, device=boxes.device) + 0.5) * shape.patch
    y = (torch.arange(shape.rows, device=boxes.device) + 0.5) * shape.patch
    left, top, w, h = boxes[..., None].unbind(-2)
    columns = (x >= left) & (x <= left + w) | (x - left - w / 2).abs().le(shape.patch / 2)
    rows = (y >= top) & (y <= top + h) | (y - top - h / 2).abs().le(shape.patch / 2)
    return (rows[..., :, None] & columns[..., None, :]).flatten(-2)


class _Balance(torch.autograd.Function):
    """Identity whose backward adds the gradient of BALANCE * E * sum_e(load_e * probability_e)."""

    @staticmethod
    def forward(ctx, logits, top_k):
        p = logits.float().softmax(-1)
        load = torch.zeros_like(p).scatter_(1, best_experts(p, top_k)[1], 1.0).mean(0) / top_k
        push = load * p.shape[-1] * BALANCE / p.shape[0]
        ctx.save_for_backward((p * (push - (p * push).sum(-1, keepdim=True))).to(logits.dtype))
        return logits.clone()

    @staticmethod
    def backward(ctx, grad):
        return grad + ctx.saved_tensors[0], None


def balance_routers() -> None:
    """From here on every router also learns to spread its load."""

    def forward(self: moe.Router, x_ND: Tensor) -> tuple[Tensor, Tensor]:
        logits: Any = _Balance.apply(F.linear(x_ND, self.weight), self.top_k)
        best, indices = best_experts(logits.float(), self.top_k)
        return best.softmax(-1).to(logits.dtype), indices

    moe.Router.forward = forward


def best_experts(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """`topk` over few columns as k maxima, which compile into their surroundings; sorting cost a twentieth of a step."""
    best, indices = [], []
    for _ in range(k):
        index = scores.detach().argmax(-1, keepdim=True)
        best.append(scores.gather(-1, index))
        indices.append(index)
        scores = scores.scatter(-1, index, -torch.inf)
    return torch.cat(best, dim=-1), torch.cat(indices, dim=-1)


def _initialise(model: VisionLanguageModel) -> None:
    for name, p in model.named_parameters():
        if "embed_tokens" in name or "pos_embed" in name:
            nn.init.normal_(p, std=0.02)
        elif name.endswith((*OUTPUTS, "linear_fc2.weight")):
            p.data.mul_(0.3)
