"""Starts Playwright's driver, a Node program: half of its start is spent on compiling, which Node can keep.

Node writes what it has compiled into a folder of ours, named by a variable that the driver alone gets to see.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.async_api import Playwright, async_playwright

_VARIABLE = "NODE_COMPILE_CACHE"


async def start_driver() -> Playwright:
    """Raises playwright's Error when it does not start."""
    with _compiled_code():
        return await async_playwright().start()


@contextmanager
def _compiled_code() -> Iterator[None]:
    """A folder that the user has named stays; one that cannot be written is no use to Node, and no harm."""
    if _VARIABLE in os.environ:
        yield
        return
    home = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or Path.home() / ".cache"
    os.environ[_VARIABLE] = str(Path(home) / "saccade" / "driver")
    try:
        yield
    finally:
        os.environ.pop(_VARIABLE, None)
