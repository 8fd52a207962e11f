"""Is everything here that a run needs? One check per thing; each says what it found or what to do about it.

Catches broadly on purpose: a check that fails is this room's result, whatever made it fail.
"""

import asyncio
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from ..tools import Browser

PAGE = "<body style='margin:40px;font:64px sans-serif'><p>Saccade looks.<p>日本語 한국어 العربية</body>"
SCRIPTS = {"Latin": "Ag", "Chinese and Japanese": "日本", "Korean": "한국", "Arabic": "عس"}
DISTINCT = """(scripts) => {  // a font that lacks both letters of a pair draws the same box for them
    const draw = (letter) => {
        const canvas = Object.assign(document.createElement("canvas"), {width: 80, height: 80});
        const pen = canvas.getContext("2d");
        pen.font = "60px sans-serif";
        pen.fillText(letter, 5, 65);
        return canvas.toDataURL();
    };
    return Object.keys(scripts).filter((name) => draw(scripts[name][0]) !== draw(scripts[name][1]));
}"""


@dataclass(frozen=True)
class Check:
    name: str
    ok: bool
    detail: str
    essential: bool = True

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def examine(browser: Path | None = None, screenshot: Path | None = None) -> list[Check]:
    """`browser` is an executable; the test screenshot is kept at `screenshot`, else in a temporary file."""
    path = screenshot or Path(tempfile.gettempdir()) / "saccade-doctor.png"
    return [
        Check("python", sys.version_info >= (3, 11), sys.version.split()[0]),
        attempt("torch", torch_version),
        attempt("gpu", gpu_name, essential=False),
        attempt("checkpoint", checkpoint),
        attempt("browser", lambda: asyncio.run(with_page(browser, lambda it: take_screenshot(it, path)))),
        attempt("fonts", lambda: asyncio.run(with_page(browser, find_fonts)), essential=False),
    ]


def attempt(name: str, find: Callable[[], str], essential: bool = True) -> Check:
    try:
        return Check(name, True, find(), essential)
    except Exception as error:
        return Check(name, False, " ".join(str(error).split()) or repr(error), essential)


def torch_version() -> str:
    import torch

    return torch.__version__


def gpu_name() -> str:
    import torch

    if not torch.cuda.is_available():
        raise LookupError("none; the built-in model runs on the CPU")
    return torch.cuda.get_device_name()


def checkpoint() -> str:
    from .wiring import load_model

    model = load_model("builtin")
    return f"{model.name}, viewport {model.preferences.viewport}"


async def with_page(executable: Path | None, look: Callable[["Browser"], Awaitable[str]]) -> str:
    from ..tools import Browser

    async with Browser(executable=executable) as browser:
        await browser.page.set_content(PAGE)
        return await look(browser)


async def take_screenshot(browser: "Browser", path: Path) -> str:
    observation = await browser.observe()
    observation.image.save(path)
    version = re.search(r"Chrome/([\d.]+)", await browser.evaluate("navigator.userAgent"))
    return f"Chromium {version[1] if version else 'of unknown version'}, test screenshot {path}"


async def find_fonts(browser: "Browser") -> str:
    drawn = await browser.evaluate(DISTINCT, SCRIPTS)
    missing = [name for name in SCRIPTS if name not in drawn]
    if missing:
        raise LookupError(f"none for {', '.join(missing)}; install the Noto fonts to read such pages")
    return ", ".join(drawn)


def check_table(checks: list[Check]) -> Table:
    table = Table(box=None, padding=(0, 1), show_header=False)
    for check in checks:
        mark = ("ok", "green") if check.ok else ("missing", "red") if check.essential else ("none", "yellow")
        table.add_row(Text(*mark), check.name, Text(check.detail))
    return table
