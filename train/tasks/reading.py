"""Clauses that are answered from what the page shows, and text that is copied from one place into another."""

from collections.abc import Callable

from ..pages.page import Element, Fact, Ticks
from .clause import Clause, Step
from .facts import BY_PRICE, alone_in_column, extreme, readable
from .filling import type_step
from .goals.shelves import naming
from .references import refer
from .sight import Sight


def answering(see: Sight) -> Clause | None:
    """A question about the page, and its answer."""
    makers: list[Callable[[Sight], Clause | None]] = [
        _fact,
        _fact,
        _fact,
        _which,
        _most,
        _count,
        _count,
        _is_on,
        _holds,
        naming,
        naming,
    ]
    for make in see.rng.sample(makers, 6):
        if clause := make(see):
            return clause
    return None


def _answer(thought: str, text: str) -> Step:
    return Step(thought, {"action": "answer", "text": text})


def _fact(see: Sight) -> Clause | None:
    facts = readable(see)
    if not facts:
        return None
    fact = see.rng.choice(facts)
    return Clause(_question(see, fact), step=_answer(_found(fact), fact.value), told=True, kind="answer")


def _question(see: Sight, fact: Fact) -> str:
    if not fact.subject:
        return see.say.say("ask", a=fact.attribute)
    s = see.say.quote(see.say.cased(fact.subject))
    if fact.attribute == "price" and see.chance(0.4):
        return see.say.say("ask_price", s=s)
    return see.say.say("ask_of", a=fact.attribute, s=s)


def _found(fact: Fact) -> str:
    """What is read, before it is said: 'Price of Brass lantern: $5'."""
    name = fact.attribute[:1].upper() + fact.attribute[1:]
    return f"{name} of {fact.subject}: {fact.value}" if fact.subject else f"{name}: {fact.value}"


def _which(see: Sight) -> Clause | None:
    """Who or what has a value that only one has."""
    facts = alone_in_column(see)
    if not facts:
        return None
    fact = see.rng.choice(facts)
    text = see.say.say("which", a=fact.attribute, v=see.say.quote(fact.value))
    return Clause(text, step=_answer(_found(fact), fact.subject), told=True, kind="which")


def _most(see: Sight) -> Clause | None:
    most = see.chance(0.5)
    fact = extreme(see, most)
    if not fact:
        return None
    text = see.say.say("most" if most else "least", a=fact.attribute)
    if fact.attribute == "price" and see.chance(0.6):
        templates = ["which [one|item|product] is the {w}?", "[name|tell me] the {w} [item|one]"]
        text = see.say.fill(templates, w=see.rng.choice(BY_PRICE[most]))
    return Clause(text, step=_answer(_found(fact), fact.subject), told=True, kind="most")


def _count(see: Sight) -> Clause | None:
    counts = [c for c in see.scene.page.counts if all(m in see.scene.read for m in c.marks)]
    kinds = [c.what for c in see.scene.page.counts]
    counts = [c for c in counts if kinds.count(c.what) == 1 and c.total <= 12]
    if not counts:
        return None
    count = see.rng.choice(counts)
    text = see.say.say("count", w=count.what)
    return Clause(
        text,
        step=_answer(f"{count.what[:1].upper()}{count.what[1:]}: {count.total}", str(count.total)),
        told=True,
        kind="count",
    )


def _is_on(see: Sight) -> Clause | None:
    boxes = [see.element(i) for w in see.scene.page.widgets if isinstance(w, Ticks) for i in w.boxes]
    boxes = [e for e in boxes if see.sees(e.id) and e.name and see.names_it(e)]
    if not boxes:
        return None
    box = see.rng.choice(boxes)
    text = see.say.say("is_on", x=refer(see, box, plainly=True))
    said = "yes" if box.value else "no"
    return Clause(
        text,
        step=_answer(f"'{box.name}' is {'ticked' if box.value else 'not ticked'}", said),
        told=True,
        kind="is_on",
    )


def _holds(see: Sight) -> Clause | None:
    boxes = [
        e
        for e in see.visible
        if e.role in ("select", "field", "date")
        and e.value
        and e.name
        and not e.traits.get("hidden")
        and see.names_it(e)
        and _fits(see, e)
    ]
    if not boxes:
        return None
    box = see.rng.choice(boxes)
    text = see.say.say("is_chosen", x=refer(see, box, plainly=True))
    return Clause(text, step=_answer(f"{box.name}: {box.value}", box.value), told=True, kind="holds")


def _fits(see: Sight, element: Element) -> bool:
    """Whether its value can be read to the end."""
    return len(element.value) * 9 + 24 < see.box(element)[2]


def copying(see: Sight) -> Clause | None:
    """To read something and type it elsewhere."""
    boxes = [e for e in see.visible if e.role == "field" and not e.concept and see.names_it(e)]
    facts = readable(see)
    if not boxes or not facts:
        return None
    box, fact = see.rng.choice(boxes), see.rng.choice(facts)
    named = f"{fact.attribute} of {see.say.quote(fact.subject)}" if fact.subject else fact.attribute
    text = see.say.say("copy", a=named, x=refer(see, box, plainly=True))
    step = type_step(see, box, fact.value)
    if box.value == fact.value:
        return Clause(text, past=[step.thought], kind="settled")
    return Clause(text, step=step, kind="copy")
