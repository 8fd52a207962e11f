"""Blocks of text: headings, paragraphs, notices, the page that says it worked, a question to be answered."""

from .controls import icon
from .page import Builder, esc

SCRIPTS = """Добро пожаловать|Новости и события|Καλώς ήρθατε|Αρχική σελίδα|Größe wählen|Crème brûlée à emporter
Señal de tráfico|Łódź i Kraków|Žlutý kůň|Ångström måling|Прейскурант на лето""".replace("\n", "|").split("|")


def heading(b: Builder) -> str:
    title = b.words.cased(b.rng.choice([b.words.thing(), b.words.sentence(2, 5).rstrip(".!?")]))
    under = f'<p class="faint">{esc(b.words.sentence(5, 14))}</p>' if b.chance(0.5) else ""
    tag = b.rng.choice(["h1", "h2"])
    mark, attribute = b.mark()
    b.fact("", "heading", title, mark)
    return f"<{tag}><span {attribute}>{esc(title)}</span></{tag}>{under}"


def paragraph(b: Builder) -> str:
    text = " ".join(esc(b.words.sentence()) for _ in range(b.rng.randint(1, 3)))
    for _ in range(b.rng.choice([0, 1, 1, 2])):
        # in a running text a link is most often a plain word of it
        name = b.words.noun() if b.chance(0.45) else b.words.place()
        text += f" {b.link(name)} {esc(b.words.sentence(2, 6))}"
    return f'<p class="{b.rng.choice(["", "faint", "small"])}">{text}</p>'


def mention(b: Builder) -> str:
    """Text that only speaks of what the page has: its names are no things to click. Empty where nothing has a name."""
    names = [e.name for e in b.elements if e.name]
    if not names:
        return ""
    one, other = (esc(b.rng.choice(names)) for _ in range(2))
    said = b.rng.choice(
        [
            f"Press {one} when you are done.",
            f"Use “{one}” or “{other}” to go on.",
            f"{one}: {esc(b.words.sentence())}",
            f"Tip: {one} {esc(b.words.sentence(3, 7))}",
            f"{esc(b.words.sentence(3, 8))} {one}, {other}.",
            f"Choose {one} from what is below, then {other}.",
        ]
    )
    text = f"<b>{said}</b>" if b.chance(0.2) else said
    return f'<p class="{b.rng.choice(["pad", "pad faint", "pad small", "pad panel"])}">{text}</p>'


def foreign(b: Builder) -> str:
    """Text beyond ASCII: it is seen, and never asked for."""
    lines = "".join(f"<div>{line}</div>" for line in b.rng.sample(SCRIPTS, b.rng.randint(1, 3)))
    return f'<div class="block">{lines}</div>'


def alert(b: Builder) -> str:
    ends = (
        ["", "", b.button(b.rng.choice(["Dismiss", "Got it", "OK", "Undo", "Retry"]), "btn2")]
        if b.chance(0.6)
        else [""]
    )
    close, said, (mark, attribute) = ends[-1], b.words.sentence(3, 9), b.mark()
    b.fact("", "notice", said, mark)
    return f'<div class="panel row between block nowrap"><span {attribute}>{esc(said)}</span>{close}</div>'


def done(b: Builder) -> str:
    """What a page says when something worked."""
    said = """Thank you|Thank you!|Success|All done|Saved|Order confirmed|Message sent|Added|Your changes were saved
Payment received|Welcome back|Booking confirmed|Request sent""".replace("\n", "|").split("|")
    number, extra = b.rng.randint(1000, 99999), ""
    if b.chance(0.5):
        label = b.label(lambda: b.rng.choice(["Order number", "Reference", "Booking code", "Ticket number"]))
        mark, attribute = b.mark()
        extra = f"<p>{label}: <b {attribute}>{number}</b></p>"
        b.fact("", label.lower(), str(number), mark)
    return f"<h1>{b.rng.choice(said)}</h1><p>{esc(b.words.sentence(4, 10))}</p>{extra}{paragraph(b)}"


def crumbs(b: Builder) -> str:
    names = b.distinct(b.words.place, b.rng.randint(2, 4))
    sep = b.rng.choice([" / ", " › ", " > "])
    return f'<div class="small block">{sep.join(b.link(n) for n in names)}{sep}{esc(b.words.thing())}</div>'


def comments(b: Builder) -> str:
    """A forum: who said what, and what to do about it."""
    actions = b.rng.sample(["Reply", "Like", "Report", "Quote", "Share"], b.rng.randint(1, 3))
    rows = []
    for person in b.distinct(b.words.person, b.rng.randint(2, 4)):
        ends = "".join(b.link(a, context=person) for a in actions)
        heart = icon(b, b.rng.choice(["heart", "thumbs up"]), person) if b.chance(0.15) else ""
        rows.append(
            f'<div class="panel block"><b>{esc(person)}</b> <span class="small faint">{b.rng.randint(2, 59)} min ago</span>'
            f'<div>{esc(b.words.sentence(4, 10))}</div><div class="row small">{ends}{heart}</div></div>'
        )
    return f"<div>{''.join(rows)}</div>"
