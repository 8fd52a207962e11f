"""What pages and models wrote is shown as text, wherever it stands."""

from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image
from saccade.agent import Outcome, Run, Step
from saccade.tools.actions import parse_action
from saccade.ui import album, board

EVIL = "<img src=x onerror=alert(1)>'\"`${alert(1)}{value}"


class Elements(HTMLParser):
    """Names of elements, and every attribute."""

    def __init__(self, html: str):
        super().__init__()
        self.names: set[str] = set()
        self.attributes: dict[str, str] = {}
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name: value or "" for name, value in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def run(tmp_path: Path) -> Run:
    Image.new("RGB", (64, 48), "white").save(tmp_path / "000.png")
    action = parse_action("computer_use", {"action": "type", "text": EVIL})
    step = Step(
        *(0, f"http://page/{EVIL}", EVIL, tmp_path / "000.png", "0"),
        thought=EVIL,
        action=action,
        error=EVIL,
        told=(EVIL,),
        instead=EVIL,
    )
    return Run(EVIL, EVIL, Outcome("success", EVIL, EVIL), (step,), 1.0, tmp_path / "x")


def test_untrusted_text_is_only_text(run: Run):
    shown = [
        board.thought_card(1, EVIL, EVIL),
        board.step_row(run.steps[0]),
        board.verdict_card(run),
        board.trouble(EVIL),
        board.window(EVIL, "", EVIL),
        album.head(run),
        album.frame(run, 1),
    ]
    for html in shown:
        found = Elements(html)
        assert "onerror" not in found.attributes, html
        assert "img" not in found.names or found.attributes["src"].startswith("data:image/jpeg;base64,")
        assert "<img src=x onerror=alert(1)>" in found.text
        assert "${" not in html
        assert "{" not in html.replace("&#123;", "")


def test_runs_are_found_by_words():
    headers = [
        {"task": "Buy a lamp", "status": "success", "started": "2026-11-25T10:00:00+00:00", "folder": "a"},
        {"task": "Buy a chair", "status": "error", "answer": "no lamp", "folder": "b"},
        {"task": "Water the plants", "status": "running", "folder": "c"},
    ]

    def found(words: str) -> list[str]:
        return [it["folder"] for it in album.matching(headers, words)]

    assert found("") == ["a", "b", "c"]
    assert found("lamp") == ["a", "b"]
    assert found("LAMP done") == ["a"]
    assert found("25 nov") == ["a"]
    assert found("running") == ["c"]
    assert found("lamp plants") == []
