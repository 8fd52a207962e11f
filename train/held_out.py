"""Writes the held-out set: `python -m train.held_out --count 200 --out DIR`.

Pages of words, fonts, layouts and phrasings that training never sees, one HTML file each, with one task each in
tasks.jsonl: {"page", "task", "kind", "target" (the data-e of the element), "text" (what must be typed) | null}.
`evals/grounding.py` plays them in the product's own browser.
"""

import argparse
import json
import random
import re
from pathlib import Path

from .pages import DOCUMENT
from .render import Renderer, Scene
from .shape import SHAPES
from .tasks import TaskWriter

KINDS = {
    "click": "button link tab checkbox radio icon switch menu section leaf folder".split(),
    "type": ["field"],
    "described": "button link tab checkbox radio icon switch swatch shape star".split(),
}
FIRST_SEED = 900_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--typing", type=int, default=50, help="how many more tasks type into a named field")
    parser.add_argument("--described", type=int, default=0, help="how many more clicks go by look or place")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    (args.out / "pages").mkdir(parents=True, exist_ok=True)
    wanted, rows, seed, renderer = (
        {"click": args.count, "type": args.typing, "described": args.described},
        [],
        FIRST_SEED,
        Renderer(8, SHAPES["p8"]),
    )
    while any(wanted.values()):
        seeds = list(range(seed, seed + 8))
        for number, scene in zip(seeds, renderer.render(seeds, "heldout"), strict=True):
            offers = ((kind, task_for(scene, number, kind)) for kind, n in wanted.items() if n)
            kind, row = next((offer for offer in offers if offer[1]), (None, None))
            if kind and row:
                wanted[kind] -= 1
                rows.append({"page": write_page(scene, args.out, len(rows)), **row})
        seed += 8
    renderer.close()
    (args.out / "tasks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    print(f"{len(rows)} tasks in {args.out}")


def task_for(scene: Scene, seed: int, kind: str) -> dict | None:
    """One task of this kind about one visible element, or None when the page offers none."""
    rng = random.Random(seed)
    writer = TaskWriter(scene, rng, "heldout")
    candidates = [e for e in writer.visible if e.role in KINDS[kind]]
    rng.shuffle(candidates)
    for element in candidates * (4 if kind == "described" else 1):
        clause = writer.clause_for(element, plainly=kind != "described")
        step = clause.step
        if (
            step is None
            or step.box != scene.boxes[element.id]
            or (kind == "type") != bool(step.action.get("text"))
        ):
            continue
        is_named = element.name and element.name.lower() in clause.text.lower()
        if kind == "described" and (is_named or step.action["action"] != "left_click"):
            continue
        row = {
            "task": writer.say.join([clause.text]),
            "kind": f"{element.role}, described" if kind == "described" else element.role,
        }
        return row | {"target": element.id, "text": step.action.get("text")}
    return None


def write_page(scene: Scene, folder: Path, index: int) -> str:
    """The page by itself, scrolled as it was."""
    name = f"pages/{index:03}.html"
    settle = (
        "<script>const p=document.querySelector('.page');"
        "p.scrollTop=Math.round(p.dataset.scroll*(p.scrollHeight-p.clientHeight))</script>"
    )
    body = re.sub(r"#p\d+", "#p0", re.sub(r'id="p\d+"', 'id="p0"', scene.page.html))
    (folder / name).write_text(DOCUMENT.format(body) + settle, encoding="utf-8")
    return name


if __name__ == "__main__":
    main()
