"""Colours that people have a plain word for, as ranges that nobody would call otherwise."""

import random

# hue, saturation and lightness from..to, in degrees and percent
COLORS: dict[str, tuple[tuple[int, int], tuple[int, int], tuple[int, int]]] = {
    "red": ((-4, 4), (75, 100), (42, 52)),
    "orange": ((27, 36), (90, 100), (48, 54)),
    "yellow": ((52, 58), (90, 100), (48, 58)),
    "green": ((112, 140), (60, 100), (26, 37)),
    "blue": ((212, 236), (75, 100), (42, 55)),
    "purple": ((270, 285), (60, 90), (36, 48)),
    "pink": ((322, 342), (80, 100), (70, 80)),
    "brown": ((20, 28), (50, 70), (22, 30)),
    "turquoise": ((172, 180), (65, 90), (42, 52)),
    "gray": ((0, 0), (0, 0), (48, 62)),
    "black": ((0, 0), (0, 0), (0, 8)),
    "white": ((0, 0), (0, 0), (98, 100)),
    "lime": ((98, 122), (95, 100), (48, 53)),
    "magenta": ((297, 303), (95, 100), (46, 52)),
    "navy": ((236, 242), (90, 100), (20, 27)),
    "olive": ((58, 62), (90, 100), (21, 27)),
}
ALSO = {
    "gray": ["grey"],
    "turquoise": ["teal", "cyan"],
    "purple": ["violet"],
    "magenta": ["fuchsia"],
    "navy": ["navy blue", "dark blue"],
}


def shade(color: str, rng: random.Random) -> str:
    hue, saturation, light = (rng.randint(*span) for span in COLORS[color])
    return f"hsl({hue % 360} {saturation}% {light}%)"


def ink_on(color: str) -> str:
    """A text colour that can be read on it."""
    return "#000" if color in ("yellow", "pink", "turquoise", "orange", "white", "lime") else "#fff"
