"""Batches for training: every worker renders fresh pages in its own Chromium and writes turns on them."""

import os
import queue
import random
import threading
from collections.abc import Iterator
from multiprocessing.sharedctypes import Synchronized

import numpy as np
import torch
from tokenizers import Tokenizer
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from .model import Batch, token_ids
from .render import Renderer, Scene
from .shape import Shape
from .tasks import TaskWriter, Turn
from .tokenizer import call_text, make_tokenizer

PAGES = 8  # per rendering call, and per piece of a batch
X_IDS = token_ids(make_tokenizer(), "[0", "[1000")
Y_IDS = token_ids(make_tokenizer(), ", 0]", ", 1000]")
CLICK, *OTHER = token_ids(make_tokenizer(), "Click '", "Click the ", "Type '", "Open '")  # how deeds begin
# Turns per page and tokens per turn. Single clauses have a bucket of their own; the others part all turns by length, and
# their shares of the batches, at the beginning and from the middle of training on, give each length as many turns as a
# journey has of it. Lengths are whole chunks of 64, as the delta rule computes them.
BUCKETS = {"named": (22, 128), "short": (20, 192), "middle": (13, 384), "long": (9, 576), "longest": (6, 768)}
SHARES = {
    "named": (0.75, 0.18),
    "short": (0.1, 0.24),
    "middle": (0.11, 0.39),
    "long": (0.03, 0.145),
    "longest": (0.01, 0.045),
}
LONGEST = "longest"  # of tasks with many wishes, on pages full of controls: others offer too few
# Of the turns, how many act without a thought (`fast`), and how many after one that misread a name: what was thought
# is not learned then, and the action must be right all the same.
QUIET, GARBLED = 0.3, 0.1
ROUND = 4096


class PageStream(IterableDataset):
    """Endless pieces of PAGES scenes with their turns, as numpy arrays. `progress` (0..1) is written by the trainer:
    first mostly single clauses about what the page shows, then more and more of journeys. Streams with the same `lots`
    come to the same buckets in the same order, so that processes which wait for each other have equally much to do."""

    def __init__(
        self,
        shape: Shape,
        seed: int,
        split: str = "train",
        progress: "Synchronized | None" = None,
        thoughts: bool = True,
        lots: int = 0,
    ):
        self.shape, self.seed, self.split, self.progress = shape, seed, split, progress
        self.thoughts, self.lots = thoughts, lots

    def __iter__(self) -> Iterator[dict[str, np.ndarray | str]]:
        torch.set_num_threads(1)
        os.nice(5)  # the trainer's own threads come first
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        tokenizer, number, renderer = make_tokenizer(), worker, Renderer(PAGES, self.shape)
        while True:
            base = self.seed * 1_000_000_007 + number * PAGES
            bucket = self.bucket(number)
            scenes = renderer.render([base + i for i in range(PAGES)], self.split, is_full=bucket == LONGEST)
            yield piece(scenes, base, self.split, bucket, tokenizer, self.thoughts)
            number += workers

    def bucket(self, number: int) -> str:
        late = min(1.0, 2 * self.progress.value) if self.progress is not None else 1.0
        weights = [first + late * (last - first) for first, last in SHARES.values()]
        return random.Random(f"{self.lots} {number}").choices(list(SHARES), weights)[0]


def piece(
    scenes: list[Scene], seed: int, split: str, bucket: str, tokenizer: Tokenizer, thoughts: bool = True
) -> dict:
    turns_per_page, tokens = BUCKETS[bucket]
    ids = np.zeros((len(scenes), turns_per_page, tokens), np.int32)
    targets = np.full_like(ids, -100)
    boxes = np.zeros((len(scenes), turns_per_page, 4), np.float32)
    for i, scene in enumerate(scenes):
        for j, (turn, prompt, answer) in enumerate(
            turns_on(scene, seed + i, split, bucket, tokenizer, thoughts)
        ):
            whole = prompt + answer
            ids[i, j, : len(whole)] = whole
            targets[i, j, len(prompt) - 1 : len(whole) - 1] = answer
            boxes[i, j] = turn.box or (0, 0, 0, 0)
    return {
        "bucket": bucket,
        "images": np.stack([s.image for s in scenes]),
        "characters": np.stack([s.characters for s in scenes]),
        "roles": np.stack([s.roles for s in scenes]),
        "ids": ids,
        "targets": targets,
        "boxes": boxes,
    }


