"""Gets a browser: starts a Chromium, joins one that runs, or attaches to a foreign one. Knows no pages.

A `Process` may serve several browsers; each has a context of its own (cookies, storage, policy, gate), and
the process ends with its last one.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser as PlaywrightBrowser
from playwright.async_api import BrowserContext, Playwright
from playwright.async_api import Error as PlaywrightError

from ..errors import BrowserError, InputError
from .chromium import find_chromium, launch_flags
from .driver import start_driver

DEFAULT_VIEWPORT = (1280, 800)


@dataclass(frozen=True)
class Options:
    """How to get a browser and what its pages are told; see `Browser` for each."""

    viewport: tuple[int, int] | None = None
    cdp_url: str | None = None
    headless: bool = True
    executable: str | None = None
    device_scale_factor: float | None = None
    timeout_s: float = 15.0
    accept_dialogs: bool | None = None
    device: str | None = None
    user_agent: str | None = None
    locale: str | None = None
    timezone: str | None = None
    permissions: tuple[str, ...] = ()
    geolocation: tuple[float, float] | None = None
    storage_state: str | Path | dict | None = None
    profile: Path | None = None
    proxy: str | None = None
    downloads: Path | None = None
    uploads: tuple[str | Path, ...] = ()

    def check(self) -> None:
        """Raises InputError for options that exclude each other."""
        ours = (
            "device",
            "user_agent",
            "locale",
            "timezone",
            "geolocation",
            "storage_state",
            "profile",
            "proxy",
        )
        given = [name for name in ours if getattr(self, name) is not None]
        if self.cdp_url and given:
            raise InputError(
                f"a browser attached by cdp_url keeps its own {', '.join(given)}: leave that out"
            )
        if self.profile is not None and self.storage_state is not None:
            raise InputError("a profile brings its own logins: give profile or storage_state, not both")


@dataclass
class Process:
    """One running Chromium and who uses it."""

    playwright: Playwright
    browser: PlaywrightBrowser | None = None
    foreign: bool = False
    users: list[BrowserContext] = field(default_factory=list)

    @property
    def alive(self) -> bool:
        return bool(self.users) and (self.browser is None or self.browser.is_connected())

    async def leave(self, context: BrowserContext | None) -> None:
        """Close the context; with the last one goes the process. A foreign browser is only let go."""
        if context in self.users:
            self.users.remove(context)
        if context is not None and not self.foreign:
            await _quietly(context.close())
        if not self.users:
            if self.browser is not None:
                await _quietly(self.browser.close())
            await self.playwright.stop()


async def start_process(options: Options, proxy: str) -> Process:
    """Raises playwright's Error when it does not start."""
    process = Process(await start_driver())
    if options.profile is None:
        try:
            process.browser = await process.playwright.chromium.launch(**_launch(process, options, proxy))
        except BaseException:
            await process.leave(None)
            raise
    return process


async def new_context(process: Process, options: Options, proxy: str) -> BrowserContext:
    """A fresh context whose only way out is `proxy`; with a profile, the profile's own."""
    settings = context_settings(process.playwright, options)
    if options.profile is not None:
        context = await process.playwright.chromium.launch_persistent_context(
            str(options.profile), **_launch(process, options, proxy), **settings
        )
        process.browser = context.browser
    else:
        assert process.browser is not None
        context = await process.browser.new_context(proxy=_proxy(proxy), **settings)
    process.users.append(context)
    return context


async def attach_process(cdp_url: str, timeout_s: float) -> tuple[Process, BrowserContext]:
    """Take over a browser that somebody else started."""
    process = Process(await start_driver(), foreign=True)
    try:
        process.browser = await process.playwright.chromium.connect_over_cdp(
            cdp_url, timeout=timeout_s * 1000
        )
        contexts = process.browser.contexts
        context = contexts[0] if contexts else await process.browser.new_context(no_viewport=True)
    except BaseException:
        await process.leave(None)
        raise
    process.users.append(context)
    return process, context


def context_settings(playwright: Playwright, options: Options) -> dict[str, Any]:
    """A device's preset, then what was asked for by name. Raises BrowserError for an unknown device."""
    preset: dict[str, Any] = {}
    if options.device is not None:
        if options.device not in playwright.devices:
            raise BrowserError(f"there is no device preset {options.device!r}: give one such as 'iPhone 15'")
        preset = {
            key: it for key, it in playwright.devices[options.device].items() if key != "default_browser_type"
        }
    viewport = options.viewport or (None if preset else DEFAULT_VIEWPORT)
    latitude, longitude = options.geolocation or (None, None)
    asked = {
        "viewport": viewport and {"width": viewport[0], "height": viewport[1]},
        "device_scale_factor": options.device_scale_factor,
        "user_agent": options.user_agent,
        "locale": options.locale,
        "timezone_id": options.timezone,
        "permissions": list(options.permissions) or None,
        "geolocation": {"latitude": latitude, "longitude": longitude} if options.geolocation else None,
        "storage_state": options.storage_state,
    }
    return preset | {key: value for key, value in asked.items() if value is not None}


def _launch(process: Process, options: Options, proxy: str) -> dict[str, Any]:
    return {
        "executable_path": find_chromium(options.executable, process.playwright.chromium.executable_path),
        "headless": options.headless,
        "args": launch_flags(),
        "proxy": _proxy(proxy),
    }


def _proxy(address: str) -> Any:
    """Loopback addresses too go through the gate."""
    return {"server": address, "bypass": "<-loopback>"}


async def _quietly(closing: Any) -> None:
    """It may have gone already."""
    try:
        await closing
    except PlaywrightError:
        return
