"""Clauses about text: to type, replace, clear and search, and to fill in forms; what is filled in already is done."""

from ..pages.concepts import CONCEPTS
from ..pages.page import Element, Select
from ..phrasebook import CONCEPT, LOGIN
from .clause import Clause, Step, aim, key_step, scroll_step
from .pointing import click_step
from .references import refer
from .sight import Sight

AS_VERB = ("login", "signup", "order", "pay", "send", "save")  # "log in with name Ada": fill in, then press


def type_step(see: Sight, element: Element, value: str) -> Step:
    return aim(f"Type '{value}' into {see.line(element)}", see.box(element), "type", text=value)


def type_line(see: Sight, element: Element, value: str) -> str:
    return f"Type '{value}' into {see.line(element)}"


def typing(see: Sight, element: Element, plainly: bool = False) -> Clause:
    name = see.say.cased(element.name)
    if see.chance(0.07):
        return Clause(
            see.say.say("focus", x=refer(see, element, plainly)),
            step=click_step(see, element),
            told=True,
            kind="field",
        )
    if element.value and see.chance(0.15):
        step = aim(f"Clear {see.line(element)}", see.box(element), "type", text="")
        return Clause(see.say.say("clear", x=refer(see, element, plainly)), step=step, kind="clear")
    is_there = bool(element.value) and (see.chance(0.25) or bool(element.traits.get("hidden")))
    value = element.value if is_there else see.value(element.name)
    if not value.strip() or (value == element.value and not is_there):
        return Clause(
            see.say.say("focus", x=refer(see, element, plainly)),
            step=click_step(see, element),
            told=True,
            kind="field",
        )
    x, t = refer(see, element, plainly), see.say.quote(value)
    n = name if name and see.names_it(element) else x.removeprefix("the ")
    if see.chance(0.1):
        text, step = see.say.say("type_enter", t=t, x=x), type_step(see, element, value)
        if is_there:
            return Clause(text, past=[step.thought], step=key_step("Enter"), told=True, kind="enter")
        return Clause(text, step=step, more=["Press Enter"], told=True, kind="field")
    text = see.say.say("type", t=t, x=x, n=n)
    if is_there:
        return Clause(text, past=[type_line(see, element, value)], kind="settled")
    return Clause(text, step=type_step(see, element, value), kind="field")


def typing_twice(see: Sight) -> Clause | None:
    """One text into two fields, as a password and its repetition: what the first holds, or what it should."""
    no_more = len([e for e in see.elements if e.role in ("field", "search", "date")]) == 2
    fields = [e for e in see.elements if e.role == "field" and see.sees(e.id)]
    fields = [e for e in fields if see.named_once(e.name) or no_more]
    if len(fields) < 2:
        return None
    at = see.rng.randrange(len(fields) - 1)
    pair = fields[at : at + 2]
    held = pair[0].value if see.chance(0.6) else ""
    wanted = held or see.value(pair[0].name)
    if not wanted.strip() or "\n" in wanted:
        return None
    names = [see.say.thing("field", see.say.cased(e.name)) for e in pair]
    is_plain = no_more and (see.chance(0.5) or not all(e.name for e in pair))
    intent = "type_in_both" if is_plain else "type_twice"
    text = see.say.say(intent, t=see.say.quote(wanted), a=names[0], b=names[1])
    lines = [type_line(see, e, wanted) for e in pair]
    if pair[0].value != wanted:
        return Clause(text, step=type_step(see, pair[0], wanted), more=lines[1:], kind="form")
    if pair[1].value != wanted:
        return Clause(text, lines[:1], type_step(see, pair[1], wanted), kind="form")
    return Clause(text, lines, kind="settled")


def searching(see: Sight, element: Element) -> Clause:
    """To search: type, then press Enter. What stands in the box has been typed."""
    drawn = see.rng.choice([see.words.thing, see.words.noun, lambda: see.value("x")])()
    query = element.value if element.value and see.chance(0.6) else drawn.strip() or "lamp"
    only_one = len([e for e in see.glimpsed if e.role == "search"]) == 1
    if not only_one or see.chance(0.12):
        if query == element.value:
            return Clause(
                see.say.type("search", element.name, query),
                past=[type_line(see, element, query)],
                kind="settled",
            )
        return Clause(
            see.say.type("search", element.name, query), step=type_step(see, element, query), kind="search"
        )
    text = see.say.say("search", t=see.say.quote(query))
    if query == element.value:
        return Clause(
            text, past=[type_line(see, element, query)], step=key_step("Enter"), told=True, kind="search"
        )
    return Clause(text, step=type_step(see, element, query), more=["Press Enter"], told=True, kind="search")


# ---- lists that drop down


