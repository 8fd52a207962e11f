"""How people ask for things: phrasings of one clause, and ways to join clauses into a task.

Some phrasings belong to the held-out split only, so that evaluation also measures language never trained on.
"""

import random

QUOTES = ["'{}'", "'{}'", '"{}"', '"{}"', "{}", "{}", "{}", "“{}”"]

CLICK = [
    "click {x}",
    "click {x}",
    "click on {x}",
    "press {x}",
    "tap {x}",
    "tap on {x}",
    "hit {x}",
    "push {x}",
]
CLICK += ["select {x}", "choose {x}", "use {x}", "please click {x}", "activate {x}", "go ahead and click {x}"]
CLICK_HELD_OUT = ["give {x} a click", "pick {x}", "trigger {x}", "I need you to click {x}", "hit {x} once"]
OPEN = [
    "open {x}",
    "go to {x}",
    "follow {x}",
    "visit {x}",
    "navigate to {x}",
    "show {x}",
    "show me {x}",
    "view {x}",
]
OPEN += ["open the {n} page", "go to the {n} page", "switch to {x}", "go to the {n} section"]
OPEN_HELD_OUT = ["head over to {x}", "bring up {x}", "take me to {x}"]

NOUNS = {
    "button": [
        "{q}",
        "{q}",
        "the {q} button",
        "the {q} button",
        "the button {q}",
        "button {q}",
        "the button labeled {q}",
    ]
    + ["the button that says {q}", "the button named {q}", "the {q} control", "the one that says {q}"],
    "link": [
        "{q}",
        "{q}",
        "the {q} link",
        "the link {q}",
        "link {q}",
        "the {q} menu item",
        "the link called {q}",
        "the {q} entry",
    ],
    "tab": ["{q}", "the {q} tab", "the tab {q}", "tab {q}", "the {q} section"],
    "checkbox": [
        "{q}",
        "the {q} checkbox",
        "the {q} box",
        "the checkbox {q}",
        "the option {q}",
        "the checkbox next to {q}",
    ],
    "radio": ["{q}", "the {q} option", "the option {q}", "the {q} radio button", "the choice {q}"],
    "option": ["{q}", "the option {q}", "the entry {q}"],
    "field": [
        "{q}",
        "the {q} field",
        "the field {q}",
        "the {q} box",
        "the {q} input",
        "the {q} text field",
        "the input {q}",
    ],
    "search": ["{q}", "the search box", "the search field", "the {q} box", "the {q} field", "the search bar"],
    "select": [
        "{q}",
        "the {q} dropdown",
        "the {q} menu",
        "the {q} list",
        "the {q} selector",
        "the dropdown {q}",
    ],
}
TICK = [
    "tick {x}",
    "check {x}",
    "mark {x}",
    "enable {x}",
    "turn on {x}",
    "select {x}",
    "choose {x}",
    "click {x}",
    "set {x}",
]
TYPE = ["type {t} into {x}", "type {t} in {x}", "enter {t} in {x}", "enter {t} into {x}", "put {t} in {x}"]
TYPE += [
    "write {t} in {x}",
    "fill {x} with {t}",
    "fill in {x} with {t}",
    "fill {t} into {x}",
    "set {x} to {t}",
]
TYPE += [
    "in {x}, type {t}",
    "fill out {x} with {t}",
    "use {t} for {x}",
    "for {x} enter {t}",
    "type {t} as {n}",
]
TYPE += [
    "enter {t} as {n}",
    "enter {t} as the {n}",
    "write {t} into {x}",
    "enter the {n} {t}",
    "type the {n} {t}",
]
TYPE_HELD_OUT = ["key {t} into {x}", "let {x} be {t}", "make {x} say {t}", "pop {t} into {x}"]
PAIR = [
    "{n}: {t}",
    "{n} {t}",
    "{n} with {t}",
    "{n} = {t}",
    "{t} as {n}",
    "{t} as the {n}",
    "{t} in {n}",
    "{t} for {n}",
]
FORM = [
    "fill in {pairs}",
    "fill in the form with {pairs}",
    "fill out the form: {pairs}",
    "enter {pairs}",
    "use {pairs}",
]
FORM += ["complete the form with {pairs}", "fill in the details ({pairs})", "fill in {pairs}", "fill {pairs}"]
WITH = [
    "{verb} with {pairs}",
    "{verb} with {pairs}",
    "{verb} using {pairs}",
    "{verb} ({pairs})",
    "{verb}: {pairs}",
]
SEARCH = ["search for {t}", "search for {t}", "search {t}", "look for {t}", "look up {t}", "find {t}"]
SEARCH += [
    "search the site for {t}",
    "use the search box to find {t}",
    "do a search for {t}",
    "run a search for {t}",
]
PICK = [
    "choose {q} from {x}",
    "select {q} from {x}",
    "select {q} in {x}",
    "set {x} to {q}",
    "pick {q} in {x}",
]
PICK += ["choose {q} as {n}", "change {x} to {q}", "in {x}, choose {q}", "choose {q} for {n}"]

OF = [
    "{x} of {c}",
    "{x} for {c}",
    "{x} next to {c}",
    "{x} in the row of {c}",
    "{x} in the {c} row",
    "{x} beside {c}",
]
OF += ["{x} on {c}", "{x} under {c}", "{x} belonging to {c}", "{c}'s {x}", "{x} at {c}"]

