"""Turns on a rendered page: what the user wants, what was done, and the one right next step.

A task is a list of clauses; a clause takes one or more steps. The page shows the state in which step `now` is due.
Clauses before and after it are about pages that exist only in words, so one screenshot teaches many journeys.
"""

import random
from dataclasses import dataclass, field

from .language import CONCEPT, OF, ORDINALS, PICK, SEARCH, Phrases
from .pages import CONCEPTS, HEIGHT, WIDTH, Element
from .render import Scene
from .words import FIELD_NAMES, SEARCH_NAMES, Words

Box = tuple[float, float, float, float]
MAX_LINES = 12
AS_VERB = ("login", "signup", "order", "pay", "send", "save")  # "log in with name Ada": fill in, then press


@dataclass
class Step:
    """One action; `thought` is also its line in the history. `box` is where a click or typing must land."""

    thought: str
    action: dict
    box: Box | None = None


@dataclass
class Clause:
    text: str
    steps: list[Step]
    now: int | None = None  # the step that this page is ready for; None: not on this page


@dataclass
class Turn:
    user: str
    thought: str
    action: dict
    box: Box | None
    kind: str


@dataclass
class TaskWriter:
    scene: Scene
    rng: random.Random
    split: str
    words: Words = field(init=False)
    say: Phrases = field(init=False)

    def __post_init__(self):
        self.words = Words(self.rng, self.split)
        self.say = Phrases(self.rng, self.split == "heldout")
        self.visible = [e for e in self.scene.page.elements if self.scene.is_visible(e)]
        self.gone = [e for e in self.scene.page.elements if self.scene.is_gone(e)]

    def turns(self, count: int) -> list[Turn]:
        return [self.turn() for _ in range(count)]

    def named(self, count: int) -> list[Turn]:
        """What is to be done is one clause about one element: every visible element in turn, so that a page teaches
        all of its words and places. Empty where nothing is visible."""
        order = self.rng.sample(self.visible, len(self.visible))
        return [self._named(order[i % len(order)]) for i in range(count if order else 0)]

    def _named(self, element: Element) -> Turn:
        clause = self.clause_for(element)
        lines = [step.thought for step in clause.steps[: clause.now]]
        return self._turn([clause.text], lines, clause.steps[clause.now or 0], element.role)

    def turn(self) -> Turn:
        makers = [self._here, self._form_here, self._finished, self._away, self._anywhere]
        weights = [70, 12 if self._open_forms() else 0, 8, 7 if self.gone else 0, 3]
        if not self.visible:
            weights[0] = 0
        return self.rng.choices(makers, weights)[0]()

    # ---- kinds of turns

    def _here(self) -> Turn:
        element = self._pick_element()
        return self._embed(self.clause_for(element), kind=element.role)

    def _form_here(self) -> Turn:
        clause = self._form_clause(self.rng.choice(self._open_forms()))
        return self._embed(clause, kind="form")

    def _finished(self) -> Turn:
        clauses = [self._imagined() for _ in range(self.rng.choice([1, 1, 1, 2, 3, 4]))]
        lines = self._lines([step for clause in clauses for step in clause.steps])
        done = Step("Done", {"action": "terminate", "status": "success"})
        return self._turn([c.text for c in clauses], lines, done, "done")

    def _away(self) -> Turn:
        """The target is scrolled out of sight."""
        element = self.rng.choice(self.gone)
        clause, below = self.clause_for(element), self.scene.boxes[element.id][1] > 0
        lines = ["Scroll down"] * self.rng.choice([0, 0, 1, 2])
        if not below:
            lines = ["Scroll down"] * self.rng.randint(1, 3)
            lines[-1] += " (no change)"
            lines += ["Scroll up"] * self.rng.choice([0, 0, 1])
        step = scroll_step(down=below)
        return self._embed(Clause(clause.text, [step], 0), kind="scroll", before=lines)

    def _anywhere(self) -> Turn:
        """Steps that need no target: go back, reload, keys, an address."""
        url = f"https://{self.words.noun()}.example/{self.rng.choice(['', self.words.noun()])}"
        text, step = self.rng.choice(
            [
                (
                    ["go back", "go back to the previous page", "return to the last page"],
                    Step("Go back", {"action": "back"}),
                ),
                (["reload the page", "refresh the page", "refresh"], Step("Reload", {"action": "reload"})),
                (
                    [f"go to {url}", f"open {url}", f"navigate to {url}"],
                    Step(f"Open {url}", {"action": "goto", "url": url}),
                ),
                (["scroll down", "scroll down the page", "scroll further down"], scroll_step(True)),
                (["scroll up", "scroll up a bit"], scroll_step(False)),
                *[
                    (
                        [f"press {key}", f"hit {key}", f"press the {key} key"],
                        Step(f"Press {key}", key_action(key)),
                    )
                    for key in ("Enter", "Escape", "Tab")
                ],
            ]
        )
        return self._embed(Clause(self.rng.choice(text), [step], 0), kind="key")

    # ---- clauses about elements on the page

    def clause_for(self, element: Element) -> Clause:
        match element.role:
            case "field":
                return self._type_clause(element)
            case "search":
                return self._search_clause(element)
            case "option":
                return self._option_clause(element)
            case "select":
                return self._select_clause(element)
        return self._click_clause(element)

    def _click_clause(self, element: Element) -> Clause:
        name = self.say.cased(element.name)
        x, line = self.say.thing(element.role, name), f"Click '{name}'"
        twins = self._twins(element)
        nth = self._ordinal(element, twins)
        if element.concept and self.rng.random() < 0.6:
            return self._concept_clause(element, twins, nth)
        text = self.say.click(element.role, x, name)
        if len(twins) > 1 or (element.context and self.rng.random() < 0.3):
            if element.context and (len(twins) == 1 or self.rng.random() < 0.75):
                c = self.say.cased(element.context)
                x = self.rng.choice(OF).format(x=x, c=self.say.quote(c))
                text, line = self.say.click(element.role, x, name), f"Click '{name}' of '{c}'"
            else:
                q = self.say.quote(name)
                x = self.rng.choice(
                    [f"the {nth} {q}", f"the {nth} {q} {element.role}", f"the {nth} {element.role} {q}"]
                )
                text, line = self.say.click(element.role, x, name), f"Click the {nth} '{name}'"
        return Clause(text, [Step(line, self._click(element), self._box(element))], 0)

    def _concept_clause(self, element: Element, twins: list[Element], nth: str) -> Clause:
        label, line = element.name, f"Click '{element.name}'"
        phrases = CONCEPT[element.concept]
        c = self.say.cased(element.context)
        if element.concept == "cart" and len(twins) > 1:
            if self.rng.random() < 0.5:
                phrases, line = CONCEPT["cart_nth"], f"Click the {nth} '{label}'"
            else:
                phrases, line = CONCEPT["cart_of"], f"Click '{label}' of '{c}'"
        text = self.rng.choice(phrases).format(o=nth, c=self.say.quote(c))
        return Clause(text, [Step(line, self._click(element), self._box(element))], 0)

    def _type_clause(self, element: Element, value: str = "") -> Clause:
        name, value = self.say.cased(element.name), value or self.words.value_for(element.name)
        if not value.strip() or self.rng.random() < 0.07:
            text = self.rng.choice(["click {x}", "focus {x}", "click into {x}", "put the cursor in {x}"])
            step = Step(f"Click '{name}'", self._click(element), self._box(element))
            return Clause(text.format(x=self.say.thing("field", name)), [step], 0)
        return Clause(self.say.type("field", name, value), [self._typing(element, name, value)], 0)

    def _search_clause(self, element: Element) -> Clause:
        query = (
            self.rng.choice([self.words.thing, self.words.noun, self.words.value_for("x").__str__])()
            or "lamp"
        )
        text = self.rng.choice(SEARCH).format(t=self.say.quote(query))
        if self.rng.random() < 0.15:
            return Clause(
                self.say.type("search", element.name, query), [self._typing(element, element.name, query)], 0
            )
        steps = [self._typing(element, element.name, query), Step("Press Enter", key_action("Enter"))]
        return Clause(text, steps, self.rng.choice([0, 0, 1]))

    def _select_clause(self, element: Element) -> Clause:
        name, option = self.say.cased(element.name), self.words.cased(self.words.noun())
        opened = Step(f"Open '{name}'", self._click(element), self._box(element))
        if self.rng.random() < 0.4:
            return Clause(self.say.click("select", self.say.thing("select", name), name), [opened], 0)
        return Clause(self._pick_text(option, name), [opened, Step(f"Click '{option}'", {})], 0)

    def _option_clause(self, element: Element) -> Clause:
        option, name = self.say.cased(element.name), self.say.cased(element.context)
        step = Step(f"Click '{option}'", self._click(element), self._box(element))
        if self.rng.random() < 0.3:
            return Clause(self.say.click("option", self.say.thing("option", option), option), [step], 0)
        return Clause(self._pick_text(option, name), [Step(f"Open '{name}'", {}), step], 1)

    def _pick_text(self, option: str, name: str) -> str:
        return self.rng.choice(PICK).format(
            q=self.say.quote(option), x=self.say.thing("select", name), n=name
        )

    # ---- forms

    def _open_forms(self) -> list[list[Element]]:
        """Forms whose next empty field, or else whose submit button, can be seen."""
        forms = []
        for ids in self.scene.page.forms:
            form = [self.scene.page.elements[i] for i in ids]
            if self.scene.is_visible(form[_filled(form)]):
                forms.append(form)
        return forms

    def _form_clause(self, form: list[Element]) -> Clause:
        fields, submit = form[:-1], form[-1]
        pairs = [(self.say.cased(f.name), f.value or self.words.value_for(f.name)) for f in fields]
        steps = [self._typing(f, name, value) for f, (name, value) in zip(fields, pairs, strict=True)]
        now, style = _filled(form), self.rng.random()
        if submit.concept in AS_VERB and style < 0.5:
            return Clause(
                self.say.form(pairs, self._verb(submit.concept)), [*steps, self._submitting(submit)], now
            )
        if style < 0.15:
            came = Step(f"Click '{self.rng.choice(CONCEPTS['checkout'])}'", {})
            clause = Clause(self.say.form(pairs, self._verb("checkout")), [came, *steps], now + 1)
        else:
            clause = Clause(self.say.form(pairs), steps, now)
        if now == len(fields) or self.rng.random() < 0.7:
            self._end_with(clause, submit)
        return clause

    def _verb(self, concept: str) -> str:
        return self.rng.choice(CONCEPT[concept])

    def _end_with(self, clause: Clause, submit: Element) -> None:
        """... and press its button, by name or by what it is for."""
        concept, name = submit.concept or "submit", self.say.cased(submit.name)
        by_name = self.rng.random() < 0.6 or concept not in CONCEPT
        end = (
            self.say.click("button", self.say.thing("button", name), name) if by_name else self._verb(concept)
        )
        clause.text += self.rng.choice([" and ", ", then ", " and then ", ", and "]) + end
        clause.steps.append(self._submitting(submit, name if by_name else submit.name))

    def _submitting(self, submit: Element, name: str = "") -> Step:
        line = f"Click '{name or submit.name}'"
        if submit.id not in self.scene.boxes:
            return Step(line, {})
        return Step(line, self._click(submit), self._box(submit))

    def _typing(self, element: Element, name: str, value: str) -> Step:
        if element.id not in self.scene.boxes:
            return Step(f"Type '{value}' into '{name}'", {})
        box = self._box(element)
        action = {"action": "type", "coordinate": relative_centre(box), "text": value}
        return Step(f"Type '{value}' into '{name}'", action, box)

    # ---- clauses about pages that are not here

    def _imagined(self) -> Clause:
        w, r = self.words, self.rng.random()
        if r < 0.45:
            role = self.rng.choice(["button", "button", "link", "link", "tab", "checkbox", "radio"])
            name = self.say.cased(w.command() if role == "button" else w.place())
            text = self.say.click(role, self.say.thing(role, name), name)
            return Clause(text, [Step(f"Click '{name}'", {})])
        if r < 0.6:
            name = self.say.cased(self.rng.choice(FIELD_NAMES).strip())
            value = w.value_for(name) or w.noun()
            return Clause(self.say.type("field", name, value), [Step(f"Type '{value}' into '{name}'", {})])
        if r < 0.72:
            query, box = w.thing(), self.rng.choice(SEARCH_NAMES).strip()
            steps = [Step(f"Type '{query}' into '{box}'", {}), Step("Press Enter", {})]
            return Clause(self.rng.choice(SEARCH).format(t=self.say.quote(query)), steps)
        if r < 0.88:
            return self._imagined_concept()
        return self._imagined_form()

    def _imagined_concept(self) -> Clause:
        key = self.rng.choice([*CONCEPT.keys(), "cart_of", "cart_nth"])
        label = self.rng.choice(
            CONCEPTS.get("cart" if key.startswith("cart") else key, ["Submit", "Send", "OK"])
        )
        nth, thing = self.rng.choice(ORDINALS[:4]), self.words.thing()
        line = {"cart_of": f"Click '{label}' of '{thing}'", "cart_nth": f"Click the {nth} '{label}'"}
        text = self.rng.choice(CONCEPT[key]).format(o=nth, c=self.say.quote(thing))
        return Clause(text, [Step(line.get(key, f"Click '{label}'"), {})])

    def _imagined_form(self) -> Clause:
        names = self.rng.sample(FIELD_NAMES, self.rng.randint(1, 4))
        pairs = [(n.strip(), self.words.value_for(n.strip()) or "x") for n in names]
        if self.rng.random() < 0.3:
            return self._imagined_verb(pairs)
        return Clause(self.say.form(pairs), [Step(f"Type '{v}' into '{n}'", {}) for n, v in pairs])

    def _imagined_verb(self, pairs: list[tuple[str, str]]) -> Clause:
        typed = [Step(f"Type '{v}' into '{n}'", {}) for n, v in pairs]
        concept = self.rng.choice([*AS_VERB, "checkout"])
        press = Step(f"Click '{self.rng.choice(CONCEPTS[concept])}'", {})
        steps = [press, *typed] if concept == "checkout" else [*typed, press]
        return Clause(self.say.form(pairs, self._verb(concept)), steps)

    # ---- putting a turn together

    def _embed(self, clause: Clause, kind: str, before: list[str] | None = None) -> Turn:
        """Sets the clause among imagined ones; `before` are lines that its own step already cost."""
        assert clause.now is not None
        earlier, later = self.rng.choice(
            [(0, 0)] * 5 + [(0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (2, 1), (3, 1), (1, 3), (4, 1)]
        )
        past = [self._imagined() for _ in range(earlier)]
        future = [self._imagined() for _ in range(later)]
        done = [step for c in past for step in c.steps] + clause.steps[: clause.now]
        lines, step = self._lines(done), clause.steps[clause.now]
        if before:
            lines += before
        elif self.rng.random() < 0.05:
            lines.append(f"{step.thought} (no change)")
        elif self.rng.random() < 0.06:
            lines += ["Scroll down"] * self.rng.choice([1, 1, 2])
        return self._turn([c.text for c in (*past, clause, *future)], lines, step, kind)

    def _lines(self, steps: list[Step]) -> list[str]:
        lines = []
        for step in steps:
            if self.rng.random() < 0.06:
                lines += ["Scroll down"] * self.rng.choice([1, 1, 2])
            if self.rng.random() < 0.04:
                lines.append(f"{step.thought} (no change)")
            lines.append(step.thought)
        return lines

    def _turn(self, clauses: list[str], lines: list[str], step: Step, kind: str) -> Turn:
        return Turn(snapshot_text(self.say.join(clauses), lines), step.thought, step.action, step.box, kind)

    # ---- facts about the page

    def _pick_element(self) -> Element:
        """Fields and odd roles more often than their number, so that every skill is practised."""
        weights = [
            {"field": 2.0, "search": 3.0, "select": 2.0, "option": 1.0}.get(e.role, 1.0) for e in self.visible
        ]
        return self.rng.choices(self.visible, weights)[0]

    def _twins(self, element: Element) -> list[Element]:
        """Visible elements of the same text, in reading order."""
        same = [e for e in self.visible if e.name.lower() == element.name.lower()]
        return sorted(same, key=lambda e: (round(self.scene.boxes[e.id][1] / 6), self.scene.boxes[e.id][0]))

    def _ordinal(self, element: Element, twins: list[Element]) -> str:
        place = next((i for i, e in enumerate(twins) if e.id == element.id), 0)
        if place and place == len(twins) - 1 and self.rng.random() < 0.4:
            return "last"
        return ORDINALS[min(place, len(ORDINALS) - 1)]

    def _box(self, element: Element) -> Box:
        return self.scene.boxes[element.id]

    def _click(self, element: Element) -> dict:
        return {"action": "left_click", "coordinate": relative_centre(self._box(element))}


def snapshot_text(task: str, lines: list[str]) -> str:
    """The user text of one step, as `saccade.agent.memory` writes it."""
    if not lines:
        return f"Task: {task}"
    numbered = [f"{i}. {line}" for i, line in enumerate(lines, 1)][-MAX_LINES:]
    return f"Task: {task}\nDone:\n" + "\n".join(numbered)


def relative_centre(box: Box) -> list[int]:
    x, y, w, h = box
    return [
        min(1000, max(0, round((x + w / 2) * 1000 / WIDTH))),
        min(1000, max(0, round((y + h / 2) * 1000 / HEIGHT))),
    ]


def scroll_step(down: bool) -> Step:
    return Step(f"Scroll {'down' if down else 'up'}", {"action": "scroll", "pixels": -240 if down else 240})


def key_action(key: str) -> dict:
    return {"action": "key", "keys": [key]}


def _filled(form: list[Element]) -> int:
    """How many leading fields of the form hold a value."""
    count = 0
    while count < len(form) - 1 and form[count].value:
        count += 1
    return count
