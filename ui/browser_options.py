"""The browser's settings as options of a command: one definition for all commands that open pages.

    @browser_options
    def run(task: str, browser: BrowserOptions) -> int:     # --viewport, --locale, ... become one value

Knows typer; the browser itself is loaded when it is wanted.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from .wiring import parse_viewport

if TYPE_CHECKING:
    from ..tools import Browser


class Dialogs(StrEnum):
    ask = "ask"
    accept = "accept"
    dismiss = "dismiss"


def _option(*names: str, **settings: Any) -> Any:
    return typer.Option(*names, rich_help_panel="Browser", **settings)


@dataclass(frozen=True)
class BrowserOptions:
    """Each field is an option; see `saccade.Browser` for what it does."""

    viewport: Annotated[
        str | None, _option(metavar="WxH", help="Viewport in CSS pixels, such as 1280x800.")
    ] = None
    device: Annotated[str | None, _option(metavar="NAME", help="A device's preset: 'iPhone 15'.")] = None
    scale: Annotated[float | None, _option(help="Pixels of the screen per CSS pixel.")] = None
    headed: Annotated[bool, _option("--headed", help="Show the browser window.")] = False
    locale: Annotated[str | None, _option(metavar="TAG", help="Language and country: 'de-DE'.")] = None
    timezone: Annotated[str | None, _option(metavar="ZONE", help="Time zone: 'Europe/Berlin'.")] = None
    geolocation: Annotated[str | None, _option(metavar="LAT,LON", help="Where pages think that this is.")] = (
        None
    )
    user_agent: Annotated[str | None, _option(help="What the browser calls itself.")] = None
    permission: Annotated[
        list[str] | None,
        _option(metavar="NAME", help="Allow pages this, such as clipboard-read (repeatable)."),
    ] = None
    proxy: Annotated[
        str | None, _option(metavar="URL", help="Go through this http:// or socks5:// proxy.")
    ] = None
    allow_host: Annotated[
        list[str] | None,
        _option(metavar="HOST", help="Also allow this local or private host (repeatable)."),
    ] = None
    storage_state: Annotated[Path | None, _option(metavar="FILE", help="Begin with these saved logins.")] = (
        None
    )
    save_storage: Annotated[
        Path | None, _option(metavar="FILE", help="Save the logins there after each step.")
    ] = None
    profile: Annotated[
        Path | None, _option(metavar="FOLDER", help="Keep everything between runs in this folder.")
    ] = None
    downloads: Annotated[
        Path | None, _option(metavar="FOLDER", help="Where downloads go (default: the run's folder).")
    ] = None
    upload: Annotated[
        list[Path] | None,
        _option(metavar="PATH", help="A file or folder that may be uploaded (repeatable)."),
    ] = None
    dialogs: Annotated[
        Dialogs, _option(help="Let the model answer a page's dialogs, or answer them at once.")
    ] = Dialogs.ask
    page_timeout: Annotated[float, _option(metavar="SECONDS", help="Longest load or action.")] = 15.0
    browser: Annotated[Path | None, _option(help="The browser's executable.")] = None
    cdp_url: Annotated[str | None, _option(help="Drive a running browser at this address.")] = None

    def open(self, url: str | None = None) -> "Browser":
        """Not started yet. Raises InputError for what cannot be read."""
        from ..tools import Browser

        return Browser(
            url,
            parse_viewport(self.viewport) if self.viewport else None,
            self.cdp_url,
            headless=not self.headed,
            executable=self.browser,
            device_scale_factor=self.scale,
            allow_hosts=self.allow_host or (),
            timeout_s=self.page_timeout,
            accept_dialogs=None if self.dialogs == Dialogs.ask else self.dialogs == Dialogs.accept,
            device=self.device,
            user_agent=self.user_agent,
            locale=self.locale,
            timezone=self.timezone,
            geolocation=parse_place(self.geolocation) if self.geolocation else None,
            permissions=self.permission or (),
            storage_state=_readable(self.storage_state) if self.storage_state else None,
            profile=self.profile,
            proxy=self.proxy,
            downloads=self.downloads,
            uploads=self.upload or (),
        )


def browser_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command with the options of its parameter of type BrowserOptions, in that parameter's place."""
    signature = inspect.signature(command)
    own = [it for it in signature.parameters.values() if it.annotation is not BrowserOptions]
    (bundle,) = [it.name for it in signature.parameters.values() if it.annotation is BrowserOptions]
    names = [field.name for field in fields(BrowserOptions)]

    @wraps(command)
    def with_options(**given: Any) -> Any:
        options = BrowserOptions(**{name: given.pop(name) for name in names})
        return command(**given, **{bundle: options})

    keyword = inspect.Parameter.KEYWORD_ONLY
    added = [
        inspect.Parameter(it.name, keyword, default=it.default, annotation=it.type)
        for it in fields(BrowserOptions)
    ]
    parameters = [it.replace(kind=keyword) for it in own] + added
    with_options.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {it.name: it.annotation for it in parameters}
    return with_options


def parse_place(text: str) -> tuple[float, float]:
    """`52.52,13.40` -> latitude and longitude; raises InputError."""
    try:
        latitude, longitude = (float(part) for part in text.split(","))
    except ValueError:
        latitude, longitude = 999.0, 0.0
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise InputError(f"the place is {text!r}; give latitude and longitude, such as 52.52,13.40")
    return latitude, longitude


def _readable(path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"there are no saved logins in {path}; --save-storage writes them")
    return path
