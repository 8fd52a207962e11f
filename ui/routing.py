"""Which experts a prompt uses: counted while the network reads it, then drawn. Knows the engine and a PNG.

Shapes: L layers with experts, E experts.
"""

import math
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ..errors import InputError
from ..model.engine import Engine
from ..model.moe import Router
from ..model.rope import mrope_positions

RAMP = np.array([(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)])  # viridis
INK, PAPER = (32, 32, 32), (255, 255, 255)
LEFT, TOP, RIGHT, BOTTOM = 70, 50, 190, 50  # margins in px


def record_loads(engine: Engine, text: str, image: Path | None = None) -> Tensor:
    """How many tokens of the prompt each expert gets [L, E]; the top-k choices all count."""
    routers = [module for module in engine.model.language_model.modules() if isinstance(module, Router)]
    if not routers:
        raise InputError(f"{engine.name} has no experts: --routing needs a mixture of experts")
    loads = torch.zeros(len(routers), engine.model.config.text.num_experts, dtype=torch.long)
    with ExitStack() as hooks, torch.inference_mode():
        for router, row in zip(routers, loads, strict=True):
            hooks.callback(router.register_forward_hook(partial(_count, row)).remove)
        _read(engine, text, image)
    return loads


def _count(row: Tensor, router: Router, inputs: Any, output: tuple[Tensor, Tensor]) -> None:
    row.add_(output[1].flatten().bincount(minlength=len(row)).cpu())


def _read(engine: Engine, text: str, image: Path | None) -> None:
    """The prompt once through the network, past the engine's caches: what it knows would not be counted."""
    picture = [{"type": "image", "image": image}] if image else []
    prompt = engine.encode(
        [{"role": "user", "content": [*picture, {"type": "text", "text": text}]}], [], True
    )
    model, ids = engine.model, torch.from_numpy(prompt.ids)[None].to(engine.model.device)
    features, grid = None, torch.zeros(0, 3, dtype=torch.long)
    if prompt.images:
        pixels, grid = engine.processor(prompt.images)
        features = model.encode_images(pixels.to(engine.model.device), grid)
    merge = model.config.vision.spatial_merge_size
    positions, _ = mrope_positions(ids[0], (model.config.image_token_id,), grid, merge)
    model(ids, positions[:, None], features=features)


def imbalance(loads: Tensor) -> list[dict[str, float]]:
    """Per layer: the busiest expert's load over the mean, entropy over its maximum (1 is even in both)."""
    shares = loads.double() / loads.sum(1, keepdim=True)
    entropy = -(shares * shares.clamp_min(1e-12).log()).sum(1) / math.log(max(loads.shape[1], 2))
    peaks = shares.amax(1) * loads.shape[1]
    unused = (loads == 0).sum(1)
    rows = zip(peaks.tolist(), entropy.tolist(), unused.tolist(), strict=True)
    return [{"max_over_mean": peak, "entropy": even, "unused": idle} for peak, even, idle in rows]


def draw_loads(loads: Tensor, path: Path, title: str) -> None:
    """A heat map: a row per layer, a column per expert, brightness is the load over the mean."""
    layers, experts = loads.shape
    width, height = max(3, min(56, 1024 // experts)), max(12, min(40, 640 // layers))
    relative = (loads / loads.double().mean(1, keepdim=True)).numpy()
    top = max(float(relative.max()), 1.0)
    cells = Image.fromarray(colours(relative / top)).resize(
        (experts * width, layers * height), Image.Resampling.NEAREST
    )
    canvas = Image.new("RGB", (LEFT + cells.width + RIGHT, TOP + max(cells.height, 160) + BOTTOM), PAPER)
    canvas.paste(cells, (LEFT, TOP))
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(13)
    pen.text((LEFT, 8), title, INK, ImageFont.load_default(15))
    pen.text((LEFT + cells.width + 8, TOP - 20), "max / mean", INK, font)
    for i, row in enumerate(imbalance(loads)):
        middle = TOP + i * height + height // 2
        pen.text((LEFT - 8, middle), f"layer {i}", INK, font, anchor="rm")
        pen.text((LEFT + cells.width + 8, middle), f"{row['max_over_mean']:.2f}", INK, font, anchor="lm")
    for expert in range(0, experts, max(1, -(-experts * 40 // cells.width))):
        x = LEFT + expert * width + width // 2
        pen.text((x, TOP + cells.height + 6), str(expert), INK, font, anchor="mt")
    pen.text((LEFT + cells.width // 2, TOP + cells.height + 26), "expert", INK, font, anchor="mt")
    _draw_scale(canvas, pen, LEFT + cells.width + 100, top, font)
    canvas.save(path)


def _draw_scale(canvas: Image.Image, pen: ImageDraw.ImageDraw, x: int, top: float, font: Any) -> None:
    bar = Image.fromarray(colours(np.linspace(1, 0, 140)[:, None])).resize((16, 140))
    canvas.paste(bar, (x, TOP))
    pen.text((x, TOP - 20), "load / mean", INK, font)
    for value in (0, top / 2, top):
        y = TOP + round(139 * (1 - value / top))
        pen.text((x + 22, y), f"{value:.1f}", INK, font, anchor="lm")


def colours(values: np.ndarray) -> np.ndarray:
    """[h, w] in 0..1 -> [h, w, 3] uint8."""
    stops = np.linspace(0, 1, len(RAMP))
    return np.stack([np.interp(values, stops, channel) for channel in RAMP.T], axis=-1).astype(np.uint8)
