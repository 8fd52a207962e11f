"""A driver that was started early is the one that is used, or it is ended."""

import asyncio
import os
import subprocess
import sys

import pytest
from playwright.async_api import Error as PlaywrightError
from saccade.tools import Browser
from saccade.tools import prelaunch as early
from saccade.tools.driver import start_driver

from .conftest import Site

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(sys.platform == "win32", reason="a running process cannot be taken over there"),
]


def prelaunched(monkeypatch) -> subprocess.Popen:
    """In the test itself: pytest changes the environment between a fixture and its test."""
    monkeypatch.setattr(early, "_asked", False)
    early.prelaunch()
    assert early.is_waiting()
    return early._waiting[0].process


async def test_the_first_browser_takes_over_what_waits(site: Site, monkeypatch):
    waiting = prelaunched(monkeypatch)

    async def nothing_else(*command, **options):
        raise AssertionError(f"{command} was started")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", nothing_else)
    async with Browser(site.page("/early", "<h1>early</h1>"), (400, 300)) as browser:
        assert not early.is_waiting()
        assert asyncio.create_subprocess_exec is nothing_else
        assert await browser.evaluate("document.body.innerText") == "early"
        assert waiting.poll() is None
    assert waiting.poll() == 0
    early.prelaunch()  # once in a program
    assert not early.is_waiting()


async def test_what_was_started_otherwise_is_ended(monkeypatch):
    waiting = prelaunched(monkeypatch)
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", "0")
    driver = await start_driver()
    assert waiting.poll() is not None
    assert not early.is_waiting()
    await driver.stop()


async def test_what_died_while_it_waited_is_started_again(monkeypatch):
    waiting = prelaunched(monkeypatch)
    waiting.kill()
    waiting.wait()
    driver = await start_driver()
    assert driver.chromium.name == "chromium"
    await driver.stop()


ONLY = """
import sys, saccade
saccade.prelaunch()
from saccade.tools import prelaunch
assert not {"playwright.async_api", "asyncio", "pydantic"} & sys.modules.keys()
print(prelaunch._waiting[0].process.pid)
"""


async def test_nothing_else_is_imported_for_it_and_nothing_is_left_behind():
    command = [sys.executable, "-W", "error", "-c", ONLY]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    with pytest.raises(ProcessLookupError):
        os.kill(int(done.stdout), 0)


async def test_of_a_driver_that_does_not_start_the_browser_speaks(monkeypatch):
    monkeypatch.setattr(early, "_asked", False)
    monkeypatch.setenv("PLAYWRIGHT_NODEJS_PATH", "/nowhere/node")
    early.prelaunch()
    assert not early.is_waiting()
    with pytest.raises(PlaywrightError, match="/nowhere/node"):
        await start_driver()
