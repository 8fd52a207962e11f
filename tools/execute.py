"""Does an action with real mouse and keyboard events: one `match`. Judges nothing and observes nothing."""

import asyncio
import json
import re
from typing import Literal

from playwright.async_api import Error as PlaywrightError

from ..errors import ActionError
from .actions import (
    AcceptDialog,
    Action,
    Answer,
    AskUser,
    Back,
    CloseTab,
    DismissDialog,
    DoubleClick,
    Forward,
    Goto,
    HScroll,
    Key,
    LeftClick,
    LeftClickDrag,
    MiddleClick,
    MouseMove,
    NewTab,
    Reload,
    RightClick,
    Scroll,
    SwitchTab,
    Terminate,
    TripleClick,
    Type,
    UploadFile,
    Wait,
)
from .dialogs import answer_at
from .geometry import Geometry, Point
from .keys import MODIFIERS, playwright_key, shifted
from .session import Session
from .tab import LiveTab
from .writing import Allow, on_us_layout, press_letter, write

_DRAG_STEPS = 12
_CHOOSER_S = 2.0


async def perform(
    session: Session, geometry: Geometry, action: Action, allow: Allow | None = None
) -> str | None:
    """Do it; what went wrong in one line, or None. Raises ActionError for a tab that is not there, and what
    `allow` raises before text is typed.
    """
    if session.asks.open is not None:
        return await _respond(session, geometry, action)
    page, at = session.page, geometry.relative_to_css
    match action:
        case LeftClick(coordinate=point):
            await _click(session, at(point))
        case RightClick(coordinate=point):
            await _click(session, at(point), button="right")
        case MiddleClick(coordinate=point):
            await _click(session, at(point), button="middle")
        case DoubleClick(coordinate=point):
            await _click(session, at(point), count=2)
        case TripleClick(coordinate=point):
            await _click(session, at(point), count=3)
        case MouseMove(coordinate=point):
            await _move(session, at(point))
        case LeftClickDrag(start_coordinate=start, coordinate=end):
            await _drag(session, at(start) if start else None, at(end))
        case Type(text=text, coordinate=point):
            if point is not None:
                await _click(session, at(point))
            return await _enter(session, text, replace=point is not None, allow=allow)
        case Key(keys=keys):
            await _press(session, [playwright_key(name) for name in keys])
        case Scroll(pixels=pixels, coordinate=point):
            await _wheel(session, geometry, at(point) if point else None, 0, -pixels)
        case HScroll(pixels=pixels, coordinate=point):
            await _wheel(session, geometry, at(point) if point else None, pixels, 0)
        case Wait(time=seconds):
            await asyncio.sleep(seconds)
        case Goto(url=url):
            return await session.goto(full_url(url))
        case Back():
            await page.go_back(wait_until="commit")
        case Forward():
            await page.go_forward(wait_until="commit")
        case Reload():
            await page.reload(wait_until="domcontentloaded")
        case NewTab(url=url):
            await session.new_tab()
            return await session.goto(full_url(url)) if url else None
        case SwitchTab(tab=index):
            await _switch(session, _tab(session, index))
        case CloseTab(tab=index):
            await (session.active if index is None else _tab(session, index)).page.close()
        case UploadFile(text=name, coordinate=point):
            return await _upload(session, name, at(point) if point else None)
        case AcceptDialog() | DismissDialog():
            return "no dialog is open"
        case Answer() | Terminate() | AskUser():
            raise AssertionError(f"{action.action} never reaches the browser")
    return None


def full_url(text: str) -> str:
    """`example.com` -> `https://example.com`; hosts of this machine get `http://`."""
    text = text.strip()
    if re.match(r"^(localhost|127\.|\[::1\]|0\.0\.0\.0)", text):
        return f"http://{text}"
    if re.match(r"^[a-zA-Z][a-zA-Z0-9+.-]*:(?!\d)", text):
        return text
    return f"https://{text}"


async def _move(session: Session, point: Point) -> None:
    session.mouse = point
    await session.page.mouse.move(*point)


