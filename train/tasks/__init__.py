"""Turns on a rendered page: what the user wants, what was done, and the one right next step.

A task is a list of clauses. What the page shows decides what is left to do of each: a box that is ticked, a field that
holds its text, a date that is chosen are done; a click that leaves no trace is done when the history says so. Clauses
about pages that exist only in words stand before and after, so one screenshot teaches many journeys.
"""

import random
from collections.abc import Iterator, Sequence

from ..pages.page import Element, Select, Slider
from ..render import Scene
from .clause import OPEN_END, Clause, Step, Turn, done_step, relative_centre, said_again, snapshot_text
from .errands import end_button, errand
from .filling import form_clause, searching, typing, typing_twice
from .goals import WIDGETS, goal
from .imagined import anywhere, imagined
from .obstacles import asked, behind, in_the_way, missing, out_of_sight
from .pointing import press, set_state
from .reading import answering, copying
from .sight import Sight
from .walks import after_search, field_by_field, unfolding
from .wordless import wordless

__all__ = ["Clause", "Step", "TaskWriter", "Turn", "relative_centre", "snapshot_text"]

# Imagined clauses before and after the one about this page.
AROUND = [(0, 0)] * 5 + [(0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (2, 1), (3, 1), (1, 3), (4, 1)]
FEW, MANY = (
    (0, 0, 0, 1, 2, 3),
    (2, 3, 4),
)  # imagined clauses of a task whose clauses stand in an order; of a long one
OFTEN = {"field": 2.0, "search": 3.0, "select": 2.0, "day": 0.15, "option": 0.8, "link": 0.8}
ONCE = (
    "sort",
    "ticks",
    "choice",
    "results",
    "drag",
    "slider",
    "stepper",
    "date",
)  # in a journey
TOLD_DONE, TOLD_LAST = (
    0.6,
    0.4,
)  # how often the history says of a click that it was made; of the last of a task
SHORT = 58  # tokens of text, history and step: with the scaffolding about 80
WORDLESS = 0.15  # of histories tell deeds instead of thoughts
PLAIN_SHARE = 0.25  # of tasks are told as most people would
SETTLED_SHARE = 0.6  # of clauses that turn out to be done already; the others are drawn again


class TaskWriter:
    def __init__(self, scene: Scene, rng: random.Random, split: str):
        self.scene, self.rng = scene, rng
        self.see = Sight(scene, rng, split)
        self.say = self.see.say
        self.visible = self.see.visible

    def turns(self, count: int) -> list[Turn]:
        return [self.turn() for _ in range(count)]

    def named(self, count: int) -> list[Turn]:
        """What is to be done is one clause: first about every visible element in turn, so that a page teaches all of
        its words and places, then also about what the page as a whole offers. Empty where nothing is visible."""
        if not self.visible:
            return []
        order = self.rng.sample(self.visible, len(self.visible))
        clauses = [self._short_clause(e) for e in order[:count]]
        drawn = self._others()
        while len(clauses) < count:
            other = next(drawn) if self.rng.random() < 0.6 else None
            clauses.append(other or self._short_clause(self._pick_element()))
        return [self._alone(clause) for clause in clauses]

    def _short_clause(self, element: Element) -> Clause:
        """Long names and texts make long turns: some draws more for a short one."""
        self.say.begin(PLAIN_SHARE)
        return min((self.clause_for(element) for _ in range(3)), key=lambda c: max(SHORT, c.length()))

    def long_turn(self) -> Turn:
        """Of a task with many wishes, most of them about this page where it offers so much."""
        self.say.begin(PLAIN_SHARE)
        makers = [lambda: self._errand(7, FEW), lambda: self._journey((5, 6, 7), MANY)]
        for make in self._shuffled(makers, [3, 1]):
            if not self.scene.page.overlay and (turn := make()):
                return turn
        return self.turn()

    def turn(self) -> Turn:
        self.say.begin(PLAIN_SHARE)
        makers = [
            self._here,
            self._goal_here,
            self._journey,
            self._form,
            self._walk,
            self._errand,
            self._brief,
            self._twice,
            self._finished,
            self._away,
            self._behind,
            self._reading,
            self._anywhere,
            self._lost,
        ]
        weights = [22, 32, 22, 7, 14, 60, 20, 6, 4, 9, 45, 12, 2, 6]
        if self.scene.page.overlay:
            return (self.rng.random() < 0.75 and self._overlaid()) or self._here()
        for make in self._shuffled(makers, weights):
            if turn := make():
                return turn
        return self._anywhere()

    # ---- kinds of turns

    def _here(self) -> Turn:
        if not self.visible:
            return self._anywhere()
        return self._embed(self.clause_for(self._pick_element()))

    def _goal_here(self) -> Turn | None:
        clause = self._goal()
        return clause and self._embed(clause)

    def _form(self) -> Turn | None:
        forms = self.scene.page.forms
        clause = form_clause(self.see, self.rng.choice(forms)) if forms else None
        return clause and self._embed(clause)

    def _finished(self) -> Turn:
        clauses = [imagined(self.see) for _ in range(self.rng.choice([1, 1, 1, 2, 3, 4]))]
        lines = self._lines([line for clause in clauses for line in clause.past])
        return self._turn(clauses, lines, done_step(), "done")

    def _away(self) -> Turn | None:
        clause = out_of_sight(self.see)
        return clause and self._embed(clause)

    def _behind(self) -> Turn | None:
        clause = behind(self.see)
        return clause and self._embed(clause)

    def _lost(self) -> Turn | None:
        found = missing(self.see)
        return found and self._turn(
            [found[0]], found[1], found[0].step or done_step(), found[0].kind, found[0]
        )

    def _reading(self) -> Turn | None:
        if self.rng.random() < 0.35 and (copied := copying(self.see)):
            return self._embed(copied)
        clause = answering(self.see)
        return clause and self._embed(clause, is_last=True)

    def _anywhere(self) -> Turn:
        return self._embed(anywhere(self.see))

    def _overlaid(self) -> Turn | None:
        clause = asked(self.see) if self.rng.random() < 0.7 else None
        clause = clause or in_the_way(self.see)
        return clause and self._embed(clause)

    def _walk(self) -> Turn | None:
        """Clauses that belong together, and perhaps one more about this page."""
        forms = self.scene.page.forms
        ways = [
            lambda: field_by_field(self.see, self.rng.choice(forms)) if forms else [],
            lambda: after_search(self.see),
            lambda: unfolding(self.see),
        ]
        for way in self._shuffled(ways, [1, 2, 2]):
            if clauses := way():
                more = self._any_clause() if self.rng.random() < 0.3 else None
                return self._in_order(
                    [*clauses, more] if more and not self._clash(more, clauses) else clauses
                )
        return None

    def _journey(
        self, counts: Sequence[int] = (1, 2, 2, 3, 3, 4, 5, 6), around: Sequence[int] = FEW
    ) -> Turn | None:
        """Several clauses about this page that have nothing to do with each other."""
        clauses: list[Clause] = []
        for _ in range(self.rng.choice(counts)):
            clause = self._any_clause()
            if clause and clause.text not in (c.text for c in clauses) and not self._clash(clause, clauses):
                clauses.append(clause)
        return self._in_order(clauses) if clauses else None

    def _errand(self, least: int = 3, around: Sequence[int] = (0, 0, 0, 0, 0, 1)) -> Turn | None:
        clauses = errand(self.see, least)
        return self._in_order(clauses, around) if clauses else None

    def _brief(self) -> Turn | None:
        """One wish or two and, nearly always, a button: "select Rome and press Save"."""
        clauses = errand(self.see, 1, 2)
        return self._in_order(clauses, (0, 0, 0, 0, 0, 0, 1)) if len(clauses) > 1 else None

    def _twice(self) -> Turn | None:
        clause = typing_twice(self.see)
        button = clause and end_button(self.see)
        return clause and self._in_order([clause, button] if button else [clause], (0, 0, 0, 1))

    def _in_order(self, clauses: list[Clause], around: Sequence[int] = (0, 0, 0, 1, 2, 3)) -> Turn:
        """Those before the one that is due are done, by what the page shows or by what the history says. Where all
        are, the task is, though what was clicked is still there. `around`: how many imagined ones come before, and
        after, is drawn from these."""
        past = [imagined(self.see) for _ in range(self.rng.choice(around))]
        after = [imagined(self.see) for _ in range(self.rng.choice(around))]
        lines = [line for clause in past for line in clause.past]
        for i, clause in enumerate(clauses):
            if clause.step is None:
                is_done = True
            else:
                share = TOLD_DONE if i < len(clauses) - 1 else TOLD_LAST
                is_done = clause.told and OPEN_END not in clause.more and self.rng.random() < share
            if not is_done:
                assert clause.step is not None
                tail = after if clause.step.action["action"] != "answer" else []
                told = self._lines(lines + clause.past) + self._looked_for(clause)
                return self._turn([*past, *clauses, *tail], told, clause.step, clause.kind, clause)
            lines += clause.done_lines()
        return self._turn([*past, *clauses], self._lines(lines), done_step(), "settled")

    def _clash(self, clause: Clause, others: list[Clause]) -> bool:
        """Two clauses about one target would contradict or repeat each other."""
        lines = set(clause.done_lines())
        if clause.kind in ONCE and clause.kind in (o.kind for o in others):
            return True
        return any(
            lines & set(o.done_lines()) or (o.step and clause.step and o.step.box == clause.step.box)
            for o in others
        )

    # ---- clauses about this page

    def clause_for(self, element: Element, plainly: bool = False) -> Clause:
        """A clause whose next step is about this element, or that this element shows to be done."""
        see, r = self.see, self.rng.random()
        match element.role:
            case "field":
                return typing(see, element, plainly)
            case "search":
                return searching(see, element)
            case "checkbox" | "switch" | "section" | "folder" if r > 0.25:
                is_settled = r > 0.92 and not plainly
                return set_state(see, element, bool(element.value) == is_settled, plainly)
            case "slider" | "select" if r < 0.6 and (clause := self._of_widget(element)):
                return clause
        return press(see, element, plainly)

    def _of_widget(self, element: Element) -> Clause | None:
        """A value for the list or slider that the element is; None while it shows its entries."""
        for widget in self.scene.page.widgets:
            match widget:
                case Slider(track=element.id):
                    return goal(widget, self.see)
                case Select(box=element.id, entries=[]):
                    return goal(widget, self.see)
        return None

    def _goal(self) -> Clause | None:
        """About a widget; most often one that is not yet as it should be."""
        widgets = self.scene.page.widgets
        weights = [WIDGETS.get(type(widget), 1.0) for widget in widgets]
        for _ in range(4 if widgets else 0):
            clause = goal(self.rng.choices(widgets, weights)[0], self.see)
            if clause and (clause.step or self.rng.random() < SETTLED_SHARE):
                return clause
        return None

    def _any_clause(self) -> Clause | None:
        if self.rng.random() < 0.5 and (clause := self._goal()):
            return clause
        return self.clause_for(self._pick_element()) if self.visible else None

    def _others(self) -> Iterator[Clause | None]:
        while True:
            makers = [
                self._goal,
                self._goal,
                lambda: answering(self.see),
                lambda: copying(self.see),
                lambda: asked(self.see) or in_the_way(self.see),
                lambda: out_of_sight(self.see),
            ]
            yield self.rng.choice(makers)()

    # ---- putting a turn together

    def _alone(self, clause: Clause) -> Turn:
        """One clause and nothing else."""
        step, is_bare = clause.step or done_step(), self.rng.random() < 0.6
        task = clause.text[:1].upper() + clause.text[1:] if is_bare else self.say.join([clause.text])
        lines = clause.past + (self._searched(clause) if clause.step else [])
        due = said_again(clause, task)
        return Turn(snapshot_text(task, lines), step.thought, step.action, step.box, clause.kind, due=due)

    def _embed(self, clause: Clause, is_last: bool = False) -> Turn:
        """Sets the clause among imagined ones."""
        earlier, later = self.rng.choice(AROUND)
        past = [imagined(self.see) for _ in range(earlier)]
        future = [imagined(self.see) for _ in range(0 if is_last or clause.step is None else later)]
        lines = self._lines([line for c in past for line in c.past] + clause.past)
        step = clause.step or done_step()
        if clause.step:
            lines += self._looked_for(clause)
        return self._turn([*past, clause, *future], lines, step, clause.kind, clause)

    def _lines(self, lines: list[str]) -> list[str]:
        """With what happens on the way: scrolling, what had no effect that one could see, what was done twice, and
        steps that were a mistake. To no effect nothing is done a second time: the agent would not let it be."""
        told = self._mistakes(0.06)
        for line in lines:
            if self.rng.random() < 0.06:
                told += ["Scroll down"] * self.rng.choice([1, 1, 2])
            is_quiet = self.rng.random() < 0.05 and "(no" not in line
            told.append(f"{line} (no change)" if is_quiet else line)
            if is_quiet:
                continue
            if self.rng.random() < 0.02 and line.startswith("Click"):
                told.append(line)
            told += self._mistakes(0.03)
        return told

    def _looked_for(self, clause: Clause) -> list[str]:
        """How the target came into view: what is in view is not scrolled to, however much was scrolled before."""
        assert clause.step is not None
        if clause.step.action["action"] == "scroll":
            return self._searched(clause)
        if "coordinate" not in clause.step.action or self.rng.random() > 0.08:
            return []
        if self.scene.above > 0:
            return ["Scroll down"] * self.rng.choice([1, 1, 2, 3])
        return self.rng.choice(
            [["Scroll down (no change)"], ["Scroll down", "Scroll up"], ["Scroll up (no change)"]]
        )

    def _searched(self, clause: Clause) -> list[str]:
        """How far the target was looked for, where it still is. A page does not show where it stands: one looks
        further down, and above once the end was reached."""
        assert clause.step is not None
        was_asked_for = clause.kind == "key"
        if was_asked_for or clause.step.action["action"] != "scroll":
            return []
        if clause.step.action["pixels"] > 0:
            there, back = self.rng.choice([0, 1, 1, 2, 3]), self.rng.choice([0, 0, 1, 2])
            return ["Scroll down"] * there + ["Scroll down (no change)"] + ["Scroll up"] * back
        if self.scene.above == 0:
            return ["Scroll up (no change)"] if self.rng.random() < 0.1 else []
        return ["Scroll down"] * self.rng.choice([0, 0, 0, 1, 1, 2])

    def _mistakes(self, share: float) -> list[str]:
        """Steps that nobody asked for, most of them to no effect. They say nothing about what is left to do."""
        if self.rng.random() > share:
            return []
        words = self.see.words
        name = self.rng.choice([words.command, words.place, words.thing])()
        line = self.rng.choice([f"Click '{name}'", f"Click '{name}'", f"Type '{words.noun()}' into '{name}'"])
        if self.rng.random() < 0.7:
            return [f"{line} (no change)"]
        return [line]

    def _turn(
        self, clauses: list[Clause], lines: list[str], step: Step, kind: str, clause: Clause | None = None
    ) -> Turn:
        """`clause`: the one that the step is for."""
        text = self.say.join([c.text for c in clauses])
        quiet = bool(lines) and self.rng.random() < WORDLESS
        lines = wordless(lines, self.see) if quiet else lines
        due = said_again(clause, text)
        return Turn(snapshot_text(text, lines), step.thought, step.action, step.box, kind, quiet, due)

    def _pick_element(self) -> Element:
        """Fields and odd roles more often than their number, so that every skill is practised."""
        return self.rng.choices(self.visible, [OFTEN.get(e.role, 1.0) for e in self.visible])[0]

    def _shuffled(self, makers: list, weights: Sequence[float]) -> Iterator:
        """Makers by weight, without repeats."""
        makers, weights = list(makers), list(weights)
        while makers:
            i = self.rng.choices(range(len(makers)), weights)[0]
            yield makers.pop(i)
            weights.pop(i)
