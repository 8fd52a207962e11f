"""Batches for training: every worker renders fresh pages in its own Chromium and writes turns on them."""

import os
import queue
import random
import threading
from collections.abc import Iterator

import numpy as np
import torch
from tokenizers import Tokenizer
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from .model import Batch, token_ids
from .render import Renderer, Scene
from .tasks import TaskWriter, Turn
from .tokenizer import call_text, make_tokenizer

PAGES = 8  # per rendering call, and per piece of a batch
X_IDS = token_ids(make_tokenizer(), "[0", "[1000")
BUCKETS = {"short": (12, 192), "long": (5, 512)}  # turns per page, tokens per turn


class PageStream(IterableDataset):
    """Endless pieces of PAGES scenes with their turns, as numpy arrays; every fourth worker gives long turns."""

    def __init__(self, seed: int, split: str = "train"):
        self.seed, self.split = seed, split

    def __iter__(self) -> Iterator[dict[str, np.ndarray | str]]:
        torch.set_num_threads(1)
        os.nice(5)  # the trainer's own threads come first
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        bucket = "long" if worker % 4 == 3 else "short"
        tokenizer, number, renderer = make_tokenizer(), worker, Renderer(PAGES)
        while True:
            base = self.seed * 1_000_000_007 + number * PAGES
            scenes = renderer.render([base + i for i in range(PAGES)], self.split)
            yield piece(scenes, base, self.split, bucket, tokenizer)
            number += workers


def piece(scenes: list[Scene], seed: int, split: str, bucket: str, tokenizer: Tokenizer) -> dict:
    turns_per_page, tokens = BUCKETS[bucket]
    ids = np.zeros((len(scenes), turns_per_page, tokens), np.int32)
    targets = np.full_like(ids, -100)
    boxes = np.zeros((len(scenes), turns_per_page, 4), np.float32)
    for i, scene in enumerate(scenes):
        for j, (turn, prompt, answer) in enumerate(_turns(scene, seed + i, split, bucket, tokenizer)):
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


def _turns(
    scene: Scene, seed: int, split: str, bucket: str, tokenizer: Tokenizer
) -> list[tuple[Turn, list[int], list[int]]]:
    """Turns that fit the bucket; the long bucket prefers long ones."""
    count, limit = BUCKETS[bucket]
    writer = TaskWriter(scene, random.Random(seed), split)
    made: list[tuple[Turn, list[int], list[int]]] = []
    for _ in range(count * 4):
        turn = writer.turn()
        prompt, answer = encode_turn(turn, tokenizer)
        if len(prompt) + len(answer) <= limit:
            made.append((turn, prompt, answer))
        if len(made) == count * (3 if bucket == "long" else 1):
            break
    if bucket == "long":
        made.sort(key=lambda m: -len(m[1]))
    return made[:count]


def encode_turn(turn: Turn, tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """Prompt after the screenshot, and answer, in the wire format of the chat template."""
    prompt = f"{turn.user}<|im_end|>\n<|im_start|>assistant\n<think>\n"
    answer = f"{turn.thought}\n</think>\n\n{call_text(turn.action)}<|im_end|>"
    return tokenizer.encode(prompt).ids, tokenizer.encode(answer).ids


def loader(seed: int, split: str, workers: int, prefetch: int = 4) -> Iterator[dict]:
    return iter(
        DataLoader(PageStream(seed, split), batch_size=None, num_workers=workers, prefetch_factor=prefetch)
    )


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
    """Where tokens are learned, found on the host: a GPU that must report positions stalls the step."""
    flat = targets.flatten()
    learned = (flat != -100).nonzero()[:, 0]
    wanted = flat[learned].long()
    return {
        "learned": learned,
        "wanted": wanted,
        "at_x": ((wanted >= X_IDS[0]) & (wanted <= X_IDS[1])).nonzero()[:, 0],
    }


def ahead(source: Iterator[dict], depth: int = 3) -> Iterator[dict]:
    """The same batches, prepared and pinned by a thread while the GPU works."""
    ready: queue.Queue[dict] = queue.Queue(depth)

    def work() -> None:
        for batch in source:
            ready.put({k: v.pin_memory() if torch.cuda.is_available() else v for k, v in batch.items()})

    threading.Thread(target=work, daemon=True).start()
    while True:
        yield ready.get()


def to_device(batch: dict[str, torch.Tensor], device: str, augment: bool) -> Batch:
    tensors = {k: v.to(device, non_blocking=True) for k, v in batch.items()}
    images = _recolour(tensors.pop("images")) if augment else tensors.pop("images")
    ids, targets = tensors.pop("ids").long(), tensors.pop("targets").long()
    return Batch(images=images, ids=ids, targets=targets, **tensors)


def _recolour(images: torch.Tensor) -> torch.Tensor:
    """Contrast, brightness and tint of each page, and sometimes its negative."""
    count, device = images.shape[0], images.device
    scale = 1 + 0.25 * (torch.rand(count, 1, 1, 3, device=device) - 0.5)
    shift = 30 * (torch.rand(count, 1, 1, 3, device=device) - 0.5)
    x = images.float()
    x = torch.where(torch.rand(count, 1, 1, 1, device=device) < 0.05, 255 - x, x)
    return (x * scale + shift).clamp(0, 255).to(torch.uint8)