def turns_on(
    scene: Scene, seed: int, split: str, bucket: str, tokenizer: Tokenizer, thoughts: bool
) -> list[tuple[Turn, list[int], list[int]]]:
    """Turns of the bucket's lengths; shorter ones too where the page has too few."""
    count, limit = BUCKETS[bucket]
    above = longest_below(bucket)
    writer, rng = TaskWriter(scene, random.Random(seed), split), random.Random(f"thoughts {seed}")
    drawn = iter(writer.named(2 * count) if bucket == "named" else [])
    made: list[tuple[Turn, list[int], list[int]]] = []
    spare: list[tuple[Turn, list[int], list[int]]] = []
    for _ in range(count * 18):
        turn = next(drawn, None) or (writer.long_turn() if bucket == LONGEST else writer.turn())
        prompt, answer = encode_turn(
            turn,
            tokenizer,
            rng if split == "train" or not thoughts else None,
            quiet=QUIET if thoughts else 1.0,
        )
        if len(prompt) + len(answer) <= limit:
            fits = made if len(prompt) + len(answer) > above else spare
            fits.append((turn, prompt, answer))
        if len(made) == count:
            break
    return (made + spare)[:count]


def longest_below(bucket: str) -> int:
    """What the next shorter bucket of turns holds: nothing that fits there is drawn here."""
    shorter = [
        tokens for name, (_, tokens) in BUCKETS.items() if name != "named" and tokens < BUCKETS[bucket][1]
    ]
    return 0 if bucket == "named" else max(shorter, default=0)


def encode_turn(
    turn: Turn, tokenizer: Tokenizer, rng: random.Random | None = None, quiet: float = QUIET
) -> tuple[list[int], list[int]]:
    """Prompt after the screenshot, and answer, in the wire format of the chat template. With `rng`, the thought is
    left out of a share (`quiet`) or garbled, and belongs to the prompt."""
    prompt = f"{turn.user}<|im_end|>\n<|im_start|>assistant\n<think>\n"
    thought, answer = f"{turn.thinks()}\n</think>", f"\n\n{call_text(turn.action)}<|im_end|>"
    draw = rng.random() if rng else 1.0
    if rng and (turn.quiet or draw < quiet):
        prompt += "\n</think>"
    elif rng and draw < quiet + GARBLED and "coordinate" in turn.action and "'" in turn.thought:
        prompt += f"{turn.thinks(garbled(turn.thought, rng))}\n</think>"
    else:
        answer = thought + answer
    return tokenizer.encode(prompt).ids, tokenizer.encode(answer).ids


def garbled(thought: str, rng: random.Random) -> str:
    """With a quoted name cut off, or with a letter lost or taken for another."""
    start = thought.index("'") + 1
    end = max(start + 1, thought.rfind("'"))
    name, at = thought[start:end], rng.randrange(start, end)
    if rng.random() < 0.4:
        return thought[:at] + thought[end:]
    return thought[:at] + rng.choice(("", "a", "e", "r", "s", name[:1])) + thought[at + 1 :]


def loader(stream: PageStream, workers: int, prefetch: int = 4) -> Iterator[dict]:
    return iter(DataLoader(stream, batch_size=None, num_workers=workers, prefetch_factor=prefetch))


