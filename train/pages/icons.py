"""Icons as inline SVG strokes, and what people call them: by what they show, by what they are for."""

import math
import random

_RING = "a{0} {0} 0 1 0 0 {1}a{0} {0} 0 1 0 0-{1}"


def _circle(x: float, y: float, r: float) -> str:
    return f"M{x} {y - r}" + _RING.format(r, 2 * r)


def _star(points: int, outer: float, inner: float) -> str:
    corners = []
    for i in range(2 * points):
        r, angle = (outer, inner)[i % 2], math.pi * i / points - math.pi / 2
        corners.append(f"{12 + r * math.cos(angle):.1f} {12 + r * math.sin(angle):.1f}")
    return "M" + "L".join(corners) + "Z"


STAR = _star(5, 10, 4.2)

# name: (path, other names by look, names by purpose)
ICONS: dict[str, tuple[str, list[str], list[str]]] = {
    "cross": ("M5 5L19 19M19 5L5 19", ["X", "x mark"], ["close"]),
    "hamburger": ("M4 6H20M4 12H20M4 18H20", ["three lines", "menu"], ["menu"]),
    "magnifying glass": (_circle(10, 10, 6) + "M14.5 14.5L21 21", ["magnifier", "lens"], ["search"]),
    "plus": ("M12 5V19M5 12H19", ["plus sign"], ["add"]),
    "minus": ("M5 12H19", ["minus sign"], []),
    "trash can": ("M4 7H20M9 7V4H15V7M6 7L7 20H17L18 7M10 11V16M14 11V16", ["bin", "trash", "waste bin"], ["delete"]),
    "pencil": ("M4 20L5 15L16 4L20 8L9 19ZM13 7L17 11", ["pen"], ["edit"]),
    "gear": (_star(8, 10, 7) + _circle(12, 12, 3), ["cog", "cogwheel"], ["settings"]),
    "heart": ("M12 20C4 14 3 10 4 7.5C5.5 4 10 4 12 8C14 4 18.5 4 20 7.5C21 10 20 14 12 20Z", [], ["like"]),
    "star": (STAR, [], ["favourite", "favorite"]),
    "left arrow": ("M20 12H4M10 6L4 12L10 18", ["arrow pointing left", "arrow to the left"], []),
    "right arrow": ("M4 12H20M14 6L20 12L14 18", ["arrow pointing right", "arrow to the right"], []),
    "up arrow": ("M12 20V4M6 10L12 4L18 10", ["arrow pointing up", "upward arrow"], []),
    "down arrow": ("M12 4V20M6 14L12 20L18 14", ["arrow pointing down", "downward arrow"], []),
    "house": ("M3 11L12 3L21 11M6 9V20H18V9", ["home"], ["home"]),
    "person": (_circle(12, 8, 4) + "M4 21C4 14 20 14 20 21", ["user", "head and shoulders"], ["account", "profile"]),
    "envelope": ("M3 6H21V18H3ZM3 6L12 13L21 6", ["mail", "letter"], ["mail"]),
    "bell": ("M6 17V11C6 3 18 3 18 11V17L20 18H4ZM10 21H14", [], ["notifications"]),
    "shopping cart": ("M3 4H6L8 15H18L20 7H7" + _circle(9, 19, 1.4) + _circle(17, 19, 1.4), ["cart", "trolley"], ["cart"]),
    "download": ("M12 3V15M7 10L12 15L17 10M4 20H20", ["arrow down onto a line"], ["download"]),
    "upload": ("M12 16V4M7 9L12 4L17 9M4 20H20", ["arrow up from a line"], ["upload"]),
    "share": (_circle(18, 5, 2.5) + _circle(6, 12, 2.5) + _circle(18, 19, 2.5) + "M8 11L16 6M8 13L16 18", ["three connected dots"], ["share"]),
    "copy": ("M8 8H20V20H8ZM16 8V4H4V16H8", ["two sheets", "two squares"], ["copy"]),
    "check mark": ("M4 12L10 18L20 6", ["tick", "checkmark"], ["confirm"]),
    "info": (_circle(12, 12, 9) + "M12 11V17M12 7V8", ["i in a circle"], ["info", "information"]),
    "question mark": (_circle(12, 12, 9) + "M9 9C9 6 15 6 15 9C15 12 12 11 12 14M12 17V18", ["question mark in a circle"], ["help"]),
    "lock": ("M6 11H18V20H6ZM8 11V8C8 3 16 3 16 8V11", ["padlock"], ["lock"]),
    "eye": ("M2 12C6 5 18 5 22 12C18 19 6 19 2 12Z" + _circle(12, 12, 3), [], ["show", "preview"]),
    "calendar": ("M4 6H20V20H4ZM4 10H20M8 3V7M16 3V7", [], ["calendar"]),
    "clock": (_circle(12, 12, 9) + "M12 6V12L16 14", ["watch"], ["history"]),
    "folder": ("M3 6H9L11 8H21V19H3Z", [], ["folder"]),
    "document": ("M6 3H14L18 7V21H6ZM14 3V7H18", ["sheet of paper", "page", "file"], ["new document"]),
    "camera": ("M3 8H7L9 5H15L17 8H21V19H3Z" + _circle(12, 13, 3.5), [], ["take a photo"]),
    "map pin": ("M12 21C6 14 5 11 5 9a7 7 0 0 1 14 0C19 11 18 14 12 21Z" + _circle(12, 9, 2.4), ["pin", "marker"], ["location"]),
    "flag": ("M6 21V4H18L15 8L18 12H6", [], ["report", "flag"]),
    "bookmark": ("M7 3H17V21L12 16L7 21Z", [], ["bookmark"]),
    "funnel": ("M3 5H21L14 13V20L10 18V13Z", [], ["filter"]),
    "play": ("M7 4L20 12L7 20Z", ["triangle pointing right"], ["play"]),
    "pause": ("M8 5V19M16 5V19", ["two bars", "two vertical bars"], ["pause"]),
    "refresh": ("M20 11A8 8 0 1 0 18 17M20 5V11H14", ["circular arrow", "round arrow"], ["refresh", "reload"]),
    "undo": ("M8 5L4 9L8 13M4 9H14C22 9 22 19 14 19H10", ["arrow turning back"], ["undo"]),
    "printer": ("M7 9V3H17V9M5 9H19V17H5ZM7 14H17V21H7Z", [], ["print"]),
    "thumbs up": ("M7 11L11 3C14 3 13 7 13 10H20L18 20H7ZM3 11H7V20H3Z", ["thumb up"], ["like"]),
    "speech bubble": ("M3 4H21V16H11L6 20V16H3Z", ["chat bubble", "balloon"], ["comment", "chat"]),
    "picture": ("M3 5H21V19H3ZM3 16L9 10L14 15L17 12L21 16" + _circle(15.5, 8.5, 1.3), ["image", "photo"], ["insert image"]),
    "three dots": (_circle(5, 12, 1.3) + _circle(12, 12, 1.3) + _circle(19, 12, 1.3), ["ellipsis", "dots"], ["more"]),
    "three vertical dots": (_circle(12, 5, 1.3) + _circle(12, 12, 1.3) + _circle(12, 19, 1.3), ["kebab"], ["more options"]),
    "grid": ("M4 4H10V10H4ZM14 4H20V10H14ZM4 14H10V20H4ZM14 14H20V20H14Z", ["four squares"], ["grid view"]),
    "bulleted list": ("M9 6H20M9 12H20M9 18H20" + _circle(4.5, 6, 1) + _circle(4.5, 12, 1) + _circle(4.5, 18, 1), ["list"], ["list view"]),
    "sun": (_circle(12, 12, 4) + "M12 2V5M12 19V22M2 12H5M19 12H22M5 5L7 7M17 17L19 19M19 5L17 7M7 17L5 19", [], ["light mode"]),
    "moon": ("M20 14A8.5 8.5 0 1 1 10 4A7 7 0 0 0 20 14Z", ["crescent"], ["dark mode"]),
    "loudspeaker": ("M4 9H8L13 4V20L8 15H4ZM16 8C19 10 19 14 16 16", ["speaker"], ["sound", "volume"]),
    "power": ("M12 3V11M7 6A8 8 0 1 0 17 6", ["power symbol"], ["turn off"]),
    "globe": (_circle(12, 12, 9) + "M3 12H21M12 3C6 8 6 16 12 21C18 16 18 8 12 3", ["world"], ["language"]),
    "paper plane": ("M3 11L21 3L14 21L11 13Z", [], ["send"]),
    "paper clip": ("M19 11L11 19C6 23 1 17 6 13L14 5C18 2 21 6 18 9L10 17", ["clip"], ["attach"]),
    "key": (_circle(8, 16, 4) + "M11 13L20 4M16 8L19 11", [], ["password"]),
    "light bulb": ("M9 17H15M10 21H14M9 17C4 12 6 4 12 4C18 4 20 12 15 17Z", ["lamp"], ["ideas", "hints"]),
    "lightning bolt": ("M13 2L5 14H11L10 22L19 9H13Z", ["flash", "bolt"], ["quick actions"]),
    "cloud": ("M7 18C1 18 2 10 8 11C9 4 19 5 18 12C23 12 23 18 18 18Z", [], ["sync"]),
    "gift": ("M4 9H20V13H4ZM6 13V21H18V13M12 9V21M12 9C6 8 8 3 12 9C16 3 18 8 12 9", ["present"], ["offers"]),
    "credit card": ("M3 6H21V18H3ZM3 10H21", ["bank card"], ["payment"]),
    "bar chart": ("M4 20H20M7 17V11M12 17V5M17 17V8", ["chart", "bars"], ["statistics", "reports"]),
}  # fmt: skip
# Other drawings of some of them.
ALSO_DRAWN: dict[str, list[str]] = {
    "cross": ["M6 6L18 18M18 6L6 18", "M3 3L21 21M21 3L3 21", _circle(12, 12, 10) + "M8 8L16 16M16 8L8 16"],
    "hamburger": ["M3 5H21M3 12H21M3 19H21", "M5 7H19M5 12H19M5 17H19", "M4 6H20M4 12H14M4 18H20"],
    "magnifying glass": [_circle(14, 10, 6) + "M9.5 14.5L3 21", _circle(11, 11, 8) + "M17 17L22 22"],
    "plus": ["M12 2V22M2 12H22", _circle(12, 12, 10) + "M12 7V17M7 12H17", "M3 3H21V21H3ZM12 7V17M7 12H17", "M10 3H14V10H21V14H14V21H10V14H3V10H10Z"],
    "minus": ["M3 12H21", _circle(12, 12, 10) + "M7 12H17", "M4 10H20V14H4Z"],
    "trash can": ["M3 6H21M8 6L9 3H15L16 6M5 6L6 21H18L19 6", "M4 5H20M10 5V3H14V5M6 8V21H18V8ZM10 11V18M14 11V18", "M5 8H19L18 21H6ZM4 6L19 4M10 5L10 3L13 2.6"],
    "pencil": ["M3 21L4 16L17 3L21 7L8 20ZM3 21H21", "M16 3L21 8L8 21H3V16ZM14 5L19 10", "M4 4H12M4 4V20H20V12M10 14L20 3"],
    "gear": [_star(6, 10, 7.2) + _circle(12, 12, 3.4), _star(10, 10.5, 7.6) + _circle(12, 12, 2.6), _circle(12, 12, 6.5) + _circle(12, 12, 2.5) + "M12 1V5M12 19V23M1 12H5M19 12H23M4 4L7 7M17 17L20 20M20 4L17 7M7 17L4 20"],
    "heart": ["M12 21L3 12C0 8 4 2 9 5L12 8L15 5C20 2 24 8 21 12Z"],
    "star": [_star(5, 11, 5.4)],
    "house": ["M2 12L12 2L22 12M5 10V21H19V10M10 21V14H14V21", "M4 10L12 3L20 10V21H4Z"],
    "person": [_circle(12, 7, 5) + "M2 22C2 12 22 12 22 22Z", _circle(12, 12, 10) + _circle(12, 9, 3.4) + "M6 19C7 13 17 13 18 19"],
    "envelope": ["M2 5H22V19H2ZM2 7L12 14L22 7", "M3 6H21V18H3ZM3 18L9 12M21 18L15 12M3 6L12 13L21 6"],
    "bell": ["M5 18H19L17 15V10C17 4 7 4 7 10V15ZM10 18C10 22 14 22 14 18M12 3V5"],
    "shopping cart": ["M2 3H5L7 15H19L22 6H6" + _circle(9, 20, 1.6) + _circle(17, 20, 1.6), "M1 4H4L8 16H20M6 8H22L20 14H7" + _circle(10, 19.5, 1.5) + _circle(18, 19.5, 1.5)],
    "download": ["M12 2V14M7 9L12 14L17 9M3 15V21H21V15", "M12 3V16M6 10L12 16L18 10M5 21H19"],
    "upload": ["M12 15V3M7 8L12 3L17 8M3 15V21H21V15"],
    "copy": ["M9 9H21V21H9ZM5 15H3V3H15V5", "M4 4H14V16H4ZM10 16V20H20V8H14"],
    "check mark": ["M3 13L9 19L21 5", "M5 12L10 17L19 7"],
    "lock": ["M5 10H19V21H5ZM8 10V7C8 1 16 1 16 7V10M12 14V17"],
    "eye": ["M1 12C7 3 17 3 23 12C17 21 7 21 1 12Z" + _circle(12, 12, 4)],
    "calendar": ["M3 5H21V21H3ZM3 9H21M7 2V6M17 2V6M7 13H9M11 13H13M15 13H17M7 17H9M11 17H13"],
    "folder": ["M2 5H10L12 8H22V20H2Z", "M3 5H10L12 7H20V10H7L4 19H3ZM7 10H22L19 19H4"],
    "funnel": ["M2 4H22L14 13V21H10V13Z"],
    "refresh": ["M4 12A8 8 0 0 1 18 7M20 12A8 8 0 0 1 6 17M18 2V7H13M6 22V17H11"],
    "printer": ["M6 8V2H18V8M3 8H21V18H18M6 18H3V8M6 14H18V22H6Z"],
    "picture": ["M2 4H22V20H2ZM2 17L8 10L13 16L16 13L22 18" + _circle(17, 8, 2)],
    "speech bubble": ["M12 4C22 4 22 16 12 16L7 21V16C1 14 2 4 12 4Z", "M2 3H22V17H12L7 22V17H2Z"],
    "left arrow": ["M15 4L7 12L15 20"], "right arrow": ["M9 4L17 12L9 20"], "up arrow": ["M4 15L12 7L20 15"], "down arrow": ["M4 9L12 17L20 9"],
    "three dots": [_circle(4, 12, 2.2) + _circle(12, 12, 2.2) + _circle(20, 12, 2.2)],
    "three vertical dots": [_circle(12, 4, 2.2) + _circle(12, 12, 2.2) + _circle(12, 20, 2.2)],
}  # fmt: skip
# Signs that the fonts of training have.
AS_SIGN = {"cross": "×✕✖✗", "hamburger": "☰≡", "plus": "+＋✚", "minus": "−–", "pencil": "✎✏", "gear": "⚙", "heart": "♥♡❤", "star": "★☆", "envelope": "✉",
           "check mark": "✓✔", "three dots": "…⋯", "three vertical dots": "⋮", "left arrow": "←‹", "right arrow": "→›", "up arrow": "↑▲", "down arrow": "↓▼",
           "refresh": "↻⟳", "flag": "⚑⚐", "house": "⌂", "undo": "↶", "sun": "☀", "moon": "☾", "question mark": "?"}  # fmt: skip
