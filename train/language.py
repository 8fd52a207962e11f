"""How people ask for things: draws from the phrasebook, with quotes, capitals, slips of the finger, and joins.

Some phrasings belong to the held-out split only, so that evaluation also measures language never trained on. In
training, now and then, a verb is one that nobody uses so: what it must mean, the rest of the sentence says. A task told
plainly has one kind of quotes, the commonest verbs, and commas with an "and" before the last wish.
"""

import functools
import random
import re

from .colloquial import COLLOQUIAL
from .manner import AFTER, BEFORE, COUNTS, FRAMES, IMPERATIVES, ORDERS
from .phrasebook import (
    BOOK,
    CLOSERS,
    FORM,
    JOINS,
    NOUNS,
    OPENERS,
    ORDINALS,
    PAIR,
    PLAIN,
    STRANGE,
    VERB_OPENERS,
    WITH,
)
from .words import is_held_out, word_list

QUOTES = ["'{}'", "'{}'", '"{}"', '"{}"', "{}", "{}", "{}", "{}", "“{}”"]
GOES = ("link", "tab", "page", "menu", "section")  # people go to them as often as they click them
PLAIN_QUOTES = ["'{}'", "'{}'", "'{}'", '"{}"', '"{}"', "{}", "{}", "“{}”"]
STRANGE_SHARE, COLLOQUIAL_SHARE = 0.25, 0.35  # of phrasings whose intent has some
Template = tuple[str | tuple[str, ...], ...]


@functools.cache
def parse(template: str) -> Template:
    """ "[a|b] {x}" -> (("a", "b"), " {x}")."""
    pieces = re.split(r"\[([^\[\]]*)\]", template)
    return tuple(tuple(p.split("|")) if i % 2 else p for i, p in enumerate(pieces))


@functools.cache
def strange_verbs() -> tuple[str, ...]:
    """Words that stand for verbs, none of them of a phrasing that training must not see."""
    unseen = set(re.findall("[a-z]+", " ".join(t for _, held_out in BOOK.values() for t in held_out)))
    words = word_list() or tuple(
        a + b for a in "bra clo fin gru ste vo".split() for b in "b ck ll nk p st".split()
    )
    return tuple(w for w in words if w.islower() and len(w) < 9 and w not in unseen and not is_held_out(w))