def batches(pieces: Iterator[dict], pages: int) -> Iterator[dict[str, torch.Tensor]]:
    """Joins pieces of one bucket to batches of `pages` pages, with the places that losses will need."""
    waiting: dict[str, list[dict]] = {name: [] for name in BUCKETS}
    for got in pieces:
        gathered = waiting[got.pop("bucket")]
        gathered.append(got)
        if len(gathered) * PAGES == pages:
            joined = {name: torch.cat([torch.as_tensor(p[name]) for p in gathered]) for name in gathered[0]}
            yield joined | places(joined["targets"])
            gathered.clear()


def places(targets: torch.Tensor) -> dict[str, torch.Tensor]:
    """Where which token is learned, found on the host: a GPU that must report positions stalls the step. The first
    point of a call is learned by its own losses; the second one of a drag is learned as words are.

    targets [B, N, T]. The names are those of `Batch`. Lists are filled up to whole steps of ROUND, with places that
    count for nothing: few lengths occur, and memory is found again.
    """
    learned = (targets.flatten() != -100).nonzero()[:, 0]
    wanted = targets.flatten()[learned].long()
    is_x = (targets >= X_IDS[0]) & (targets <= X_IDS[1])
    x_at = is_x.int().argmax(-1)
    number = torch.zeros_like(targets, dtype=torch.bool)
    number.scatter_(-1, torch.stack((x_at, x_at + 1), -1), is_x.any(-1, keepdim=True).expand(*x_at.shape, 2))
    number = number.flatten()[learned]
    begun = torch.isin(targets, torch.tensor([CLICK, *OTHER], dtype=targets.dtype))
    last = targets.shape[-1] - 1 - begun.flip(-1).int().argmax(-1)
    named = begun.any(-1) & is_x.any(-1) & (targets.gather(-1, last[..., None])[..., 0] == CLICK)
    after = targets[..., 1:].flatten()
    drafted = (after != -100).nonzero()[:, 0]
    return {
        "learned": filled(learned, at_most=targets.numel()),
        "wanted": filled(wanted),
        "word": filled((~number).float()),
        "x_at": x_at,
        "aims": is_x.any(-1).float(),
        "name_at": (last + 1) * named,
        "named": named.float(),
        "drafted": filled(drafted, at_most=after.numel()),
        "drafts": filled(after[drafted].long(), -100),
    }


def filled(values: torch.Tensor, with_what: int = 0, at_most: int = 0) -> torch.Tensor:
    """Up to a multiple of ROUND. Places (`at_most`: how many there are) are filled with places spread over all, since
    one row that thousands of gradients are added to is slow."""
    count = -len(values) % ROUND
    more = torch.arange(count) % at_most if at_most else torch.full((count,), with_what)
    return torch.cat((values, more.to(values.dtype)))


def ahead(source: Iterator[dict], depth: int = 3) -> Iterator[dict]:
    """The same batches, prepared and pinned by a thread while the GPU works."""
    ready: queue.Queue[dict] = queue.Queue(depth)

    def work() -> None:
        for batch in source:
            ready.put({k: v.pin_memory() if torch.cuda.is_available() else v for k, v in batch.items()})

    threading.Thread(target=work, daemon=True).start()
    while True:
        yield ready.get()


def to_device(batch: dict[str, torch.Tensor], device: str | torch.device, augment: bool) -> Batch:
    tensors = {k: v.to(device, non_blocking=True) for k, v in batch.items()}
    images = _recolour(tensors.pop("images")) if augment else tensors.pop("images")
    ids, targets = tensors.pop("ids").long(), tensors.pop("targets").long()
    return Batch(images=images, ids=ids, targets=targets, **tensors)


def _recolour(images: torch.Tensor) -> torch.Tensor:
    """Contrast, brightness and a slight tint of each page: colours keep their names."""
    count, device = images.shape[0], images.device
    scale = 1 + 0.25 * (torch.rand(count, 1, 1, 3, device=device) - 0.5)
    shift = 30 * (torch.rand(count, 1, 1, 3, device=device) - 0.5)
    return (images.float() * scale + shift).clamp(0, 255).to(torch.uint8)