def picking(see: Sight, widget: Select, wanted: str = "") -> Clause | None:
    """To choose from a list: open it, click the entry; done when the closed list shows it."""
    box = see.element(widget.box)
    wanted = wanted or see.rng.choice(widget.options)
    shown = see.say.cased(wanted)
    lists = [w for w in see.scene.page.widgets if isinstance(w, Select)]
    text = see.say.say(
        "pick_only" if len(lists) == 1 and see.chance(0.35) else "pick",
        q=see.say.quote(shown),
        x=see.say.thing("select", see.say.cased(box.name)),
        n=see.say.cased(box.name),
    )
    opened = f"Open '{box.name}'"
    if widget.entries:
        entry = see.element(widget.entries[widget.options.index(wanted)])
        if not see.sees(entry.id):
            return None
        return Clause(text, past=[opened], step=click_step(see, entry), kind="option")
    if not see.sees(box.id):
        return None
    if box.value == wanted:
        return Clause(text, past=[opened, f"Click '{wanted}'"], kind="settled")
    return Clause(text, step=aim(opened, see.box(box)), kind="select")


# ---- forms


def form_clause(see: Sight, ids: list[int]) -> Clause | None:
    """To fill in a form and perhaps send it. The next step is about the first field that does not hold what it
    should, in the order of the task; if it is out of sight, to scroll there."""
    form = [see.element(i) for i in ids]
    fields, submit = form[:-1], form[-1]
    fields = [f for f in fields if f.role == "field" or see.chance(0.6)]
    if not fields or any(not see.named_once(f.name) for f in fields):
        return None
    if len(fields) > 2 and see.chance(0.15):
        fields = see.rng.sample(fields, len(fields))
    kept = see.rng.choice([1.0, 1.0, 0.8])  # of what the fields hold, so much is what they should hold
    pairs: list[tuple[str, str]] = []
    past: list[str] = []
    step, at = None, 0
    for place, element in enumerate(fields):
        wanted = wanted_in(see, element, kept)
        pairs.append((see.say.cased(element.name), wanted))
        is_right = element.value == wanted
        if is_right and step is None:
            past += form_lines(see, element, wanted)
        elif step is None:
            step, at = form_step(see, element, wanted), place
            if step is None:
                return None
            if step.action["action"] == "type" and see.chance(0.05):  # it went wrong before
                past.append(step.thought)
    if all(see.sees(f.id) and not f.traits.get("hidden") for f in fields if f.value) and see.chance(0.1):
        past = []  # it was filled in before the task began
    return _with_end(see, pairs, past, step, at, submit)


def wanted_in(see: Sight, element: Element, kept: float) -> str:
    if element.role == "select":
        options = next(
            w.options for w in see.scene.page.widgets if isinstance(w, Select) and w.box == element.id
        )
        return (
            element.value if element.value in options and see.chance(kept - 0.3) else see.rng.choice(options)
        )
    if element.value and (element.traits.get("hidden") or see.chance(kept)):
        return element.value
    return see.value(element.name)


def form_lines(see: Sight, element: Element, wanted: str) -> list[str]:
    if element.role == "select":
        return [f"Open '{element.name}'", f"Click '{wanted}'"]
    return [f"Type '{wanted}' into '{element.name}'"]


def form_step(see: Sight, element: Element, wanted: str) -> Step | None:
    if not see.sees(element.id):
        return toward(see, element)
    if element.role == "select":
        return aim(f"Open '{element.name}'", see.box(element))
    return aim(f"Type '{wanted}' into '{element.name}'", see.box(element), "type", text=wanted)


def toward(see: Sight, element: Element) -> Step | None:
    """To scroll to it, where it is wholly out of sight below or above."""
    if element not in see.gone:
        return None
    return scroll_step(see.box(element)[1] > 0)


def _with_end(
    see: Sight, pairs: list[tuple[str, str]], past: list[str], step: Step | None, at: int, submit: Element
) -> Clause | None:
    """`at`: the pair that the step is for."""
    concept, style = submit.concept, see.rng.random()
    alone = sum(e.concept == concept for e in see.elements) == 1
    names, said, end = [name.lower() for name, _ in pairs], see.say.pairs(pairs), ""
    if concept == "login" and alone and len(pairs) == 2 and "password" in names[1] and style < 0.6:
        user, password = (see.say.quote(t) if see.chance(0.5) else t for _, t in pairs)
        text, ends, said = see.say.fill(LOGIN, u=user, p=password), True, [user, password]
    elif concept in AS_VERB and alone and style < 0.4:
        end, ends = see.say.fill(CONCEPT[concept]), True
        text = see.say.form(said, end)
    elif style < 0.5:
        came = f"Click '{see.rng.choice(CONCEPTS['checkout'])}'"
        text, past, ends = see.say.form(said, see.say.fill(CONCEPT["checkout"])), [came, *past], False
        if submit.concept == "checkout" or any(e.concept == "checkout" for e in see.glimpsed):
            return None
    else:
        text, ends = see.say.form(said), see.chance(0.7)
        if ends:
            end = (
                see.say.fill(CONCEPT[concept])
                if alone and concept in CONCEPT and see.chance(0.4)
                else see.say.press("button", see.say.thing("button", see.say.cased(submit.name)), "")
            )
            if not see.named_once(submit.name) and not (alone and concept):
                return None
            text += see.rng.choice([" and ", ", then ", " and then ", ", and "]) + end
    if step is None and ends:
        step = click_step(see, submit) if see.sees(submit.id) else toward(see, submit)
        if step is None:
            return None
        return Clause(text, past, step, told=True, kind="submit", due=end)
    return Clause(text, past, step, kind="form" if step else "settled", due=said[at])
