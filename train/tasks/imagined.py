"""Clauses about pages that are not here, with the lines they would have left; and steps that need no target."""

from ..pages.concepts import CONCEPTS
from ..phrasebook import CONCEPT, ORDINALS
from ..words import FIELD_NAMES, SEARCH_NAMES
from .clause import Clause, Step, key_step, scroll_step
from .filling import AS_VERB
from .sight import Sight


def imagined(see: Sight) -> Clause:
    w, r = see.words, see.rng.random()
    if r < 0.45:
        role = see.rng.choice(["button", "button", "link", "link", "tab", "checkbox", "radio"])
        name = w.command() if role == "button" else w.place()
        x = see.say.thing(role, see.say.cased(name))
        text = see.say.say("tick", x=x) if role == "checkbox" else see.say.press(role, x, see.say.cased(name))
        return Clause(text, [f"Click '{name}'"])
    if r < 0.6:
        name = see.rng.choice(FIELD_NAMES).strip()
        value = see.value(name)
        return Clause(see.say.type("field", see.say.cased(name), value), [f"Type '{value}' into '{name}'"])
    if r < 0.72:
        query, box = w.thing(), see.rng.choice(SEARCH_NAMES).strip()
        text = see.say.say("search", t=see.say.quote(query))
        return Clause(text, [f"Type '{query}' into '{box}'", "Press Enter"])
    if r < 0.8:
        name, option = w.cased(w.noun()), w.cased(w.noun())
        text = see.say.say("pick", q=see.say.quote(option), x=see.say.thing("select", name), n=name)
        return Clause(text, [f"Open '{name}'", f"Click '{option}'"])
    return _concept(see) if r < 0.9 else _form(see)


def _concept(see: Sight) -> Clause:
    key = see.rng.choice(list(CONCEPT))
    label = see.rng.choice(CONCEPTS.get("cart" if key.startswith("cart") else key, ["Submit", "Send", "OK"]))
    nth, thing = see.rng.choice(ORDINALS[:4]), see.words.thing()
    line = {"cart_of": f"Click '{label}' of '{thing}'", "cart_nth": f"Click the {nth} '{label}'"}
    return Clause(
        see.say.fill(CONCEPT[key], o=nth, c=see.say.quote(thing)), [line.get(key, f"Click '{label}'")]
    )


def _form(see: Sight) -> Clause:
    names = [n.strip() for n in see.rng.sample(FIELD_NAMES, see.rng.randint(1, 4))]
    pairs = [(n, see.value(n)) for n in names]
    typed = [f"Type '{v}' into '{n}'" for n, v in pairs]
    if see.chance(0.7):
        return Clause(see.say.form(see.say.pairs(pairs)), typed)
    concept = see.rng.choice([*AS_VERB, "checkout"])
    press = f"Click '{see.rng.choice(CONCEPTS[concept])}'"
    text = see.say.form(see.say.pairs(pairs), see.say.fill(CONCEPT[concept]))
    return Clause(text, [press, *typed] if concept == "checkout" else [*typed, press])


def anywhere(see: Sight) -> Clause:
    """Steps that need no target: back, reload, keys, an address, scrolling."""
    url = f"https://{see.words.noun()}.example/{see.rng.choice(['', see.words.noun()])}"
    key = see.rng.choice(["Enter", "Enter", "Escape", "Tab", "PageDown", "End", "Home", "ArrowDown"])
    texts, step = see.rng.choice(
        [
            (
                ["go back[ to the previous page|]", "return to the last page", "[go|navigate] one page back"],
                Step("Go back", {"action": "back"}),
            ),
            (
                ["go forward[ again|]", "go to the next page in the history"],
                Step("Go forward", {"action": "forward"}),
            ),
            (
                ["[reload|refresh] the page", "refresh", "load the page again"],
                Step("Reload", {"action": "reload"}),
            ),
            (
                ["[go to|open|visit|navigate to|load] {u}", "[open|go to] the [page|address|site] {u}"],
                Step(f"Open {url}", {"action": "goto", "url": url}),
            ),
            (
                ["scroll down[ the page| further| a bit|]", "scroll further down", "move down the page"],
                scroll_step(True),
            ),
            (["scroll up[ a bit| the page|]", "scroll back up"], scroll_step(False)),
            (["[press|hit] [the |]{k}[ key|]", "press [the key |]{k}[ once|]"], key_step(key)),
        ]
    )
    return Clause(see.say.fill(texts, u=url, k=key), step=step, told=True, kind="key")
