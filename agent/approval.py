"""Which actions a person must see first: fixed rules over what is about to be pressed, typed or opened.

The rules look at the page's elements and the user's task settings, never at what the model says of them. They
err on the side of asking: a question costs a moment, an order costs money.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from ..tools.actions import AcceptDialog, Goto, Key, NewTab, Type, UploadFile
from ..tools.element import Element
from .usertools import UseTool

Ask = Literal["never", "risky", "always"]
PRESSED = ("left_click", "double_click", "triple_click", "middle_click")
WORDS = {
    "spends money": "buy|pay|purchase|order now|place (the |your |my )?order|checkout now|donate|bid|"
    "subscribe|book now|confirm (the |your )?(order|booking|payment)|kaufen|bestellen|zahlungspflichtig|"
    "bezahlen|acheter|payer|commander|comprar|pagar|pedir ahora",
    "deletes": "delete|remove account|erase|discard|empty trash|deactivate|close account|reset all|löschen|"
    "entfernen|supprimer|eliminar|borrar",
    "publishes or sends": "send|publish|post|tweet|reply all|submit|share|senden|absenden|veröffentlichen|"
    "envoyer|publier|enviar|publicar",
    "signs or agrees": "sign (the|here|contract)|i agree|accept (the )?terms|transfer|withdraw|grant access|"
    "authori[sz]e|allow access|überweisen|unterschreiben|virement|transferir",
}
_RULES = {reason: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for reason, words in WORDS.items()}


def risk_of(action: Any, targets: Mapping[str, Element], url: str) -> str | None:
    """Why this should be approved by a person, in a few words; None for what can be undone or only looks."""
    match action:
        case UseTool(tool=tool):
            return f"calls your tool {tool.name}" if tool.risky else None
        case _ if action.action in PRESSED:
            target = targets.get("coordinate")
            return _press_risk(target) if target else None
        case Key(keys=keys) if keys[-1].lower() in ("enter", "return", "kpenter"):
            target = targets.get("focus")
            return _enter_risk(target) if target else None
        case Goto(url=there) | NewTab(url=str(there)):
            return f"leaves for {host(there)}" if host(there) not in ("", host(url)) else None
        case UploadFile():
            return f"uploads {action.text}"
        case AcceptDialog():
            return "says yes to a dialog of the page"
        case Type():
            target = next(iter(targets.values()), None)
            return "fills a password" if target and target.kind == "password" else None
    return None


def _press_risk(target: Element) -> str | None:
    if target.foreign:
        return "presses something in a frame of another site"
    reason = next((reason for reason, rule in _RULES.items() if rule.search(target.name)), None)
    if reason and target.role in ("button", "link", "menuitem", ""):
        return f"{reason} ({target.describe()})"
    return f"submits a form with a card or a password ({target.describe()})" if _sends(target) else None


def _enter_risk(target: Element) -> str | None:
    return f"submits a form with a card or a password (from {target.describe()})" if _sends(target) else None


def _sends(target: Element) -> bool:
    return target.pays and target.submits == "post"


def host(url: str) -> str:
    return (urlsplit(url if "//" in url else f"//{url}").hostname or "").removeprefix("www.")
