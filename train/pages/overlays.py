"""What lies over a page: dialogs about the task, and notices that are only in the way."""

from .concepts import CONFIRM, DISMISS, REFUSE
from .controls import icon
from .forms import form
from .lists import buttons
from .page import Builder, Overlay, esc


def confirmation(b: Builder) -> str:
    """Asks whether something is really meant."""
    verb, thing = (
        b.rng.choice(["Delete", "Remove", "Archive", "Discard", "Cancel", "Send", "Publish"]),
        b.words.thing(),
    )
    yes = b.rng.choice([verb, verb, *CONFIRM[:3]])
    no = b.rng.choice([word for word in REFUSE if word != yes])
    asks = b.rng.choice(
        [
            "{v} '{t}'?",
            "Do you really want to {w} {t}?",
            "Are you sure? {t} will be gone.",
            "{v} {t}? This cannot be undone.",
        ]
    )
    parts = [b.button(yes, "btn")]
    confirm = b.last
    parts.append(b.button(no, "btn2"))
    b.overlay = Overlay(b.last, confirm, f"{verb.lower()} {thing}")
    row = "".join(parts if b.chance(0.5) else parts[::-1])
    text = asks.format(v=verb, w=verb.lower(), t=thing)
    return _over(b, f"<p>{esc(text)}</p><div class='row end'>{row}</div>")


def notice(b: Builder) -> str:
    """A newsletter, an offer, a tour: to be closed before anything else."""
    title = b.rng.choice(
        [
            "Subscribe to our newsletter",
            "Special offer",
            "Welcome!",
            "Rate this page",
            "Take the tour",
            "Get the app",
            b.words.thing(),
        ]
    )
    other = (
        b.button(b.rng.choice(["Subscribe", "Show me", "Start", "Install", "Sign me up"]), "btn")
        if b.chance(0.5)
        else ""
    )
    if b.chance(0.5):
        close = f'<span style="float:right">{icon(b, "cross", tag="a")}</span>'
        b.overlay = Overlay(b.last)
        return _over(b, f"{close}<h2>{esc(title)}</h2><p>{esc(b.words.sentence(4, 12))}</p>{other}")
    close = b.button(b.rng.choice(DISMISS), "btn2")
    b.overlay = Overlay(b.last)
    return _over(
        b, f"<h2>{esc(title)}</h2><p>{esc(b.words.sentence(4, 12))}</p><div class='row'>{other}{close}</div>"
    )


def dialog(b: Builder) -> str:
    """A dialog that is what the task is about: a form, or a text with buttons."""
    b.forms.clear()
    inner = form(b) if b.chance(0.4) else f"<p>{esc(b.words.sentence(4, 14))}</p>{buttons(b)}"
    close = f'<span style="float:right">{icon(b, "cross", tag="a")}</span>' if b.chance(0.4) else ""
    title = f"<h2>{esc(b.words.thing())}</h2>" if b.chance(0.7) else ""
    return _over(b, close + title + inner)


def cookies(b: Builder) -> str:
    """A banner over the bottom or top edge; what it hides is out of reach until it is gone."""
    refuse, accept = (
        b.rng.choice(["Reject all", "Only necessary", "Decline"]),
        b.rng.choice(["Accept all", "Accept", "Allow all"]),
    )
    both = b.chance(0.6)
    yes = b.button(accept, "btn")
    dismiss = b.last
    no = ""
    if both:
        no = b.button(refuse, "btn2")
        dismiss = b.last
    mark, attribute = b.mark()
    b.overlay = Overlay(dismiss, mark=mark)
    edge = b.rng.choice(["bottom:0", "bottom:0", "top:0"])
    text = b.rng.choice(
        ["We use cookies.", "This site uses cookies to improve your visit.", "We value your privacy."]
    )
    banner = (
        f'<div class="panel row nowrap" {attribute} style="{edge};left:0;right:0;padding:{b.rng.choice([8, 16, 26])}px 10px;pointer-events:auto;position:absolute">'
        f'<span class="small">{text} {esc(b.words.sentence(3, 8))}</span>{no}{yes}</div>'
    )
    return f'<div style="position:sticky;top:0;height:0;z-index:8"><div style="position:absolute;inset:0 0 auto 0;height:360px;pointer-events:none">{banner}</div></div>'


def _over(b: Builder, inner: str) -> str:
    return (
        f'<div class="over"><div class="panel" style="width:{b.rng.randint(200, 360)}px">{inner}</div></div>'
    )