class Phrases:
    """Draws phrasings from one random stream; `held_out` adds the phrasings that training never sees."""

    def __init__(self, rng: random.Random, held_out: bool):
        self.rng, self.held_out = rng, held_out
        self.quotes: str | None = None  # of a task that is told plainly

    def begin(self, plain: float) -> None:
        """Another task, told plainly with this probability."""
        self.quotes = self.rng.choice(PLAIN_QUOTES) if self.rng.random() < plain else None

    def say(self, intent: str, **parts: str) -> str:
        train, unseen = BOOK[intent]
        if self.quotes:
            return self.fill([PLAIN.get(intent, train[0])], **parts)
        if not self.held_out and intent in STRANGE and self.rng.random() < STRANGE_SHARE:
            return self.fill(STRANGE[intent], v=self.rng.choice(strange_verbs()), **parts)
        if self.held_out and self.rng.random() < 0.35:
            return self.fill(unseen, **parts)
        more = COLLOQUIAL.get(intent) if self.rng.random() < COLLOQUIAL_SHARE else None
        return self.fill(more or train, **parts)

    def fill(self, templates: list[str], **parts: str) -> str:
        """One of the templates, its choices made, its parts filled in; now and then a slip in its own words."""
        pieces = parse(self.rng.choice(templates))
        text = "".join(p if isinstance(p, str) else self.rng.choice(p) for p in pieces)
        if self.rng.random() < 0.04:
            text = self._slip_outside_braces(text)
        if self.rng.random() < 0.02:
            text = text.replace(" the ", " ").removeprefix("the ")
        if (nth := parts.get("o")) and nth in ORDINALS and self.rng.random() < 0.2:
            place = [*ORDINALS].index(nth) + 1
            parts["o"] = f"{place}{('st', 'nd', 'rd', *('th',) * 7)[place - 1]}"
        return text.format(**parts)

    def number(self, number: int) -> str:
        """In figures or, when it is small, in words."""
        return COUNTS[number] if number < len(COUNTS) and self.rng.random() < 0.35 else str(number)

    def quote(self, text: str) -> str:
        mark = "'" if '"' in text else '"' if "'" in text else None
        if mark:
            return f"{mark}{text}{mark}"
        return (self.quotes or self.rng.choice(QUOTES)).format(text)

    def cased(self, name: str) -> str:
        """Users rarely copy capitals faithfully."""
        r = self.rng.random()
        if r < (0.9 if self.quotes else 0.7):
            return name
        return name.lower() if r < 0.93 else name.title() if r < 0.97 else name.upper()

    def thing(self, role: str, name: str) -> str:
        return self.fill(NOUNS[role][: 3 if self.quotes else None], q=self.quote(name))

    def press(self, role: str, x: str, name: str) -> str:
        """To click it, in words that never mean a state."""
        return self.say("open" if role in GOES and name and self.rng.random() < 0.5 else "click", x=x, n=name)

    def type(self, role: str, name: str, text: str) -> str:
        return self.say("type", t=self.quote(text), x=self.thing(role, name), n=name)

    def form(self, said: list[str], verb: str = "") -> str:
        """ "fill in Name with Ada and City with Rome", or with a verb "check out with name Ada and city Rome"; `said` are
        the words of `pairs`."""
        return self.fill(WITH if verb else FORM, pairs=self.listed(said), verb=verb)

    def pairs(self, pairs: list[tuple[str, str]]) -> list[str]:
        """ "name Ada", "city Rome": all in one style, now and then each in its own."""
        style, quoted, mixed = self.rng.choice(PAIR), self.rng.random() < 0.5, self.rng.random() < 0.15
        styles = [self.rng.choice(PAIR) if mixed else style for _ in pairs]
        return [
            self._pair(s, n, self.quote(t) if quoted else t) for s, (n, t) in zip(styles, pairs, strict=True)
        ]

    def _pair(self, style: str, name: str, text: str) -> str:
        """An address of mail says by itself what it is for."""
        says_itself = "@" in text and "mail" in name.lower() and self.rng.random() < 0.3
        return text if says_itself else style.format(n=name, t=text)

    def listed(self, said: list[str]) -> str:
        if len(said) == 1:
            return said[0]
        return ", ".join(said[:-1]) + self.rng.choice([" and ", " and ", ", ", ", and "]) + said[-1]

    def join(self, clauses: list[str]) -> str:
        """One task out of clauses, in order."""
        if self.quotes:
            return self._plainly(clauses)
        if self.rng.random() < 0.35 and (told := self._told(clauses)):
            return told
        style, several = self.rng.random(), len(clauses) > 1
        if several and style < 0.12:
            text = " ".join(f"{i}. {_capital(c)}" for i, c in enumerate(clauses, 1))
        elif several and style < 0.17:
            text = self.rng.choice(["{}", "Do this:\n{}", "Steps:\n{}"]).format(
                "\n".join(f"- {c}" for c in clauses)
            )
        elif several and style < 0.45:
            last = self.rng.choice([" and ", " and ", " and ", ", and ", ", then ", ", and finally "])
            text = ", ".join(clauses[:-1]) + last + clauses[-1]
        elif several and style < 0.57:
            text = ". ".join(_capital(c) for c in clauses) + "."
        else:
            text = clauses[0] + "".join(self.rng.choice(JOINS) + c for c in clauses[1:])
        if not text.startswith("1. ") and "?" not in text and "\n" not in text:
            openers = OPENERS + VERB_OPENERS if clauses[0].split(" ", 1)[0] in IMPERATIVES else OPENERS
            text = self.fill([self.rng.choice(openers)]) + text
        if self.rng.random() < 0.85:
            text = _capital(text)
        return text if text.endswith((".", "!", "?")) else text + self.fill([self.rng.choice(CLOSERS)])

    def _plainly(self, clauses: list[str]) -> str:
        """ "Open A, tick B and press C"."""
        *before, last = clauses
        text = ", ".join(before)
        if before:
            text += self.rng.choice([" and ", " and ", " and ", ", and ", ", then ", " and then "])
        text += last
        if self.rng.random() < 0.75:
            text = _capital(text)
        return text + "." if self.rng.random() < 0.3 and not text.endswith((".", "?")) else text

    def _told(self, clauses: list[str]) -> str | None:
        """The wishes in a frame, with what else people say; None where they do not begin with verbs."""
        if not all(c.split(" ", 1)[0] in IMPERATIVES for c in clauses) or any("?" in c for c in clauses):
            return None
        text = clauses[0] + "".join(self.rng.choice(JOINS) + c for c in clauses[1:])
        if len(clauses) == 2 and self.rng.random() < 0.6:
            text = self._frame(ORDERS, a=clauses[0], b=clauses[1])
        elif self.rng.random() < 0.75:
            text = self._frame(FRAMES, c=text)
        is_plain = "\n" not in text and not text.endswith((".", "?", "!"))
        if is_plain and self.rng.random() < 0.2:
            text += self.fill([self.rng.choice(AFTER)])
        if self.rng.random() < 0.25:
            text = self.fill([self.rng.choice(BEFORE)]) + _capital(text)
        if self.rng.random() < 0.75:
            text = _capital(text)
        return (
            text if "\n" in text or text.endswith((".", "!", "?")) or self.rng.random() < 0.5 else text + "."
        )

    def _frame(self, frames: tuple[list[str], list[str]], **parts: str) -> str:
        seen, unseen = frames
        return self.fill(unseen if self.held_out and self.rng.random() < 0.35 else seen, **parts)

    def slip(self, word: str) -> str:
        """The word with one slip of the finger, never at its first letter."""
        at = self.rng.randrange(1, len(word) - 1)
        kind = self.rng.randrange(4)
        if kind == 0:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        if kind == 1:
            return word[:at] + word[at + 1 :]
        if kind == 2:
            return word[:at] + word[at] + word[at:]
        return word[:at] + self.rng.choice("abcdefghijklmnoprstuvwy") + word[at + 1 :]

    def _slip_outside_braces(self, template: str) -> str:
        words = template.split(" ")
        long = [i for i, w in enumerate(words) if len(w) > 4 and w.isalpha()]
        if long:
            i = self.rng.choice(long)
            words[i] = self.slip(words[i])
        return " ".join(words)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