CONCEPT = {
    "cart_of": [
        "add {c} to the cart",
        "put {c} in the cart",
        "buy {c}",
        "add {c} to my cart",
        "put {c} into my basket",
    ]
    + [
        "add {c} to the basket",
        "put {c} in the shopping cart",
        "order {c}",
        "get {c}",
        "add the {c} to the cart",
    ],
    "cart_nth": [
        "add the {o} product to the cart",
        "put the {o} result in the cart",
        "add the {o} item to my cart",
    ]
    + [
        "put the {o} product in the cart",
        "add the {o} result to the basket",
        "buy the {o} item",
        "put the {o} one in the cart",
    ]
    + ["add the {o} result to the cart", "put the {o} item in the basket"],
    "cart": [
        "add it to the cart",
        "put it in the cart",
        "add this to the basket",
        "buy it",
        "add the product to the cart",
    ]
    + ["put the item in the cart", "put it into my basket"],
    "open_cart": [
        "open the cart",
        "go to the cart",
        "view the cart",
        "show my cart",
        "open the basket",
        "go to the basket",
    ]
    + ["look at the shopping cart", "open my cart", "see the cart"],
    "checkout": [
        "go to checkout",
        "check out",
        "proceed to checkout",
        "start the checkout",
        "go to the checkout",
    ],
    "order": [
        "place the order",
        "place the order",
        "complete the order",
        "confirm the order",
        "submit the order",
        "order it",
    ],
    "pay": ["pay", "pay now", "make the payment"],
    "login": ["log in", "sign in", "login", "press the login button", "log me in"],
    "signup": ["sign up", "register", "create the account", "create an account", "join"],
    "continue": ["continue", "go on to the next step", "proceed", "go to the next step", "move on"],
    "search": ["start the search", "run the search", "click the search button", "press search"],
    "send": ["send it", "send the message", "submit it", "send the form"],
    "save": ["save it", "save the changes", "save", "save my changes"],
    "submit": [
        "submit the form",
        "submit it",
        "submit",
        "send the form",
        "press the submit button",
        "confirm",
    ],
}

ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"]
JOINS = [
    ", then ",
    ", then ",
    " and then ",
    ". Then ",
    ", and then ",
    "; then ",
    ", after that ",
    ". After that, ",
    ". Next, ",
]
OPENERS = [
    "",
    "",
    "",
    "",
    "",
    "please ",
    "can you ",
    "could you ",
    "I want you to ",
    "your task: ",
    "now ",
    "help me: ",
    "first, ",
]
CLOSERS = ["", "", "", "", ".", ".", ".", "!", " please", ", please."]


class Phrases:
    """Draws phrasings from one random stream; `held_out` adds the phrasings that training never sees."""

    def __init__(self, rng: random.Random, held_out: bool):
        self.rng, self.held_out = rng, held_out

    def of(self, train: list[str], unseen: list[str] | None = None) -> str:
        return self.rng.choice(unseen if unseen and self.held_out and self.rng.random() < 0.35 else train)

    def quote(self, text: str) -> str:
        mark = "'" if '"' in text else '"' if "'" in text else None
        return f"{mark}{text}{mark}" if mark else self.rng.choice(QUOTES).format(text)

    def cased(self, name: str) -> str:
        """Users rarely copy capitals faithfully."""
        r = self.rng.random()
        return name if r < 0.7 else name.lower() if r < 0.93 else name.title() if r < 0.97 else name.upper()

    def thing(self, role: str, name: str) -> str:
        return self.rng.choice(NOUNS[role]).format(q=self.quote(name))

    def click(self, role: str, x: str, name: str) -> str:
        if role in ("checkbox", "radio"):
            return self.of(TICK).format(x=x)
        if role in ("link", "tab") and self.rng.random() < 0.6:
            return self.of(OPEN, OPEN_HELD_OUT).format(x=x, n=name)
        return self.of(CLICK, CLICK_HELD_OUT).format(x=x)

    def type(self, role: str, name: str, text: str) -> str:
        return self.of(TYPE, TYPE_HELD_OUT).format(t=self.quote(text), x=self.thing(role, name), n=name)

    def form(self, pairs: list[tuple[str, str]], verb: str = "") -> str:
        """ "fill in Name with Ada and City with Rome", or with a verb "check out with name Ada and city Rome"."""
        style, quoted = self.rng.choice(PAIR), self.rng.random() < 0.5
        said = [style.format(n=n, t=self.quote(t) if quoted else t) for n, t in pairs]
        joined = (
            ", ".join(said[:-1]) + self.rng.choice([" and ", ", ", ", and "]) + said[-1]
            if len(said) > 1
            else said[0]
        )
        return self.rng.choice(WITH if verb else FORM).format(pairs=joined, verb=verb)

    def join(self, clauses: list[str]) -> str:
        """One task out of clauses, in order."""
        style = self.rng.random()
        if len(clauses) > 1 and style < 0.12:
            text = " ".join(f"{i}. {c[0].upper()}{c[1:]}" for i, c in enumerate(clauses, 1))
        elif len(clauses) > 1 and style < 0.35:
            text = (
                ", ".join(clauses[:-1])
                + self.rng.choice([" and ", ", and ", ", then ", ", and finally "])
                + clauses[-1]
            )
        elif style < 0.5:
            text = ". ".join(c[0].upper() + c[1:] for c in clauses) + "."
        else:
            text = clauses[0] + "".join(self.rng.choice(JOINS) + c for c in clauses[1:])
        text = self.rng.choice(OPENERS) + text
        if self.rng.random() < 0.85:
            text = text[0].upper() + text[1:]
        return text if text.endswith((".", "!")) else text + self.rng.choice(CLOSERS)
