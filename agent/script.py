"""A recorded run as a Playwright program: self-contained, no model, no Saccade.

Elements are named by role and accessible name wherever the recording knows them, so that the program survives
a new design; what has no name is pressed where it was. Secrets come from the environment.
"""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..tools.element import Element
from ..tools.keys import playwright_key
from .replay import reason_to_skip
from .run import Run, Step, read_folder
from .secrets import PLACE

NO_ARIA = ("canvas", "video")  # roles of our own making, which Playwright does not look for
HEAD = '''"""{task}

Recorded with Saccade on {today}; needs Playwright alone.

    pip install {needs} && playwright install chromium
    {command}
"""

import os
{imports}
URL = {url!r}
VIEWPORT = {viewport!r}

'''
MAIN = """

def main() -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM") or None)
        page = browser.new_page(viewport=VIEWPORT)
        play(page, sys.argv[1] if len(sys.argv) > 1 else URL)
        browser.close()


if __name__ == "__main__":
    main()
"""
TEST = """

@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM") or None)
        yield browser.new_page(viewport=VIEWPORT)
        browser.close()


def test_{name}(page: Page) -> None:
    play(page, os.environ.get("BASE_URL", URL))
"""


def export_playwright(run: Run, path: str | Path) -> Path:
    """`python PATH [URL]`: the site may be another one of the same kind."""
    imports = "import sys\n\nfrom playwright.sync_api import Page, sync_playwright\n"
    path = Path(path)
    head = _head(run, "playwright", f"python {path.name} [URL]", imports)
    path.write_text(head + program(run) + MAIN, "utf-8")
    return path


def export_pytest(run: Run, path: str | Path) -> Path:
    """One test, which also checks where the run ended; BASE_URL moves it to another site."""
    imports = (
        "import re\nfrom collections.abc import Iterator\n\nimport pytest\n"
        "from playwright.sync_api import Page, expect, sync_playwright\n"
    )
    path = Path(path)
    name = re.sub(r"[^a-z0-9]+", "_", run.task.lower()).strip("_")[:50] or "run"
    head = _head(run, "playwright pytest", f"pytest {path.name}", imports)
    checks = "".join(f"    {line}\n" for line in checked(run))
    path.write_text(head + program(run) + TEST.format(name=name) + checks, "utf-8")
    return path


def program(run: Run) -> str:
    """`def play(page, url)`: one commented line or two per step."""
    lines: list[str] = []
    for step, following in zip(run.steps, [*run.steps[1:], None], strict=True):
        lines += _foreseen(following.action) if following else []
        lines += _lines(step, _start(run))
    body = "".join(f"    {line}\n" for line in ["page.goto(url)", *lines])
    return f"\ndef play(page: Page, url: str) -> None:\n{body}"


def _foreseen(action: Any) -> list[str]:
    """Playwright wants to know how a dialog or a file chooser is answered before it opens."""
    match action.action if action else "":
        case "accept_dialog":
            return [
                f'page.once("dialog", lambda dialog: dialog.accept({action.text!r}))'.replace("(None)", "()")
            ]
        case "dismiss_dialog":
            return ['page.once("dialog", lambda dialog: dialog.dismiss())']
        case "upload_file" if action.coordinate is None:
            return [f'page.once("filechooser", lambda chooser: chooser.set_files({action.text!r}))']
    return []


def checked(run: Run) -> Iterator[str]:
    """Where the run ended, when its last step still shows it; and the run's own condition."""
    last = run.steps[-1] if run.steps else None
    if last is not None and reason_to_skip(last) == "an end":
        yield f"expect(page).to_have_url(re.compile({re.escape(urlsplit(last.url).path) + '([?#]|$)'!r}))"
    until = str(read_folder(run.folder)[0].get("until") or "")
    kind, _, rest = until.partition("=")
    if kind == "css":
        yield f"expect(page.locator({rest!r}).first).to_be_visible()"
    elif kind == "text":
        yield f"expect(page.get_by_text({rest!r}).first).to_be_visible()"


def _head(run: Run, needs: str, command: str, imports: str) -> str:
    header, _ = read_folder(run.folder)
    width, height = header.get("viewport") or (run.steps[0].screenshot.size if run.steps else (1280, 800))
    viewport = {"width": width, "height": height}
    task = run.task.replace("\\", "\\\\").replace('"""', "'''")
    return HEAD.format(
        task=task,
        today=date.today(),
        needs=needs,
        command=command,
        imports=imports,
        url=_start(run),
        viewport=viewport,
    )


def _start(run: Run) -> str:
    header, _ = read_folder(run.folder)
    return header.get("url") or (run.steps[0].url if run.steps else "about:blank")


def _lines(step: Step, start: str) -> Iterator[str]:
    said = step.said() or " ".join(step.describe().split())
    skip = reason_to_skip(step)
    if skip:
        yield f"# {step.number}. {said} ({skip})"
        return
    yield f"# {step.number}. {said}"
    lines = list(_act(step, start))
    if step.effect is not None and step.effect.new_tab and step.action and step.action.action != "new_tab":
        yield "with page.expect_popup() as popup:"
        yield from (f"    {line}" for line in lines)
        yield "page = popup.value"
    else:
        yield from lines


