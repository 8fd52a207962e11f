"""What the engine's tests share: pictures, messages, and a network that says what it is told."""

from collections.abc import Callable

import torch
from PIL import Image
from saccade.model.engine import Engine, Generation

from . import tiny


def picture(seed: int, width: int = 24, height: int = 16) -> Image.Image:
    generator = torch.Generator().manual_seed(seed)
    return Image.fromarray(
        torch.randint(0, 256, (height, width, 3), generator=generator, dtype=torch.uint8).numpy()
    )


def user(text: str, *images: Image.Image) -> dict:
    return {
        "role": "user",
        "content": [*({"type": "image", "image": i} for i in images), {"type": "text", "text": text}],
    }


def turns(n: int, opening: str = "Be brief. " * 8) -> list[dict]:
    """A conversation of n steps, each with its screenshot."""
    talk = [{"role": "system", "content": opening}]
    for step in range(n):
        talk += [user(f"Step {step}", picture(step)), {"role": "assistant", "content": f"I did {step}."}]
    return talk[:-1]


def script(engine: Engine, text: str) -> None:
    """Make the network say `text`, then end its turn: everything around the logits stays real.

    Forced tokens that are part of the text are not said again.
    """
    ids, said = [*engine.chat.encode_text(text), tiny.IM_END], 0

    def say(row: int) -> int:
        nonlocal said
        running = engine.scheduler._running
        before = running[0].ids if running else []
        said = max(said, len(before) if before == ids[: len(before)] else 0)
        said += 1
        return ids[said - 1]

    says(engine, say)


def babble(engine: Engine) -> None:
    """Make the network write the same letter for ever."""
    says(engine, lambda row: ord("a") - 33)


def says(engine: Engine, token: Callable[[int], int]) -> None:
    """A row is a token that is written: nothing is guessed from what stood before."""
    engine.scheduler.lookups = 0

    def logits(hidden: torch.Tensor) -> torch.Tensor:
        chosen = torch.tensor([token(i) for i in range(hidden[..., 0].numel())]).view(hidden.shape[:-1])
        return torch.nn.functional.one_hot(chosen, tiny.VOCAB).float()

    engine.model.logits = logits  # type: ignore[method-assign]


def written(generation: Generation) -> list[int]:
    return [piece.token for piece in generation if piece.token is not None]


def tokens(engine: Engine, messages: list[dict], max_tokens: int = 12, **options) -> list[int]:
    return written(engine.generate(messages, max_tokens=max_tokens, **options))
