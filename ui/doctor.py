"""Is everything here that a run needs? One check per thing; each says what it found or what to do about it.

Catches broadly on purpose: a check that fails is this room's result, whatever made it fail.
"""

import asyncio
import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

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
        *browser_and_fonts(browser, path),
    ]


def attempt(name: str, find: Callable[[], str], essential: bool = True) -> Check:
    try:
        return Check(name, True, find(), essential)
    except Exception as error:
        return failed(name, error, essential)


def failed(name: str, error: Exception, essential: bool = True) -> Check:
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


def browser_and_fonts(executable: Path | None, path: Path) -> list[Check]:
    try:
        return asyncio.run(look(executable, path))
    except Exception as error:
        return [failed("browser", error)]


async def look(executable: Path | None, path: Path) -> list[Check]:
    """Open a page, keep its screenshot at `path`, see which scripts it can draw."""
    from ..tools import Browser

    async with Browser(executable=executable) as browser:
        await browser.page.set_content(PAGE)
        (await browser.observe()).image.save(path)
        agent = await browser.evaluate("navigator.userAgent")
        drawn = await browser.evaluate(DISTINCT, SCRIPTS)
    version = re.search(r"Chrome/([\d.]+)", agent)
    missing = [name for name in SCRIPTS if name not in drawn]
    remedy = f"none for {', '.join(missing)}; install the Noto fonts to read such pages"
    return [
        Check("browser", True, f"Chromium {version[1] if version else ''}, test screenshot in {path}"),
        Check("fonts", not missing, remedy if missing else ", ".join(drawn), essential=False),
    ]


def check_table(checks: list[Check]) -> Table:
    table = Table(box=None, padding=(0, 1), show_header=False)
    for check in checks:
        mark = ("ok", "green") if check.ok else ("missing", "red") if check.essential else ("none", "yellow")
        table.add_row(Text(*mark), check.name, Text(check.detail))
    return table
