"""The browser's settings from the command line: each reaches the browser, and pages see it."""

import json
from dataclasses import fields

import pytest
from saccade.errors import InputError
from saccade.tools import Browser
from saccade.ui.browser_options import BrowserOptions, Dialogs, parse_place
from saccade.ui.cli import run_command

TOLD = """({language: navigator.language, agent: navigator.userAgent, width: innerWidth,
ratio: devicePixelRatio, zone: Intl.DateTimeFormat().resolvedOptions().timeZone})"""


async def test_pages_see_what_was_asked_for(tmp_path):
    options = BrowserOptions(
        viewport="500x400", scale=2.0, locale="de-DE", timezone="Asia/Tokyo", user_agent="Saccade/1"
    )
    async with options.open("data:text/html,<title>x</title>") as browser:
        assert await browser.evaluate(TOLD) == {
            "language": "de-DE",
            "agent": "Saccade/1",
            "width": 500,
            "ratio": 2,
            "zone": "Asia/Tokyo",
        }


def test_every_option_reaches_the_browser(tmp_path, monkeypatch):
    """No field may be forgotten in `open`: each, changed, changes what the browser is made with."""
    made = []
    monkeypatch.setattr(Browser, "__init__", lambda self, *args, **settings: made.append((args, settings)))
    saved = tmp_path / "logins.json"
    saved.write_text("{}")
    values = {
        "viewport": "640x480",
        "scale": 2.0,
        "headed": True,
        "geolocation": "1,2",
        "page_timeout": 3.0,
        "dialogs": Dialogs.accept,
        "storage_state": saved,
        "permission": ["clipboard-read"],
        "allow_host": ["localhost"],
        "upload": [tmp_path],
    }
    BrowserOptions().open()
    for field in fields(BrowserOptions):
        if field.name != "save_storage":  # of the run, not of the browser
            BrowserOptions(**{field.name: values.get(field.name, "some")}).open()
            assert made[-1] != made[0], field.name


def test_a_run_saves_its_logins_and_another_begins_with_them(tmp_path, capsys):
    script, logins = tmp_path / "once.jsonl", tmp_path / "logins.json"
    script.write_text('{"action": "terminate", "status": "success"}\n')
    run = ["run", "look", "--model", str(script), "--url", "about:blank", "--json"]
    assert run_command([*run, "--out", str(tmp_path / "a"), "--save-storage", str(logins)]) == 0
    assert json.loads(logins.read_text()).keys() == {"cookies", "origins"}
    assert logins.stat().st_mode & 0o077 == 0
    assert run_command([*run, "--out", str(tmp_path / "b"), "--storage-state", str(logins)]) == 0
    missing = ["--storage-state", str(tmp_path / "none.json")]
    assert run_command([*run, "--out", str(tmp_path / "c"), *missing]) == 2
    assert "no saved logins" in capsys.readouterr().err


def test_places():
    assert parse_place("52.52, 13.4") == (52.52, 13.4)
    for text in ("Berlin", "91,0", "1,2,3", "0,181", ""):
        with pytest.raises(InputError, match="latitude and longitude"):
            parse_place(text)