def _act(step: Step, start: str) -> Iterator[str]:
    action: Any = step.action
    on = _locator(step.targets.get("coordinate"))
    place = _place(step, "coordinate") if getattr(action, "coordinate", None) else None
    match action.action:
        case "left_click" | "right_click" | "middle_click" | "double_click" | "triple_click":
            yield _press(action.action, on, place)
        case "mouse_move":
            yield f"{on}.hover()" if on else f"page.mouse.move({place})"
        case "left_click_drag":
            yield from _drag(step, on, place)
        case "type":
            yield from _type(action.text, on, place)
        case "key":
            yield f"page.keyboard.press({'+'.join(playwright_key(name) for name in action.keys)!r})"
        case "scroll" | "hscroll":
            if place:
                yield f"page.mouse.move({place})"
            across = action.action == "hscroll"
            yield f"page.mouse.wheel({action.pixels if across else 0:g}, {0 if across else -action.pixels:g})"
        case "wait":
            yield f"page.wait_for_timeout({action.time * 1000:.0f})"
        case "goto":
            yield f"page.goto({_moved(action.url, start)})"
        case "back" | "forward":
            yield f"page.go_{action.action}()"
        case "reload":
            yield "page.reload()"
        case "accept_dialog" | "dismiss_dialog":
            yield "# answered above, as it opened"
        case "upload_file" if action.coordinate is None:
            yield "# chosen above, as the chooser opened"
        case "upload_file":
            yield f'page.once("filechooser", lambda chooser: chooser.set_files({action.text!r}))'
            yield f"{on}.click()" if on else f"page.mouse.click({place})"
        case "new_tab":
            yield "page = page.context.new_page()"
            if action.url:
                yield f"page.goto({_moved(action.url, start)})"
        case "switch_tab":
            yield f"page = page.context.pages[{action.tab}]"
            yield "page.bring_to_front()"
        case "close_tab":
            yield "page.close()" if action.tab is None else f"page.context.pages[{action.tab}].close()"
            yield "page = page.context.pages[-1]"


def _locator(target: Element | None) -> str | None:
    """By role and name, as people name it; the number only where several share both."""
    if target is None or not target.named or target.role in NO_ARIA:
        return None
    place = "page" + "".join(f".frame_locator({path!r})" for path in target.frames)
    match target.role:
        case "password":
            found = f"{place}.get_by_label({target.name!r}, exact=True)"
        case "summary":
            found = f"{place}.locator('summary', has_text={target.name!r})"
        case role:
            found = f"{place}.get_by_role({role!r}, name={target.name!r}, exact=True)"
    return f"{found}.nth({target.nth})" if target.twins > 1 else found


def _place(step: Step, name: str) -> str:
    """CSS px where it was; an emulated pixel ratio is not recorded, so the screenshot's scale counts."""
    from ..tools.geometry import Geometry

    size = step.screenshot.size
    x, y = Geometry(*size, *size).relative_to_css(getattr(step.action, name))
    return f"{x:g}, {y:g}"


def _press(kind: str, on: str | None, place: str | None) -> str:
    how = {
        "right_click": 'button="right"',
        "middle_click": 'button="middle"',
        "double_click": "click_count=2",
        "triple_click": "click_count=3",
    }.get(kind, "")
    return f"{on}.click({how})" if on else f"page.mouse.click({', '.join(filter(None, [place, how]))})"


def _drag(step: Step, end: str | None, place: str | None) -> Iterator[str]:
    start = _locator(step.targets.get("start_coordinate"))
    if start and end:
        yield f"{start}.drag_to({end})"
        return
    if getattr(step.action, "start_coordinate", None):
        yield f"page.mouse.move({_place(step, 'start_coordinate')})"
    yield "page.mouse.down()"
    yield f"page.mouse.move({place}, steps=12)"
    yield "page.mouse.up()"


def _type(text: str, on: str | None, place: str | None) -> Iterator[str]:
    if on:
        yield f"{on}.fill({_text(text)})"
        return
    if place:
        yield f"page.mouse.click({place})"
        yield 'page.keyboard.press("ControlOrMeta+a")'
    yield f"page.keyboard.type({_text(text)})"


def _text(text: str) -> str:
    """A literal, or with secrets from the environment: `{{code}}` is SECRET_CODE."""
    parts: list[str] = []
    position = 0
    for place in PLACE.finditer(text):
        parts += [repr(text[position : place.start()])] if place.start() > position else []
        parts.append(f'os.environ["SECRET_{re.sub(r"[^A-Z0-9]", "_", place[1].upper())}"]')
        position = place.end()
    rest = text[position:]
    return " + ".join([*parts, *([repr(rest)] if rest or not parts else [])])


def _moved(url: str, start: str) -> str:
    """An address of the same site moves with it."""
    a, b = urlsplit(url), urlsplit(start)
    if not a.netloc or (a.scheme, a.netloc) != (b.scheme, b.netloc):
        return repr(url)
    rest = url.split(a.netloc, 1)[1].lstrip("/")
    return f'"/".join(url.split("/")[:3]) + {"/" + rest!r}'
