"""A person's deeds on the picture become actions where they happened, whatever the picture's size."""

import pytest
from saccade.errors import InputError
from saccade.ui.hands import read_deed

AT = {"at": [358, 44], "size": [716, 400]}


@pytest.mark.parametrize(
    ("deed", "arguments"),
    [
        ({"do": "click", **AT}, {"action": "left_click", "coordinate": [500, 110]}),
        ({"do": "click", "button": 2, **AT}, {"action": "right_click", "coordinate": [500, 110]}),
        ({"do": "click", "count": 2, **AT}, {"action": "double_click", "coordinate": [500, 110]}),
        (
            {"do": "scroll", "pixels": -120, **AT},
            {"action": "scroll", "pixels": -120, "coordinate": [500, 110]},
        ),
        (
            {"do": "drag", "from": [0, 0], **AT},
            {"action": "left_click_drag", "start_coordinate": [0, 0], "coordinate": [500, 110]},
        ),
        ({"do": "type", "text": "Ada {x}"}, {"action": "type", "text": "Ada {x}"}),
        ({"do": "key", "keys": ["ctrl", "a"]}, {"action": "key", "keys": ["ctrl", "a"]}),
        ({"do": "back"}, {"action": "back"}),
    ],
)
def test_deeds_become_actions(deed, arguments):
    told = read_deed(deed).arguments()
    assert {name: list(it) if isinstance(it, tuple) else it for name, it in told.items()} == arguments


@pytest.mark.parametrize("width", [180, 358, 716, 1280])
def test_the_size_on_the_screen_does_not_matter(width):
    height = width * 0.625
    deed = {"do": "click", "at": [width * 0.3, height * 0.7], "size": [width, height]}
    assert tuple(read_deed(deed).arguments()["coordinate"]) == (300, 700)


@pytest.mark.parametrize(
    "deed",
    [
        {"do": "goto", "url": "file:///etc/passwd"},
        {"do": "click", "at": [1, 1], "size": [0, 0]},
        {"do": "click"},
        {"do": "key", "keys": ["no such key"]},
        {"do": "click", "button": 7, **AT},
    ],
)
def test_anything_else_is_refused(deed):
    with pytest.raises(InputError, match="cannot be done in the page"):
        read_deed(deed)
