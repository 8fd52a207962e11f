"""Secrets: the model writes `{{name}}`, the executor types the value, on the pages that it belongs to.

A value never reaches the model, the journal or a picture: text is scrubbed, and where a page shows it the
screenshot is covered. Knows text and boxes; the page is asked through the browser's isolated world.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from PIL import Image, ImageDraw

from ..errors import InputError, PolicyError
from ..tools.actions import Action, Type
from ..tools.element import UNKNOWN, Element
from ..tools.observation import Observation

if TYPE_CHECKING:
    from ..tools import Browser

COVER = (40, 44, 52)
PLACE = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}")
SHORTEST = 3


@dataclass(frozen=True)
class Secret:
    """A value, and the hosts where it may be typed: `shop.example`, `*.shop.example`, `localhost:8000`."""

    value: str
    hosts: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Secret(***, hosts={self.hosts})"


class Secrets:
    """All secrets of one run. Raises InputError for one that nothing could keep: too short, or no host."""

    def __init__(self, secrets: Mapping[str, Secret] | None = None):
        self._secrets = dict(secrets or {})
        for name, secret in self._secrets.items():
            if len(secret.value) < SHORTEST or not secret.hosts or PLACE.fullmatch(f"{{{{{name}}}}}") is None:
                raise InputError(
                    f"the secret {name!r} needs a plain name, hosts, and {SHORTEST} characters or more"
                )

    def __bool__(self) -> bool:
        return bool(self._secrets)

    def describe(self) -> str:
        """For the model: what it may type, and where."""
        lines = [f"{{{{{name}}}}} on {', '.join(it.hosts)}" for name, it in self._secrets.items()]
        return "You may type these placeholders; their values stay unseen: " + "; ".join(lines)

    def named_in(self, action: Action) -> bool:
        """Whether the action types one."""
        return isinstance(action, Type) and any(it[1] in self._secrets for it in PLACE.finditer(action.text))

    def fill(self, action: Action, url: str, targets: Mapping[str, Element]) -> Action:
        """The action as the browser does it. What decides is where the value goes: the address of the field's
        own frame, where that is of another origin than the page at `url`.

        Raises PolicyError where a secret does not belong.
        """
        if not isinstance(action, Type) or not self._secrets:
            return action
        addresses = [url if it.frame is None else it.frame for it in targets.values()]
        if not addresses:  # the focus may be nowhere, but at a point there is something
            addresses = [url if action.coordinate is None else UNKNOWN]
        return action.model_copy(
            update={"text": PLACE.sub(lambda it: self._value(it, addresses), action.text)}
        )

    def scrub(self, text: str) -> str:
        """Values back to placeholders, longest first: one may hold another."""
        for name, secret in sorted(self._secrets.items(), key=lambda it: -len(it[1].value)):
            text = text.replace(secret.value, f"{{{{{name}}}}}")
        return text

    async def cover(self, seen: Observation, browser: "Browser") -> Observation:
        """The observation with every shown value covered and its texts scrubbed."""
        if not self._secrets:
            return seen
        values = json.dumps([secret.value for secret in self._secrets.values()])
        boxes: list[Sequence[float]] = []
        for told in await browser.inspect_everywhere(f"{script()}({values})"):
            left, top = told.corner
            if told.value is None:  # it is busy and does not say: nothing of it is shown
                boxes.append(told.box or (0, 0, seen.geometry.css_width, seen.geometry.css_height))
            else:
                boxes += [(left + x, top + y, width, height) for x, y, width, height in told.value]
        return replace(
            seen,
            image=_covered(seen, boxes),
            url=self.scrub(seen.url),
            title=self.scrub(seen.title),
            tabs=tuple(
                replace(tab, title=self.scrub(tab.title), url=self.scrub(tab.url)) for tab in seen.tabs
            ),
            dialog=self.scrub(seen.dialog) if seen.dialog else seen.dialog,
        )

    def _value(self, place: re.Match[str], addresses: Sequence[str]) -> str:
        secret = self._secrets.get(place[1])
        if secret is None:
            return place[0]
        for address in addresses:
            if not any(belongs(address, host) for host in secret.hosts):
                where = f"on {address}" if address else "where the page does not say whose field it is"
                raise PolicyError(f"{place[0]} is not typed {where}: it belongs to {', '.join(secret.hosts)}")
        return secret.value


def belongs(url: str, host: str) -> bool:
    """A host with a port is that port alone; without one it is https, or this machine."""
    parts = urlsplit(url)
    name = (parts.hostname or "").lower()
    wanted, _, port = host.lower().partition(":")
    if port:
        same_port = str(parts.port or {"http": 80, "https": 443}.get(parts.scheme)) == port
    else:
        same_port = parts.scheme == "https" or name in ("localhost", "127.0.0.1")
    return same_port and (name == wanted or (wanted.startswith("*.") and name.endswith(wanted[1:])))


def _covered(seen: Observation, boxes: Sequence[Sequence[float]]) -> Image.Image:
    if not boxes:
        return seen.image
    image = seen.image.copy()
    draw = ImageDraw.Draw(image)
    for x, y, width, height in boxes:
        left, top = seen.geometry.css_to_image((x, y))
        right, bottom = seen.geometry.css_to_image((x + width, y + height))
        draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), fill=COVER)
    return image


@cache
def script() -> str:
    text = Path(__file__).with_name("secrets.js").read_text("utf-8")
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("//")).strip()
