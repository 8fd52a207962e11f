"""What guessing from earlier text saves: `python -m bench lookups`, on the built-in model and held-out pages.

Every turn is answered token by token, and with several numbers of tokens guessed at a time, in an order that
changes. The replies must be the same, character by character. Printed: seconds of decoding per reply, tokens
written and guessed, and how many guesses were right. A table, then one JSON line with hardware and date.
"""

import argparse
import json
import platform
import random
from collections import defaultdict
from datetime import date

import torch
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table
from saccade.model.engine import Engine, ModelReply
from saccade.tools import computer_use_schema

from .quantise import held_out_pages

LOOKUPS = (0, 2, 4, 7)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=8)
    parser.add_argument("--turns", type=int, default=6, help="on each page")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--checkpoint", default="builtin")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    engine, different = Engine.from_pretrained(args.checkpoint), 0
    sums: dict[int, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    turns = [(image, said) for image, told in held_out_pages(args.pages, args.turns) for said, _ in told]
    for i, (image, said) in enumerate(track(turns, "turns", console=Console(stderr=True))):
        content = [{"type": "image", "image": Image.fromarray(image)}, {"type": "text", "text": said}]
        talk, texts = [{"role": "user", "content": content}], set()
        answer(engine, talk, 0)  # reads the page, which the others then need not
        for lookups in random.Random(i).sample(LOOKUPS, len(LOOKUPS)):
            reply = answer(engine, talk, lookups)
            texts.add(json.dumps([reply.thought, reply.text, [call.arguments for call in reply.calls]]))
            usage = reply.usage
            sums[lookups]["seconds"] += reply.timings["decode"]
            sums[lookups]["written"] += usage.thinking_tokens + usage.answer_tokens
            sums[lookups]["guessed"] += usage.drafted_tokens
            sums[lookups]["right"] += usage.accepted_tokens
        different += len(texts) > 1
    rows = [{"lookups": n, **{name: it / len(turns) for name, it in sums[n].items()}} for n in LOOKUPS]
    Console().print(table(rows, len(turns), different))
    facts = {"date": date.today().isoformat(), "machine": platform.machine(), "torch": torch.__version__}
    counts = {"threads": args.threads, "turns": len(turns), "different": different}
    print(json.dumps({**facts, **counts, "rows": rows}))


def answer(engine: Engine, talk: list[dict], lookups: int) -> ModelReply:
    engine.scheduler.lookups = lookups
    return engine.generate(talk, tools=[computer_use_schema()], thinking="deep").finish()


def table(rows: list[dict[str, float]], turns: int, different: int) -> Table:
    title = f"A reply, mean of {turns}; {different} differ from token by token"
    table = Table(title=title, title_justify="left")
    for name in ("at a time", "decoding s", "of one by one", "tokens", "guessed", "right"):
        table.add_column(name, justify="right")
    for row in rows:
        share = row["seconds"] / rows[0]["seconds"]
        counts = (f"{row[name]:.1f}" for name in ("written", "guessed", "right"))
        table.add_row(str(row["lookups"]), f"{row['seconds']:.3f}", f"{share:.0%}", *counts)
    return table


if __name__ == "__main__":
    main()
