"""Names of keys in the spellings that models use."""

import re

import pytest
from saccade.tools.keys import key_pattern, playwright_key, split_chord


@pytest.mark.parametrize(
    ("written", "pressed"),
    [
        ("ctrl", "Control"),
        ("Return", "Enter"),
        ("page_down", "PageDown"),
        ("Page Up", "PageUp"),
        ("esc", "Escape"),
        ("ctrl_l", "Control"),
        ("Left", "ArrowLeft"),
        ("arrowleft", "ArrowLeft"),
        ("F11", "F11"),
        ("a", "a"),
        (" ", "Space"),
        ("é", "é"),
    ],
)
def test_playwright_key(written: str, pressed: str) -> None:
    assert playwright_key(written) == pressed


def test_every_name_of_the_pattern_is_known() -> None:
    names = re.fullmatch(r"\^\(\?:\[ -~\]\|\\p\{L\}\|(.*)\)\$", key_pattern())
    assert names
    assert {"Enter", "ctrl", "Page_Up", "page_up", "f11"} <= set(names[1].split("|"))
    for name in names[1].split("|"):
        assert playwright_key(name)
        assert split_chord(name) == [name]


def test_unknown_keys_name_near_ones() -> None:
    with pytest.raises(KeyError, match="backspace"):
        playwright_key("bakspace")


def test_split_chord() -> None:
    assert split_chord("ctrl+shift+Tab") == ["ctrl", "shift", "Tab"]
    assert split_chord("ctrl++") == ["ctrl", "+"]
    assert split_chord("+") == ["+"]
    assert split_chord("Enter") == ["Enter"]
