"""What narrower weights cost: `python -m bench quantise`, on the built-in model and pages it has not seen.

Every variant reads the same screenshots and the same right replies, token by token. Printed per variant: the
size of the weights, the error of its logits against fp32 (relative to their spread), how often its likeliest
token is another one, and the perplexity of the replies. A table, then one JSON line with hardware and date.
"""

import argparse
import json
import math
import platform
import random
from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table
from saccade.model.engine import Engine
from saccade.model.quantise import Kind
from saccade.model.rope import mrope_positions
from torch import Tensor
from torch.nn import functional as F

from train.held_out import FIRST_SEED
from train.render import Renderer
from train.shape import SHAPES
from train.tasks import TaskWriter
from train.tokenizer import call_text

VARIANTS: dict[str, tuple[torch.dtype, Kind | None]] = {
    "fp32": (torch.float32, None),
    "bf16": (torch.bfloat16, None),
    "int8, rest fp32": (torch.float32, "int8"),
    "int4, rest fp32": (torch.float32, "int4"),
    "int8, rest bf16": (torch.bfloat16, "int8"),
    "int4, rest bf16": (torch.bfloat16, "int4"),
}
PAGES_AT_ONCE = 4
Page = tuple[
    np.ndarray, list[tuple[str, str]]
]  # the screenshot, and turns: what the user says, the right reply
Scored = list[tuple[Tensor, Tensor]]  # of each turn the logits [T, vocab] that predict the reply, its ids [T]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=8)
    parser.add_argument("--turns", type=int, default=12, help="on each page")
    parser.add_argument("--checkpoint", default="builtin")
    args = parser.parse_args()
    pages, exact, rows = list(held_out_pages(args.pages, args.turns)), [], []
    for name, (dtype, kind) in track(VARIANTS.items(), "weights", console=Console(stderr=True)):
        engine = Engine.from_pretrained(args.checkpoint, dtype=dtype, quantise=kind)
        scored = [turn for page in pages for turn in score(engine, page)]
        exact = exact or scored
        mib = weight_bytes(engine.model) / 2**20
        rows.append({"weights": name, "mib": round(mib, 2), **errors(scored, exact)})
    Console().print(table(rows, len(exact)))
    facts = {"date": date.today().isoformat(), "machine": platform.machine(), "torch": torch.__version__}
    counts = {"turns": len(exact), "tokens": sum(len(ids) for _, ids in exact)}
    print(json.dumps({**facts, **counts, "rows": rows}))


def held_out_pages(pages: int, turns: int) -> Iterator[Page]:
    """Pages of words, fonts and phrasings that training never sees, with turns on them."""
    renderer = Renderer(PAGES_AT_ONCE, SHAPES["p8"])
    for start in range(0, pages, PAGES_AT_ONCE):
        seeds = [FIRST_SEED + start + i for i in range(PAGES_AT_ONCE)]
        for seed, scene in list(zip(seeds, renderer.render(seeds, "heldout"), strict=True))[: pages - start]:
            written = TaskWriter(scene, random.Random(seed), "heldout").turns(turns)
            calls = (f"{turn.thought}\n</think>\n\n{call_text(turn.action)}<|im_end|>" for turn in written)
            yield scene.image, list(zip((turn.user for turn in written), calls, strict=True))
    renderer.close()


@torch.inference_mode()
def score(engine: Engine, page: Page) -> Scored:
    """The screenshot is read once; its turns go on from there."""
    model, config, (image, turns) = engine.model, engine.model.config, page
    prompts, answers = [], [engine.chat.encode_text(reply) for _, reply in turns]
    for said, _ in turns:
        content = [{"type": "image", "image": Image.fromarray(image)}, {"type": "text", "text": said}]
        prompts.append(engine.encode([{"role": "user", "content": content}], [], True))
    shared = prompts[0].ids.tolist().index(config.vision_end_token_id) + 1
    pixels, grid = engine.processor(prompts[0].images)
    features, cache, scored = model.encode_images(pixels, grid), model.empty_cache(), []
    for i, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        ids = torch.tensor([[*prompt.ids.tolist(), *answer]])
        rows, _ = mrope_positions(ids[0], (config.image_token_id,), grid, config.vision.spatial_merge_size)
        if i == 0:
            model(ids[:, :shared], rows[:, None, :shared], cache, features)
        hidden = model(ids[:, shared:], rows[:, None, shared:], cache.fork())
        scored.append((model.logits(hidden[0, -len(answer) - 1 : -1]).float(), ids[0, -len(answer) :]))
    return scored


def errors(scored: Scored, exact: Scored) -> dict[str, float]:
    logits, wanted = (torch.cat([turn for turn, _ in each]) for each in (scored, exact))
    spread = wanted - wanted.mean(-1, keepdim=True)
    surprise = F.cross_entropy(logits, torch.cat([ids for _, ids in exact]))
    return {
        "logit_error": round(float((logits - wanted).norm() / spread.norm()), 5),
        "other_token": round(float((logits.argmax(-1) != wanted.argmax(-1)).float().mean()), 5),
        "perplexity": round(math.exp(surprise), 4),
    }


def weight_bytes(model: torch.nn.Module) -> int:
    return sum(t.nbytes for t in [*model.parameters(), *model.buffers()])


def table(rows: list[dict[str, Any]], turns: int) -> Table:
    table = Table(title=f"Narrower weights, {turns} held-out turns", title_justify="left")
    names = ("weights", "MiB", "logit error", "other token", "perplexity", "change")
    for name in names:
        table.add_column(name, justify="left" if name == "weights" else "right")
    for row in rows:
        change = row["perplexity"] / rows[0]["perplexity"] - 1
        table.add_row(
            row["weights"], f"{row['mib']:.1f}", f"{row['logit_error']:.2%}", f"{row['other_token']:.2%}",
            f"{row['perplexity']:.4f}", f"{change:+.2%}",
        )  # fmt: skip
    return table


if __name__ == "__main__":
    main()
