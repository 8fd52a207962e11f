"""Forms of a few fields with their button, empty or partly filled in."""

from .concepts import CONCEPTS
from .controls import field_name, search, select, text_field, ticks
from .page import Builder, esc

# Fields that belong together, and what the button of such a form is for.
SETS = [("Username|Password", "login"), ("Email|Password", "login"), ("Email address|Password", "login"), ("User|Password", "login"),
        ("Name|Email|Password", "signup"), ("First name|Last name|Email|Password", "signup"), ("Email|Password|Repeat password", "signup"),
        ("Full name|Address|City|Postcode", "order"), ("Full name|Email|Phone|Address|City|Country", "continue"), ("Name on card|Card number|Expires|Security code", "pay"),
        ("Name|Email|Subject|Message", "send"), ("Your name|Your email|Message", "send"), ("From|To|Date|Guests", "search"), ("Current password|New password|Repeat new password", "save"),
        ("First name|Last name|Company|Job title|Phone", "save"), ("Title|Location|Start date|Notes", "save")]  # fmt: skip


def form(b: Builder) -> str:
    number, style = len(b.forms), b.rng.choices(["stack", "inline", "inside"], [4, 4, 2])[0]
    kept, purpose = b.rng.choice(SETS)
    if b.chance(0.35):
        names = [b.label(lambda n=n: n) for n in kept.split("|")]
    else:
        names, purpose = [field_name(b) for _ in range(b.rng.randint(1, 6))], ""
    filled = b.rng.choice([0, *(b.rng.randint(0, len(names)) for _ in range(3)), len(names)])
    skipped = b.rng.randrange(filled) if filled > 1 and b.chance(0.15) else None
    values = [b.words.value_for(n) if i < filled and i != skipped else "" for i, n in enumerate(names)]
    focused = filled if b.chance(0.3) else -1
    rows, ids = [], []
    for i, (name, value) in enumerate(zip(names, values, strict=True)):
        rows.append(text_field(b, name, style, number, value, i == focused))
        ids.append(b.last)
    if b.chance(0.3):
        rows.append(select(b, number))
        ids.append(next(e.id for e in reversed(b.elements) if e.role == "select"))
    if b.chance(0.2):
        agree = b.rng.choice(
            ["I agree to the terms", "Remember me", "Send me news", "Keep me signed in", "", b.words.wish()]
        )
        rows.append(
            ticks(b, "checkbox", [agree or b.words.cased(f"{b.words.pseudo()} {b.words.noun()}")], True)
        )
    submit, concept = (b.rng.choice(CONCEPTS[purpose]), purpose) if purpose else submit_name(b)
    b.forms.append([*ids, len(b.elements)])
    ends = [b.button(submit, form=number, concept=concept)]
    if b.chance(0.35):
        ends.append(b.button(b.rng.choice(["Cancel", "Reset", "Back", "Clear", b.words.command()]), "btn2"))
    columns = "grid" if style == "stack" and len(names) > 2 and b.chance(0.25) else ""
    title = f"<h2>{esc(b.words.cased(b.words.thing()))}</h2>" if b.chance(0.6) else ""
    return (
        f'<div class="block {b.rng.choice(["", "panel"])}">{title}<div class="{columns}">{"".join(rows)}</div>'
        f'<div class="row {b.rng.choice(["", "end"])}">{"".join(ends)}</div></div>'
    )


def submit_name(b: Builder) -> tuple[str, str]:
    r = b.rng.random()
    if r < 0.25:
        return b.rng.choice(["Submit", "Send", "Save", "OK", "Continue", "Next", "Done", "Go", "Apply"]), ""
    if r < 0.5:
        concept = b.rng.choice(["login", "signup", "order", "continue", "send", "save", "pay"])
        return b.rng.choice(CONCEPTS[concept]), concept
    return b.words.command(), ""


def nameless(b: Builder) -> str:
    """Fields that stand there without a word, in a column or a row; their place alone tells them apart."""
    rows, number = "", b.rng.randint(1, 4)
    width = b.rng.randint(60, 150)
    for _ in range(number):
        value = b.words.value_for("note") if b.chance(0.25) else ""
        kind = b.rng.choice(["text", "text", "text", "password"]) if not value else "text"
        mark = b.add("field", "", value=value)
        rows += f'<div class="block"><input type="{kind}" {mark} value="{esc(value)}" style="width:{width}px"></div>'
    end = b.button(submit_name(b)[0]) if b.chance(0.7) else ""
    return f'<div class="{b.rng.choice(["block", "row block", "block"])}">{rows}{end}</div>'


def search_block(b: Builder) -> str:
    return f'<div class="block">{search(b)}</div>'


def select_block(b: Builder) -> str:
    return f'<div class="block">{select(b, is_open=b.chance(0.45))}</div>'


def ticked(b: Builder) -> str:
    make = b.rng.choice(
        [b.words.thing, b.words.place, b.noun, b.words.noun, b.words.command, b.words.code, b.words.wish]
    )
    name = b.label(b.noun) if b.chance(0.5) else ""
    legend = f"<div><b>{esc(name)}</b></div>" if name else ""
    count = b.rng.randint(8, 12) if b.chance(0.15) else b.rng.randint(2, 7)
    names = b.distinct(make, count, numbered=0.06)
    return legend + ticks(b, b.rng.choice(["checkbox", "checkbox", "radio"]), names, b.chance(0.4), name)
