"""Writes held-out tasks of 3 to 8 actions: `python -m train.journeys --count 60 --out SET`, then `saccade eval tasks SET`.

Pages of the held-out split (words, fonts, layouts, phrasings that training never sees), one HTML file each, on which
controls work: fields take text, boxes and switches turn, lists drop down, buttons say that they were pressed. Each
task asks for the states of several controls and, most often, for a button in the end; with --plain as most people
would ("type 'Ada' into 'Name', tick 'News' and click 'Save'"). `until` judges by the page alone: all of them as asked
for, no other box or switch turned, no other button pressed.
"""

import argparse
import json
import random
from dataclasses import dataclass
from pathlib import Path

from .held_out import write_page
from .pages import HEIGHT, WIDTH
from .pages.page import Element, Select
from .render import Renderer, Scene
from .shape import SHAPES
from .tasks.sight import Sight

FIRST_SEED = 950_000_000
MOST = {"field": 6, "checkbox": 3, "radio": 1, "select": 2, "switch": 2}  # of one role in a task
LENGTHS = {"3 actions": (3,), "4 actions": (4,), "5 and 6 actions": (5, 6), "7 and 8 actions": (7, 8)}
LIVE = """<style>.page{overflow:auto!important;scrollbar-width:none}
.told{position:absolute;left:8px;bottom:8px;padding:3px 9px;background:#222;color:#fff;border-radius:4px;pointer-events:none;z-index:99}</style>
<script>
const live = {pressed: []}, at = id => document.querySelector(`[data-e="${id}"]`);
live.on = el => { const box = el.matches('input') ? el : el.querySelector('input');
  return box ? box.checked : el.classList.contains('on'); };
live.states = () => [...document.querySelectorAll('.switch[data-e],.seg[data-e],[data-e] input,input[data-e]')]
  .filter(el => el.matches('.switch,.seg,[type=checkbox],[type=radio]'))
  .map(el => [+(el.dataset.e ?? el.parentElement.dataset.e), live.on(el)]);
live.before = new Map(live.states());
live.kept = ids => live.states().every(([id, on]) => ids.includes(id) || live.before.get(id) === on);
live.only = id => id === null ? live.pressed.length === 0 : live.pressed.length > 0 && live.pressed.every(it => it === id);
document.addEventListener('click', ({target}) => {
  const el = target.closest('[data-e]');
  if (!el || el.matches('input,select,textarea,label')) return;
  if (el.matches('.switch')) el.classList.toggle('on');
  else if (el.matches('.seg')) { for (const it of el.parentElement.children) it.classList.toggle('on', it === el); }
  else if (el.matches('.btn,.btn2')) {
    live.pressed.push(+el.dataset.e);
    document.querySelector('.told')?.remove();
    const told = Object.assign(document.createElement('div'), {className: 'told', textContent: `${el.textContent} ✓`});
    document.body.append(told);
  }
});
</script>"""


