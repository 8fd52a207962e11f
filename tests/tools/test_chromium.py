"""Finding a browser, and the one line that says what to do without one."""

from pathlib import Path

import pytest
from saccade.errors import BrowserError
from saccade.tools import Browser, chromium


def test_explicit_path_comes_first(tmp_path: Path) -> None:
    program = tmp_path / "chrome"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert chromium.find_chromium(program, None) == str(program)
    with pytest.raises(BrowserError, match="no browser at"):
        chromium.find_chromium(tmp_path / "missing", program)


def test_playwrights_own_comes_before_the_systems(tmp_path: Path) -> None:
    program = tmp_path / "chrome"
    program.write_text("")
    assert chromium.find_chromium(None, program) == str(program)


def test_path_names_and_then_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chromium, "_PLACES", {})
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrowserError, match="playwright install chromium"):
        chromium.find_chromium(None, tmp_path / "missing")
    program = tmp_path / "google-chrome"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert chromium.find_chromium(None, None) == str(program)


async def test_missing_program_is_one_line() -> None:
    with pytest.raises(BrowserError) as caught:
        await Browser(executable="/no/such/chrome").start()
    assert "\n" not in str(caught.value)


async def test_program_that_is_no_browser_is_one_line(tmp_path: Path) -> None:
    program = tmp_path / "chrome"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(BrowserError, match="cannot start the browser") as caught:
        await Browser(executable=program).start()
    assert "\n" not in str(caught.value)
