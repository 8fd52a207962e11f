"""Twenty things to do in three real applications, each with its judge: JavaScript in the page, or SQL."""

from dataclasses import dataclass


@dataclass(frozen=True)
class AppTask:
    """`prepare` is JavaScript that runs on the page first, which is then loaded anew."""

    name: str
    app: str
    path: str
    text: str
    judge: str
    prepare: str = ""
    max_steps: int = 15


TODO = "/examples/backbone/index.html"
FORM, TABLES = "/pages/forms/general.html", "/pages/tables/data.html"
BOOKS = "/as-librarian?next=/admin/library/book/"

_TITLES = "[...document.querySelectorAll('#todo-list li:not(.hidden) label')].map(it => it.textContent)"
_DONE = "[...document.querySelectorAll('#todo-list li.completed label')].map(it => it.textContent)"
_SEED = """localStorage.clear();
localStorage['todos-backbone'] = 'a,b,c,d';
[['a', 'Water the ferns', false], ['b', 'Call the plumber', false], ['c', 'Return library books', true],
 ['d', 'Sharpen pencils', false]].forEach(([id, title, completed], order) =>
  localStorage[`todos-backbone-${id}`] = JSON.stringify({ id, title, completed, order: order + 1 }))"""


def _are(found: str, *wanted: str) -> str:
    return f"JSON.stringify({found}.sort()) === JSON.stringify({sorted(wanted)})"


TASKS = [
    AppTask(
        "todo-add",
        "todomvc",
        TODO,
        "Add 'Buy oat milk' to the list",
        _are(_TITLES, "Buy oat milk"),
        "localStorage.clear()",
    ),
    AppTask(
        "todo-add-three",
        "todomvc",
        TODO,
        "Put these three on the list: Stamps, Envelopes, String",
        _are(_TITLES, "Stamps", "Envelopes", "String"),
        "localStorage.clear()",
    ),
    AppTask(
        "todo-tick",
        "todomvc",
        TODO,
        "Mark 'Water the ferns' and 'Sharpen pencils' as done",
        _are(_DONE, "Water the ferns", "Sharpen pencils", "Return library books"),
        _SEED,
    ),
    AppTask(
        "todo-delete",
        "todomvc",
        TODO,
        "Delete 'Call the plumber'. The cross shows when the mouse is over the line",
        _are(_TITLES, "Water the ferns", "Return library books", "Sharpen pencils"),
        _SEED,
    ),
    AppTask(
        "todo-rename",
        "todomvc",
        TODO,
        "Change 'Sharpen pencils' to 'Sharpen crayons'",
        _are(_TITLES, "Water the ferns", "Call the plumber", "Return library books", "Sharpen crayons"),
        _SEED,
    ),
    AppTask(
        "todo-filter",
        "todomvc",
        TODO,
        "Show only what is still to be done",
        "location.hash === '#/active' && "
        + _are(_TITLES, "Water the ferns", "Call the plumber", "Sharpen pencils"),
        _SEED,
    ),
    AppTask(
        "todo-clear",
        "todomvc",
        TODO,
        "Mark everything as done, then clear what is completed",
        "document.querySelectorAll('#todo-list li').length === 0 && localStorage['todos-backbone'] === ''",
        _SEED,
    ),
    AppTask(
        "admin-form",
        "adminlte",
        FORM,
        "In the first form, enter ada@example.com, the password difference, and tick 'Check me out'",
        """exampleInputEmail1.value === "ada@example.com" && exampleInputPassword1.value === "difference"
        && exampleInputEmail1.form.querySelector("[type=checkbox]").checked""",
    ),
    AppTask(
        "admin-tick",
        "adminlte",
        "/index.html",
        "In the box 'To Do List', tick 'Let theme shine like a star'",
        "[...document.querySelectorAll('.todo-list li.done')].some(it => it.textContent.includes('shine'))",
    ),
    AppTask(
        "admin-search",
        "adminlte",
        TABLES,
        "In the table with full features, search for Nokia",
        """(() => { const rows = [...document.querySelectorAll("#example1 tbody tr")];
        return rows.length === 1 && rows.every(it => it.textContent.includes("Nokia")) })()""",
    ),
    AppTask(
        "admin-sort",
        "adminlte",
        TABLES,
        "Sort the table with full features by browser, from Z to A",
        """document.querySelectorAll("#example1 thead th")[1].getAttribute("aria-sort") === "descending"
        """,
    ),
    AppTask(
        "admin-page",
        "adminlte",
        TABLES,
        "Show 25 entries in the table with full features and go to its second page",
        """example1_info.textContent.startsWith("Showing 26 to 50")""",
    ),
    AppTask(
        "admin-menu",
        "adminlte",
        "/index.html",
        "Open the page with buttons from the menu at the left, under UI Elements",
        "location.pathname === '/pages/UI/buttons.html'",
    ),
    AppTask(
        "admin-modal",
        "adminlte",
        "/pages/UI/modals.html",
        "Open the info modal",
        "document.querySelector('#modal-info').classList.contains('in')",
    ),
    AppTask(
        "library-sign-in",
        "django",
        "/admin/",
        "Sign in as librarian with the password quiet-please",
        "select count(*) > 0 from auth_user where username = 'librarian' and last_login > datetime('now', "
        "'localtime', '-60 seconds')",
    ),
    AppTask(
        "library-add-author",
        "django",
        "/as-librarian?next=/admin/",
        "Add the author Mira Lindqvist, born in 1977",
        "select count(*) = 1 from library_author where name = 'Mira Lindqvist' and born = 1977",
    ),
    AppTask(
        "library-add-book",
        "django",
        BOOKS,
        "Add the book 'Low Water' by Ivo Brandt, 288 pages, not on loan",
        "select count(*) = 1 from library_book join library_author on author_id = library_author.id where "
        "title = 'Low Water' and library_author.name = 'Ivo Brandt' and pages = 288 and not lent",
    ),
    AppTask(
        "library-correct",
        "django",
        BOOKS,
        "The book 'Glass Rivers' has 420 pages, not 402: correct that",
        "select count(*) = 1 from library_book where title = 'Glass Rivers' and pages = 420",
    ),
    AppTask(
        "library-delete",
        "django",
        BOOKS,
        "Delete the book 'Winter Orchard', and no other",
        "select count(*) = 4 and sum(title = 'Winter Orchard') = 0 from library_book",
    ),
    AppTask(
        "library-return",
        "django",
        BOOKS,
        "All books that are on loan have come back: mark them as returned with the action of the list",
        "select count(*) = 5 and sum(lent) = 0 from library_book",
    ),
]
