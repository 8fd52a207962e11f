"""Starts the browser's driver before it is needed: Node boots while Python still imports.

The driver is Playwright's Node program. `prelaunch` starts it with nothing imported but what starts a
process; the first browser of the program takes it over (`driver.py`), if it would have started the very same.
"""

import atexit
import os
import subprocess
import sys
from pathlib import Path

_COMPILED = "NODE_COMPILE_CACHE"
_waiting: list["Waiting"] = []
_asked = False


class Waiting:
    """A driver that nobody has taken yet, and how it was started."""

    def __init__(self, command: list[str], environment: dict[str, str]):
        self.command, self.environment = command, environment
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, bufsize=0
        )

    def end(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.kill()
        self.process.wait()


def prelaunch() -> None:
    """Begin to start the browser's driver and return at once: for the first line of a script.

    Works once in a program, and not on Windows, where a running process cannot be taken over. Of a driver
    that is missing or does not start the browser that needs it speaks.
    """
    global _asked
    if _asked or sys.platform == "win32":
        return
    _asked = True
    from playwright._impl._driver import compute_driver_executable, get_driver_env
    from playwright._impl._errors import Error

    try:
        waiting = Waiting([*compute_driver_executable(), "run-driver"], get_driver_env() | compile_cache())
    except (Error, OSError):
        return
    _waiting.append(waiting)
    atexit.register(_end_what_waits)


def take(command: list[str], environment: dict[str, str]) -> subprocess.Popen | None:
    """The driver that waits, if it was started so and lives; one that was started otherwise is ended."""
    if not _waiting:
        return None
    waiting = _waiting.pop()
    if (waiting.command, waiting.environment) == (command, environment) and waiting.process.poll() is None:
        return waiting.process
    waiting.end()
    return None


def is_waiting() -> bool:
    return bool(_waiting)


def compile_cache() -> dict[str, str]:
    """Where Node may keep what it has compiled, which is half of its start. A folder that the user has named
    stays; one that cannot be written is no use to Node, and no harm."""
    if _COMPILED in os.environ:
        return {}
    home = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or Path.home() / ".cache"
    return {_COMPILED: str(Path(home) / "saccade" / "driver")}


def _end_what_waits() -> None:
    while _waiting:
        _waiting.pop().end()