async def _click(
    session: Session, point: Point, button: Literal["left", "right", "middle"] = "left", count: int = 1
) -> None:
    """What a click closes has been clicked: the answer to it may be lost with the page."""
    session.mouse, page = point, session.page
    try:
        await page.mouse.click(*point, button=button, click_count=count)
    except PlaywrightError:
        if not page.is_closed() or not session.connected:
            raise


async def _drag(session: Session, start: Point | None, end: Point) -> None:
    """Many small moves: pages that follow a drag need to see the way, not only the ends."""
    mouse = session.page.mouse
    if start is not None:
        await _move(session, start)
    await mouse.down()
    await mouse.move(*end, steps=_DRAG_STEPS)
    await mouse.up()
    session.mouse = end


async def _enter(session: Session, text: str, replace: bool, allow: Allow | None) -> str | None:
    """Into a field of dates, times, colours or numbers as its value; into any other as keys.

    Where nothing holds text, as keys too, for pages listen to them; to select all would select the page.
    """
    if allow is not None:
        await allow()
    told = await (await session.active.world()).ask(f"saccade.fill({json.dumps(text)})")
    if isinstance(told, str):
        return told or None
    keyboard = session.page.keyboard
    if replace and told is not False:
        await keyboard.press("ControlOrMeta+a")
        if not text:
            await keyboard.press("Delete")
    await write(session.page, await session.active.cdp(), text, allow)
    return None


async def _upload(session: Session, name: str, point: Point | None) -> str | None:
    if point is None:
        return "no file chooser is open: give the coordinate of the upload button"
    await _click(session, point)
    if not await session.asks.wait_for("file", _CHOOSER_S):
        return "the click opened no file chooser"
    return await session.asks.answer(True, name)


async def _respond(session: Session, geometry: Geometry, action: Action) -> str | None:
    """The action as an answer to the open dialog: its buttons, keys and field are drawn, not the page's."""
    ask = session.asks.open
    assert ask is not None
    match action:
        case AcceptDialog(text=text):
            return await session.asks.answer(True, ask.text if text is None else text)
        case UploadFile(text=name) if ask.kind == "file":
            return await session.asks.answer(True, name)
        case DismissDialog():
            return await session.asks.answer(False)
        case LeftClick(coordinate=point):
            size = geometry.image_width, geometry.image_height
            answer = answer_at(ask, geometry.relative_to_image(point), size)
            return await session.asks.answer(*answer) if answer else None
        case Type(text=text) if ask.has_field:
            session.asks.open = ask.typed(text.rstrip("\n"))
            return await session.asks.answer(True, text.rstrip("\n")) if text.endswith("\n") else None
        case Key(keys=(key,)) if playwright_key(key) in ("Enter", "Escape"):
            return await session.asks.answer(playwright_key(key) == "Enter", ask.text)
        case Wait(time=seconds):
            await asyncio.sleep(seconds)
        case _:
            return f"a dialog is open: answer it first with accept_dialog or dismiss_dialog ({ask.kind})"
    return None


async def _press(session: Session, keys: list[str]) -> None:
    """Modifiers are held while the other keys are pressed one after the other."""
    page = session.page
    held = [key for key in keys if key in MODIFIERS]
    pressed = [shifted(key) if "Shift" in held else key for key in keys if key not in MODIFIERS]
    for key in held:
        await page.keyboard.down(key)
    for key in pressed:
        if on_us_layout(key):
            await page.keyboard.press(key)
        else:
            await press_letter(await session.active.cdp(), key)
    for key in reversed(held):
        await page.keyboard.up(key)


async def _wheel(session: Session, geometry: Geometry, point: Point | None, dx: float, dy: float) -> None:
    await _move(session, point or session.mouse or geometry.relative_to_css((500, 500)))
    await session.page.mouse.wheel(dx, dy)


async def _switch(session: Session, tab: LiveTab) -> None:
    await tab.page.bring_to_front()
    session.activate(tab)


def _tab(session: Session, index: int) -> LiveTab:
    if index >= len(session.tabs):
        raise ActionError(f"there is no tab {index}: the tabs are 0 to {len(session.tabs) - 1}")
    return session.tabs[index]
