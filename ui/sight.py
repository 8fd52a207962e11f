"""What a model sees in a picture or a film: its answer, the place it points at, its visual tokens.

Shapes: n visual tokens, T moments, H and W tokens down and across, M the decoder's width.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw

from ..agent.export import draw_action
from ..agent.memory import image_part, snapshot_text, text_part, user
from ..errors import ActionError, InputError
from ..tools.actions import Answer, computer_use_schema, parse_action

if TYPE_CHECKING:
    from ..model.engine import Engine

FILMS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".gif")
OVER_PX = 960
ONE_FRAME = "This model reads one picture at a time: it was shown the middle frame."


@dataclass(frozen=True)
class Media:
    """A picture, or a film with the frame that stands for it."""

    path: Path
    image: Image.Image
    film: bool = False

    @property
    def part(self) -> dict[str, Any]:
        """Of a message."""
        return {"type": "video", "video": str(self.path)} if self.film else image_part(self.image)


@dataclass(frozen=True)
class Sighting:
    """`words`: the answer, or the action that points; `picture` has its place drawn on it."""

    thought: str
    words: str
    picture: Image.Image
    seconds: float
    note: str = ""


def open_media(path: Path) -> Media:
    """Raises InputError for what is neither."""
    if path.suffix.lower() not in FILMS:
        from ..vision.images import load_image

        return Media(path, load_image(path))
    from ..vision.video import load_video

    video = load_video(path)
    return Media(path, video.frames[len(video.frames) // 2], film=True)


def question(media: Media, text: str, memory: str) -> list[dict[str, Any]]:
    """A snapshot model is asked as in a run, about one picture: it knows no other form."""
    if memory == "snapshot":
        return [user(image_part(media.image), text_part(snapshot_text(text, [])))]
    return [user(media.part, text_part(text))]


async def ask(model: Any, media: Media, text: str) -> Sighting:
    """Raises what `reply` raises."""
    memory = model.preferences.memory
    reply = await model.reply(question(media, text, memory), [computer_use_schema()], "auto")
    note = ONE_FRAME if media.film and memory == "snapshot" else ""
    return replace(read(reply, media.image), note=note)


def read(reply: Any, image: Image.Image) -> Sighting:
    words, picture = reply.text.strip(), image
    if reply.calls:
        try:
            action = parse_action(reply.calls[0].name, reply.calls[0].arguments)
        except ActionError as error:
            words = str(error)
        else:
            words = action.text if isinstance(action, Answer) else action.describe()
            picture = draw_action(image, action)
    return Sighting(reply.thought.strip(), words, picture, sum(reply.timings.values()))


def strengths(engine: "Engine", media: Media) -> list[np.ndarray]:
    """How strong each visual token is, [H, W] in 0..1 by rank: the encoder's output, then each DeepStack tap.

    Of a film, the middle moment.
    """
    import torch

    visual = engine.processor.load_video(media.path) if media.film else media.image
    pixels, grid = engine.processor([visual])
    with torch.inference_mode():
        features = engine.model.encode_images(pixels.to(engine.model.device), grid)
    merge = engine.model.config.vision.spatial_merge_size
    t, h, w = (int(size) for size in grid[0])
    maps = [features.tokens, *features.deepstack]
    norms = [m.float().norm(dim=-1).reshape(t, h // merge, w // merge)[t // 2].cpu().numpy() for m in maps]
    return [_ranked(norm) for norm in norms]


def overlay(image: Image.Image, strength: np.ndarray) -> Image.Image:
    """Each token's cell, lit by its strength, over the picture [H, W]."""
    from .routing import colours

    scale = min(OVER_PX / image.width, 4.0)
    size = (round(image.width * scale), round(image.height * scale))
    heat = Image.fromarray(colours(strength)).resize(size, Image.Resampling.NEAREST)
    lit = Image.blend(image.convert("RGB").resize(size), heat, 0.55)
    layer = Image.new("RGBA", size)
    pen, (rows, columns) = ImageDraw.Draw(layer), strength.shape
    for i in range(1, columns):
        x = round(i * size[0] / columns)
        pen.line([(x, 0), (x, size[1])], (255, 255, 255, 46))
    for i in range(1, rows):
        y = round(i * size[1] / rows)
        pen.line([(0, y), (size[0], y)], (255, 255, 255, 46))
    return Image.alpha_composite(lit.convert("RGBA"), layer).convert("RGB")


def layer_names(engine: "Engine") -> list[str]:
    taps = engine.model.config.vision.deepstack_visual_indexes
    return ["Visual tokens", *(f"DeepStack, block {index}" for index in taps)]


def expert_plot(engine: "Engine", media: Media, text: str) -> Path:
    """A PNG beside the picture: which experts read it. Raises InputError for a model without experts."""
    from .routing import draw_loads, record_loads

    if media.film:
        raise InputError("expert load is counted over pictures: give a picture, not a film")
    out = media.path.with_name(f"{media.path.stem}-experts.png")
    draw_loads(record_loads(engine, text, media.path), out, f"Expert load of {engine.name}")
    return out


async def apart(work: Callable[[], Any]) -> Any:
    """What computes with torch, in a thread that ends with it.

    The threads that torch starts for a pool's thread would stay, idle, and slow the engine's decoding down.
    """
    with ThreadPoolExecutor(1, "saccade-look") as thread:
        return await asyncio.wrap_future(thread.submit(work))


def _ranked(norm: np.ndarray) -> np.ndarray:
    """0..1 between the 2nd and the 98th percentile: a few outliers would darken the rest."""
    low, high = np.percentile(norm, [2, 98])
    return np.clip((norm - low) / max(high - low, 1e-9), 0, 1)
