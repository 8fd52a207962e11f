"""Finds a Chromium on this machine and says how to start it. Knows files and flags, no pages.

Order: the path that the user gave, Playwright's own Chromium, a Chromium or Chrome of the system.
"""

import os
import shutil
import sys
from pathlib import Path

from ..errors import BrowserError

_COMMANDS = (
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
    "chrome",
    "microsoft-edge",
)
_PLACES = {
    "linux": ("/snap/bin/chromium", "/opt/google/chrome/chrome", "/usr/lib/chromium/chromium"),
    "darwin": (
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
        "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    ),
    "win32": (
        r"C:\Program Files\Google\Chrome\Application\chrome.exe",
        r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
        r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
    ),
}
# Chromium takes the last list of features alone, so those that Playwright switches off are named again.
_FEATURES_OFF = (
    "AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable", "LensOverlay", "MediaRouter", "PaintHolding",
    "ThirdPartyStoragePartitioning", "AvoidCorsURLLoaderRestartOnRedirect", "TcpPortRandomizationWin",
    "OptimizationHints", "NetworkTimeServiceQuerying", "AimEnabled", "PreconnectToSearch",
    "msForceBrowserSignIn", "msEdgeUpdateLaunchServicesPreferredVersion",
    "Translate", "AutofillServerCommunication",
)  # fmt: skip
_QUIET = (
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-domain-reliability",
    "--disable-quic",
    "--disable-smooth-scrolling",
    "--disable-search-engine-choice-screen",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    f"--disable-features={','.join(_FEATURES_OFF)}",
)
_IN_CONTAINER = ("--no-sandbox", "--disable-dev-shm-usage")


def find_chromium(explicit: str | Path | None, playwrights_own: str | Path | None) -> str:
    """The path of a browser to start. Raises BrowserError with the command that installs one."""
    if explicit is not None:
        path = shutil.which(os.path.expanduser(explicit))
        if path is None:
            raise BrowserError(f"no browser at {explicit}: give the path of a Chromium or Chrome program")
        return path
    if playwrights_own and Path(playwrights_own).is_file():
        return str(playwrights_own)
    return _system_chromium() or _fail()


def launch_flags() -> list[str]:
    """Flags for a quiet browser; without its sandbox only where the sandbox cannot work (root)."""
    return [*_QUIET, *(_IN_CONTAINER if _sandbox_impossible() else ())]


def _system_chromium() -> str | None:
    found = (shutil.which(command) for command in _COMMANDS)
    places = (place for place in _PLACES.get(sys.platform, ()) if os.access(place, os.X_OK))
    return next((path for path in (*found, *places) if path), None)


def _sandbox_impossible() -> bool:
    """Chromium refuses its sandbox to root, and containers seldom grant the namespaces it needs."""
    if sys.platform != "linux":
        return False
    return os.geteuid() == 0 or Path("/.dockerenv").exists() or Path("/run/.containerenv").exists()


def _fail() -> str:
    raise BrowserError(
        "no Chromium found: run `playwright install chromium` (or `apt install chromium`, "
        "or give the path of a browser as `executable`)"
    )
