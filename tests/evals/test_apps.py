"""The judges of `saccade.evals.apps` are right: false before, true after a solution that is known.

Needs the packages that the tasks are about, fetched once; skipped where they cannot be had.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from saccade.agent import Preferences, Reply, ScriptedModel
from saccade.errors import InputError
from saccade.evals.apps.fetch import NotFetchedError
from saccade.evals.apps.play import VIEWPORT, play, play_all, summary
from saccade.evals.apps.site import APPS, Site, open_site
from saccade.evals.apps.tasks import TASKS, AppTask
from saccade.tools import Browser

pytestmark = pytest.mark.timeout(600)

Line = dict[str, Any]
ENTER = {"action": "key", "keys": ["Enter"]}
NEW = "#new-todo"


def click(at: str, action: str = "left_click") -> Line:
    return {"action": action, "at": at}


def write(at: str, text: str) -> Line:
    return {"action": "type", "at": at, "text": text}


def todo(title: str) -> str:
    return f"#todo-list li:has-text('{title}')"


def add(title: str) -> list[Line]:
    return [write(NEW, title), ENTER]


def choose(field: str, start: str) -> list[Line]:
    """In a select list, by the keyboard."""
    return [click(field), {"action": "type", "text": start}, ENTER]


SOLUTIONS: dict[str, list[Line]] = {
    "todo-add": add("Buy oat milk"),
    "todo-add-three": [*add("Stamps"), *add("Envelopes"), *add("String")],
    "todo-tick": [click(f"{todo('Water')} .toggle"), click(f"{todo('Sharpen')} .toggle")],
    "todo-delete": [click(f"{todo('plumber')} label", "mouse_move"), click(f"{todo('plumber')} .destroy")],
    "todo-rename": [
        click(f"{todo('Sharpen')} label", "double_click"),
        {"action": "key", "keys": ["ctrl", "a"]},
        {"action": "type", "text": "Sharpen crayons"},
        ENTER,
    ],
    "todo-filter": [click("#filters >> text=Active")],
    "todo-clear": [click("#toggle-all"), click("#clear-completed")],
    "admin-form": [
        write("#exampleInputEmail1", "ada@example.com"),
        write("#exampleInputPassword1", "difference"),
        click("text=Check me out"),
    ],
    "admin-tick": [click(".todo-list li:has-text('shine') input")],
    "admin-search": [write("#example1_filter input", "Nokia")],
    "admin-sort": [click("#example1 thead th >> nth=1"), click("#example1 thead th >> nth=1")],
    "admin-page": [*choose("#example1_length select", "25"), click("#example1_paginate >> text=2")],
    "admin-menu": [click(".sidebar-menu >> text=UI Elements"), click(".sidebar-menu >> text=Buttons")],
    "admin-modal": [click("text=Launch Info Modal")],
    "library-sign-in": [
        write("#id_username", "librarian"),
        write("#id_password", "quiet-please"),
        click("[type=submit]"),
    ],
    "library-add-author": [
        click(".model-author .addlink >> nth=-1"),
        write("#id_name", "Mira Lindqvist"),
        write("#id_born", "1977"),
        click("[name=_save]"),
    ],
    "library-add-book": [
        click(".object-tools .addlink"),
        write("#id_title", "Low Water"),
        *choose("#id_author", "Ivo"),
        write("#id_pages", "288"),
        click("[name=_save]"),
    ],
    "library-correct": [
        click("#result_list >> text=Glass Rivers"),
        write("#id_pages", "420"),
        click("[name=_save]"),
    ],
    "library-delete": [
        click("#result_list >> text=Winter Orchard"),
        click(".deletelink"),
        click("#content [type=submit]"),
    ],
    "library-return": [
        click("#action-toggle"),
        *choose("select[name=action]", "Mark"),
        click("button[name=index]"),
    ],
}


class Solver:
    """A script whose `at` is a selector, scrolled into view and pointed at.

    `done_before` is what the judge says at the start.
    """

    name = "solver"
    preferences = Preferences(viewport=VIEWPORT, memory="snapshot")

    def __init__(self, task: AppTask, site: Site):
        self.task, self.site = task, site
        self.lines = iter(SOLUTIONS[task.name])
        self.done_before: bool | None = None

    def meet(self, _: AppTask, browser: Browser) -> "Solver":
        self.browser = browser
        return self

    async def reply(self, messages: list[dict], tools: list[dict], thinking: str = "auto") -> Reply:
        if self.done_before is None:
            self.done_before = await self.site.holds(self.task.judge, self.browser)
        line: Line = dict(next(self.lines, {"action": "terminate", "status": "success"}))
        selector = line.pop("at", None)
        if selector:
            target = self.browser.page.locator(selector).first
            await target.scroll_into_view_if_needed(timeout=15_000)
            box = await target.bounding_box()
            assert box, selector
            x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
            line["coordinate"] = [round(1000 * x / VIEWPORT[0]), round(1000 * y / VIEWPORT[1])]
        return await ScriptedModel([line]).reply(messages, tools)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared():
    async with Browser(viewport=VIEWPORT) as browser:
        yield browser


@pytest.fixture(scope="module", params=APPS)
def site(request) -> Iterator[tuple[str, Site]]:
    try:
        opened = open_site(request.param)
        found = opened.__enter__()
    except NotFetchedError as error:  # whatever else goes wrong is a failure
        pytest.skip(str(error))
    yield request.param, found
    opened.__exit__(None, None, None)


@pytest.mark.asyncio(loop_scope="module")
async def test_every_judge_tells_done_from_undone(site, shared, tmp_path: Path):
    app, served = site
    for task in (it for it in TASKS if it.app == app):
        solver = Solver(task, served)
        result = await play(task, served, solver.meet, tmp_path / task.name, shared)
        assert solver.done_before is False, task.name
        assert result["right"], result


async def test_what_was_played_is_not_played_again(tmp_path: Path):
    """A model that gives up at once; the second time, no application is opened."""
    try:
        with open_site("todomvc"):
            pass
    except NotFetchedError as error:
        pytest.skip(str(error))
    tasks, told = [it for it in TASKS if it.app == "todomvc"][:2], []
    for _ in range(2):
        results = await play_all(tasks, ScriptedModel([]), tmp_path, told.append)
        assert [(it["id"], it["kind"], it["right"]) for it in results] == [
            (task.name, "todomvc", False) for task in tasks
        ]
    assert len(told) == 2
    assert summary(results) == {"tasks": 2, "right": 0.0, "claimed_wrongly": 0, "apps": {"todomvc": 0.0}}


def test_there_are_twenty_tasks_in_three_apps():
    assert len(TASKS) == len(SOLUTIONS) >= 20
    assert {task.name for task in TASKS} == SOLUTIONS.keys()
    assert {task.app for task in TASKS} == set(APPS)


def test_a_claim_is_no_success():
    results = [
        {"kind": "todomvc", "right": True, "claimed": True},
        {"kind": "todomvc", "right": False, "claimed": True},
        {"kind": "django", "right": False, "claimed": False},
    ]
    assert summary(results) == {
        "tasks": 3,
        "right": 0.3333,
        "claimed_wrongly": 1,
        "apps": {"django": 0.0, "todomvc": 0.5},
    }


def test_an_unknown_app_is_refused():
    with pytest.raises(InputError, match="the apps are"), open_site("wordpress"):
        pass
