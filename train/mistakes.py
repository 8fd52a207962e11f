"""What the network gets wrong, turn by turn: `python -m train.mistakes --model DIR --pages 80 --out mistakes.jsonl`.

Turns are scored as in training: every token given the right ones before it. A turn is charged to the part in which its
first wrong token stands: the wish that its thought says again, the deed, a name that the task tells or that must be
read off the page, the call, a text in it. Prints how many turns of each kind are right and where the others begin to
go wrong; --out gets a line of JSON for each turn that is not right.
"""

import argparse
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import torch
from rich.progress import track
from tokenizers import Tokenizer

from .data import BUCKETS, LONGEST, PAGES, SHARES, X_IDS, Y_IDS, turns_on
from .model import Trainee, balance_routers
from .render import Renderer, Scene
from .shape import SHAPES
from .tasks import Turn
from .tasks.sight import plain
from .tokenizer import make_tokenizer
from .weights import load_checkpoint

PARTS = ("wish", "deed", "told name", "read name", "call", "text")
Encoded = tuple[Turn, list[int], list[int]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=Path(__file__).parent.parent / "model" / "builtin")
    parser.add_argument("--shape", choices=SHAPES, default="p10-deep")
    parser.add_argument("--split", choices=["train", "heldout"], default="heldout")
    parser.add_argument("--pages", type=int, default=80, help="at least: they come in eights")
    parser.add_argument("--seed", type=int, default=500_000)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    balance_routers()
    tokenizer = make_tokenizer()
    trainee = Trainee(tokenizer, SHAPES[args.shape])
    load_checkpoint(args.model, trainee)
    found: dict[str, Counter] = defaultdict(Counter)
    wrong = []
    for number, scene, turns in track(pages(args, tokenizer), "pages", total=args.pages):
        for (turn, _, answer), said in zip(turns, answers(trainee, scene, turns), strict=True):
            at = first_wrong(answer, said)
            part = "right" if at is None else part_of(turn, tokenizer.decode(answer[:at]))
            found[turn.kind][part] += 1
            if at is not None:
                told = {"part": part, "kind": turn.kind, "user": turn.user, "right": tokenizer.decode(answer)}
                wrong.append(told | {"said": tokenizer.decode(said), "page": number})
    print(table(found))
    if args.out:
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in wrong)
        args.out.write_text("".join(lines), encoding="utf-8")


def pages(args: argparse.Namespace, tokenizer: Tokenizer) -> Iterator[tuple[int, Scene, list[Encoded]]]:
    """Seeds, pages and turns of one bucket for each, drawn as in the second half of a training."""
    renderer, shares = Renderer(PAGES, SHAPES[args.shape]), [late for _, late in SHARES.values()]
    for base in range(args.seed, args.seed + args.pages, PAGES):
        bucket = random.Random(base).choices(list(SHARES), shares)[0]
        seeds = list(range(base, base + PAGES))
        scenes = renderer.render(seeds, args.split, is_full=bucket == LONGEST)
        for seed, scene in zip(seeds, scenes, strict=True):
            yield seed, scene, turns_on(scene, seed, args.split, bucket, tokenizer, thoughts=True)
    renderer.close()


@torch.inference_mode()
def answers(trainee: Trainee, scene: Scene, turns: list[Encoded]) -> list[list[int]]:
    """The likeliest tokens of each turn's answer."""
    if not turns:
        return []
    longest = max(len(prompt) + len(answer) for _, prompt, answer in turns)
    length = min(tokens for _, tokens in BUCKETS.values() if tokens >= longest)  # whole chunks
    ids = torch.zeros(len(turns), length, dtype=torch.long)
    for row, (_, prompt, answer) in zip(ids, turns, strict=True):
        row[: len(prompt) + len(answer)] = torch.tensor(prompt + answer)
    cache = trainee.see(torch.from_numpy(scene.image)[None])[2]
    hidden, _ = trainee.decode_branches(ids, trainee.branch_positions(ids), cache, len(turns))
    places = [slice(len(prompt) - 1, len(prompt) + len(answer) - 1) for _, prompt, answer in turns]
    states = torch.cat([row[place] for row, place in zip(hidden, places, strict=True)])
    likeliest = trainee.model.logits(states).argmax(-1)
    return [said.tolist() for said in likeliest.split([len(answer) for _, _, answer in turns])]


def first_wrong(answer: list[int], said: list[int]) -> int | None:
    """Coordinates apart: where they are off, `hit` of the training's log says how far."""
    numbers = (*X_IDS, *Y_IDS)
    for i, (wanted, got) in enumerate(zip(answer, said, strict=True)):
        is_number = numbers[0] <= wanted <= numbers[1] or numbers[2] <= wanted <= numbers[3]
        if got != wanted and not is_number:
            return i
    return None


def part_of(turn: Turn, before: str) -> str:
    """Which of PARTS goes on behind `before`, the beginning of the turn's answer."""
    thought, _, call = before.partition("\n</think>")
    if call:
        return "text" if call.rfind("<parameter=text>") > call.rfind("</parameter>") else "call"
    deed = thought[len(turn.due) + 1 :] if turn.due else thought
    if turn.due and len(thought) <= len(turn.due):
        return "wish"
    if deed.count("'") % 2 == 0:
        return "deed"
    name = turn.thought[deed.rfind("'") + 1 :].partition("'")[0]
    return "told name" if plain(name) in plain(turn.user) else "read name"


def table(found: dict[str, Counter]) -> str:
    """Markdown; the kinds with the most mistakes first."""
    whole = sum(found.values(), Counter())
    kinds = sorted(found, key=lambda kind: found[kind]["right"] - found[kind].total())
    rows = [["kind", "turns", "right", *PARTS], ["---"] * (3 + len(PARTS))]
    for kind, counts in [("all", whole), *((kind, found[kind]) for kind in kinds)]:
        right = f"{counts['right'] / max(1, counts.total()):.1%}"
        rows.append([kind, str(counts.total()), right, *(str(counts[part]) for part in PARTS)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    main()
