"""Attaching to a browser that somebody else started: it is taken as it is and left alive."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from saccade.errors import BrowserError
from saccade.tools import Browser, parse_action
from saccade.tools.chromium import find_chromium, launch_flags

from .conftest import Site


@pytest_asyncio.fixture
async def foreign(site: Site, tmp_path: Path) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    page = site.page("/foreign", "<title>Foreign</title><h1>already here</h1>")
    flags = [
        "--headless",
        "--remote-debugging-port=0",
        f"--user-data-dir={tmp_path}",
        "--window-size=900,600",
    ]
    program = find_chromium(None, None)
    process = await asyncio.create_subprocess_exec(
        program, *launch_flags(), *flags, page, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    line = b""
    while b"ws://" not in line:
        line = await process.stderr.readline()
        assert line, "the browser ended without a DevTools address"
    yield line[line.index(b"ws://") :].decode().strip(), process
    if process.returncode is None:
        process.terminate()
        await process.wait()


async def test_attach_and_let_go(foreign: tuple, site: Site, elsewhere: Site) -> None:
    url, process = foreign
    for _ in range(2):
        async with Browser(cdp_url=url, allow_hosts=[f"127.0.0.1:{site.port}"]) as browser:
            seen = await browser.observe()
            assert seen.title == "Foreign"
            assert seen.image.size == (seen.geometry.css_width, seen.geometry.css_height)
            effect = await browser.execute(parse_action("goto", {"url": elsewhere.url + "/secret"}))
            assert "denies" in str(effect.error)
            await browser.evaluate(
                "(url) => fetch(url + '/secret', {mode: 'no-cors'}).catch(() => 0)", elsewhere.url
            )
            assert elsewhere.hits == []
        assert process.returncode is None
    async with Browser(site.page("/given", "<title>Given</title>"), cdp_url=url) as browser:
        assert (await browser.observe()).title == "Given"
    assert process.returncode is None


async def test_nothing_to_attach_to_is_one_line() -> None:
    with pytest.raises(BrowserError, match="cannot attach to") as caught:
        await Browser(cdp_url="http://127.0.0.1:9").start()
    assert "\n" not in str(caught.value)