SHARED_PURPOSES = {"like", "menu", "more", "more options"}  # fit several icons


FILLABLE = (
    "heart",
    "star",
    "play",
    "bookmark",
    "bell",
    "flag",
    "folder",
    "funnel",
    "cloud",
    "moon",
    "lightning bolt",
)


def icon_svg(name: str, rng: random.Random, style: float) -> str:
    """The icon at 1.2em to 2.2em of its surroundings, as strokes, filled, or as a sign of the font."""
    if name in AS_SIGN and rng.random() < 0.2:
        return f'<span style="font-size:{rng.choice([1, 1.2, 1.5])}em;line-height:1">{rng.choice(AS_SIGN[name])}</span>'
    sizes, widths = ("1.2em", "1.4em", "1.6em", "2.2em"), (1.2, 1.5, 2, 2, 2.6, 3.2)
    size, width = sizes[int(style * 3.99)], widths[int(style * 97) % 6]
    path = rng.choice([ICONS[name][0], *ALSO_DRAWN.get(name, [])])
    filled = name in FILLABLE and rng.random() < 0.4
    fill = "currentColor" if filled or "dots" in name else "none"
    return (
        f'<svg viewBox="0 0 24 24" width="{size}" height="{size}" fill="{fill}" stroke="currentColor" '
        f'stroke-width="{width}" stroke-linejoin="{rng.choice(["round", "round", "miter"])}"><path d="{path}"/></svg>'
    )
