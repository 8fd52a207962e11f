"""What can be read off a page without doubt: single facts, columns of them, the largest and the smallest."""

import re

from ..pages.page import Fact
from .sight import Sight, plain

AMOUNT = re.compile(r"[^\d]{0,2}\d+(\.\d+)?( €| USD)?")
BY_PRICE = (("cheapest", "least expensive"), ("most expensive", "dearest"))  # the smallest, the largest


def readable(see: Sight) -> list[Fact]:
    """Facts that can be read and are the only ones of their subject and attribute. "The total" of the page is not one
    thing where rows have a total of their own."""
    facts = see.scene.page.facts
    keys = [(plain(f.subject), plain(f.attribute)) for f in facts]
    attributes = [attribute for _, attribute in keys]
    return [
        fact
        for fact, key in zip(facts, keys, strict=True)
        if keys.count(key) == 1 and see.can_read(fact) and (fact.subject or attributes.count(key[1]) == 1)
    ]


def column(see: Sight) -> list[Fact]:
    """All facts of one attribute that is drawn, each with a subject of its own, all readable; or none."""
    facts = [f for f in see.scene.page.facts if f.subject]
    names = sorted({f.attribute for f in facts})
    for name in see.rng.sample(names, len(names)):
        found = [f for f in facts if f.attribute == name]
        subjects = {plain(f.subject) for f in found}
        if len(found) > 1 and len(subjects) == len(found) and all(see.can_read(f) for f in found):
            return found
    return []


def alone_in_column(see: Sight) -> list[Fact]:
    """Those of a column whose value no other has."""
    facts = column(see)
    return [f for f in facts if sum(plain(o.value) == plain(f.value) for o in facts) == 1]


def extreme(see: Sight, most: bool) -> Fact | None:
    """The fact of a column of amounts that is larger, or smaller, than all others."""
    facts = column(see)
    if not facts or not all(AMOUNT.fullmatch(f.value) for f in facts):
        return None
    if len({re.sub(r"[\d.]", "", f.value) for f in facts}) > 1:
        return None
    amounts = [float(re.sub(r"[^\d.]", "", f.value)) for f in facts]
    best = max(amounts) if most else min(amounts)
    return facts[amounts.index(best)] if amounts.count(best) == 1 else None
