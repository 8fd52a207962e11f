"""Clauses about widgets: what state is wanted, and the next step from the state that the page shows."""

from ...pages.page import (
    Bulk,
    Calendar,
    Choice,
    Listing,
    Menu,
    Order,
    Product,
    Rating,
    Record,
    Results,
    Select,
    Shelf,
    Slider,
    Sorting,
    Stepper,
    Suggestions,
    Ticks,
    Todo,
    Tree,
    Widget,
)
from ..clause import Clause
from ..sight import Sight
from . import apps, choices, dials, searches, shelves

# Widgets of which several steps make one wish, more often than their number on pages.
WIDGETS: dict[type, float] = {
    Ticks: 4,
    Todo: 5,
    Record: 4,
    Bulk: 3,
    Listing: 3,
    Suggestions: 3,
    Sorting: 2,
    Menu: 2,
    Tree: 2,
}


def goal(widget: Widget, see: Sight) -> Clause | None:
    """A clause about the widget, or None where its state cannot be seen or nothing can be asked of it."""
    match widget:
        case Select():
            return choices.drop_down(widget, see)
        case Ticks():
            return choices.tick(widget, see)
        case Choice():
            return choices.choose(widget, see)
        case Rating():
            return choices.rate(widget, see)
        case Stepper():
            return dials.step_to(widget, see)
        case Slider():
            return dials.slide(widget, see)
        case Calendar():
            return dials.pick_date(widget, see)
        case Order():
            return dials.reorder(widget, see)
        case Menu():
            return searches.menu(widget, see)
        case Tree():
            return searches.tree(widget, see)
        case Suggestions():
            return searches.suggestion(widget, see)
        case Sorting():
            return searches.sort(widget, see)
        case Results():
            return searches.nth_result(widget, see)
        case Shelf():
            return shelves.by_place(widget, see)
        case Todo():
            return apps.todo(widget, see)
        case Bulk():
            return apps.bulk(widget, see)
        case Listing():
            return apps.listing(widget, see)
        case Record():
            return apps.record(widget, see)
        case Product():
            return apps.product(widget, see)
