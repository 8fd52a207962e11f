"""Names of keys: what models write (`ctrl`, `Return`, `page_down`) -> what Playwright presses."""

import difflib
import re

MODIFIERS = ("Control", "Shift", "Alt", "Meta", "ControlOrMeta")

_NAMED = (
    *MODIFIERS,
    *("Enter", "Tab", "Escape", "Backspace", "Delete", "Insert", "Home", "End", "PageUp", "PageDown"),
    *("ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Space", "CapsLock", "ContextMenu"),
    *(f"F{number}" for number in range(1, 13)),
)
_ALIASES = {
    **{"ctrl": "Control", "ctl": "Control", "cmd": "Meta", "command": "Meta", "win": "Meta"},
    **{
        "option": "Alt",
        "opt": "Alt",
        "return": "Enter",
        "kpenter": "Enter",
        "esc": "Escape",
        "del": "Delete",
    },
    **{"up": "ArrowUp", "down": "ArrowDown", "left": "ArrowLeft", "right": "ArrowRight"},
    **{"pgup": "PageUp", "pgdn": "PageDown", "pgdown": "PageDown", "prior": "PageUp", "next": "PageDown"},
    **{"spacebar": "Space", "plus": "+", "minus": "-", "comma": ",", "period": ".", "slash": "/"},
    **{"menu": "ContextMenu", "bksp": "Backspace", "del": "Delete", "mod": "ControlOrMeta"},
}
_SIDE = re.compile(r"^(ctrl|control|shift|alt|meta|super)[_ ]?(l|r|left|right)$")
_BY_FOLDED = {name.lower(): name for name in _NAMED} | _ALIASES


def key_pattern() -> str:
    """A regex of names that `playwright_key` knows: one character, or a name as models spell it."""
    split = [re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name) for name in _NAMED]  # Page_Up
    names = {*_NAMED, *split, *_ALIASES, *map(str.capitalize, _ALIASES)}
    return rf"^(?:[ -~]|\p{{L}}|{'|'.join(sorted(names | {name.lower() for name in names}))})$"


def playwright_key(name: str) -> str:
    """`page_down` -> `PageDown`, `a` -> `a`. Raises KeyError with near matches for unknown names."""
    if len(name) == 1:
        return "Space" if name == " " else name
    folded = re.sub(r"[_\- ]", "", _SIDE.sub(r"\1", name.lower()))
    if folded not in _BY_FOLDED:
        near = difflib.get_close_matches(folded, _BY_FOLDED, n=3)
        raise KeyError(f"unknown key {name!r}; near: {', '.join(near) or 'Enter, Tab, ctrl, a'}")
    return _BY_FOLDED[folded]


def shifted(key: str) -> str:
    """A key by its place, so that Shift changes it as on a keyboard: `k` -> `KeyK`, `1` -> `Digit1`."""
    if len(key) == 1 and key.isascii() and key.isalnum():
        return f"Digit{key}" if key.isdigit() else f"Key{key.upper()}"
    return key


def split_chord(text: str) -> list[str]:
    """`ctrl+shift+a` -> [ctrl, shift, a]; `+` and `ctrl++` keep the plus key."""
    if len(text) <= 1:
        return [text]
    plus_key = text.endswith("++")
    names = [part.strip() for part in text.removesuffix("++" if plus_key else "").split("+")]
    return [name for name in names if name] + (["+"] if plus_key else [])