@dataclass
class Wish:
    """What is wanted of one control: in words, in JavaScript, and in how many actions."""

    element: Element
    text: str
    holds: str
    actions: int = 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=FIRST_SEED)
    parser.add_argument("--plain", action="store_true", help="the commonest words, one kind of quotes")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    (args.out / "pages").mkdir(parents=True, exist_ok=True)
    rows, seed, renderer = [], args.seed, Renderer(8, SHAPES["p8"])
    left = dict.fromkeys(LENGTHS, -(-args.count // len(LENGTHS)))
    while len(rows) < args.count:
        seeds = list(range(seed, seed + 8))
        for number, scene in zip(seeds, renderer.render(seeds, "heldout"), strict=True):
            task = journey(scene, random.Random(number), args.plain)
            if task and len(rows) < args.count and left[task["kind"]]:
                left[task["kind"]] -= 1
                place = write_journey(scene, args.out, len(rows))
                rows.append({"id": f"{len(rows):03}", "page": place, **task})
        seed += 8
    renderer.close()
    (args.out / "tasks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    print(f"{len(rows)} tasks in {args.out}")


def write_journey(scene: Scene, folder: Path, index: int) -> str:
    """The page by itself, with what makes its controls work."""
    place = write_page(scene, folder, index)
    with (folder / place).open("a", encoding="utf-8") as file:
        file.write(LIVE)
    return place


def journey(scene: Scene, rng: random.Random, plain: bool = False) -> dict | None:
    """One task on this page, or None where it offers too little or something is open that covers it."""
    see = Sight(scene, rng, "heldout")
    if plain:
        see.say.begin(plain=1.0)
    if scene.page.overlay or scene.above or 'class="pop"' in scene.page.html:
        return None
    wishes = chosen(see)
    count = sum(wish.actions for wish in wishes)
    if not 3 <= count <= 8:
        return None
    boxes = [w.element.id for w in wishes if w.element.role in ("checkbox", "radio", "switch")]
    groups = [i for w in scene.page.widgets for i in getattr(w, "options", []) if isinstance(i, int)]
    pressed = next((w.element.id for w in wishes if w.element.role == "button"), None)
    until = [w.holds for w in wishes if w.holds] + [
        f"live.kept({json.dumps(sorted({*boxes, *groups}))})",
        f"live.only({json.dumps(pressed)})",
    ]
    return {
        "task": see.say.join([w.text for w in wishes]),
        "until": " && ".join(until),
        "kind": next(name for name, counts in LENGTHS.items() if count in counts),
        "max_steps": 2 * count + 4,
        "viewport": [WIDTH, HEIGHT],
    }


def chosen(see: Sight) -> list[Wish]:
    """Controls in the order of the page, each with a name of its own, and a button that is below them."""
    usable = [e for e in see.elements if e.id in see.scene.boxes and e.name and see.named_once(e.name)]
    usable = [e for e in usable if e in see.visible or e in see.gone]
    found: list[Wish] = []
    aim, used = see.rng.randint(3, 8), dict.fromkeys(MOST, 0)
    for element in see.rng.sample(usable, len(usable)):
        if element.role not in MOST or used[element.role] == MOST[element.role]:
            continue
        wish = wished(see, element)
        if wish and sum(w.actions for w in found) + wish.actions <= aim - 1:
            found.append(wish)
            used[element.role] += 1
    found.sort(key=lambda wish: (see.box(wish.element)[1], see.box(wish.element)[0]))
    buttons = [e for e in usable if e.role == "button" and "btn" in button_class(see, e)]
    below = [e for e in buttons if not found or see.box(e)[1] >= see.box(found[-1].element)[1] - 4]
    if found and below and see.chance(0.85):
        element = see.rng.choice(below)
        name = see.say.cased(element.name)
        found.append(Wish(element, see.say.press("button", see.say.thing("button", name), name), ""))
    return found


def button_class(see: Sight, element: Element) -> str:
    before = see.scene.page.html.split(f'data-e="{element.id}"', 1)[0].rsplit("<", 1)[1]
    return before


def wished(see: Sight, element: Element) -> Wish | None:
    at, name = f"at({element.id})", see.say.cased(element.name)
    match element.role:
        case "field":
            value = see.value(element.name)
            if value == element.value or "\n" in value:
                return None
            return Wish(element, see.say.type("field", name, value), f"{at}.value === {json.dumps(value)}")
        case "checkbox" | "switch":
            on = not element.value
            intents = {"checkbox": ("untick", "tick"), "switch": ("switch_off", "switch_on")}[element.role]
            text = see.say.say(intents[on], x=see.say.thing(element.role, name))
            return Wish(element, text, f"live.on({at}) === {json.dumps(on)}")
        case "radio" if not element.value:
            return Wish(element, see.say.say("choose", x=see.say.thing("radio", name)), f"live.on({at})")
        case "select":
            widgets = (w for w in see.scene.page.widgets if isinstance(w, Select) and w.box == element.id)
            options = [o for o in next(widgets).options if o != element.value]
            wanted = see.rng.choice(options)
            words = {"x": see.say.thing("select", name), "n": name, "q": see.say.quote(wanted)}
            holds = f"{at}.selectedOptions[0].textContent === {json.dumps(wanted)}"
            return Wish(element, see.say.say("pick", **words), holds, actions=2)
    return None


if __name__ == "__main__":
    main()
