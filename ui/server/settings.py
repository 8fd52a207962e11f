"""What the one who serves decides. Values only."""

from dataclasses import dataclass
from pathlib import Path

MIB = 2**20


@dataclass(frozen=True)
class Settings:
    """`max_tokens` counts where a request names no limit. Sizes in bytes, times in seconds.

    `origins`: web pages of these origins may use the server from a browser; others may not.
    `runs` is where runs are kept, `max_runs` how many go on at once, `allow_hosts` which local or private
    hosts they may reach, `browser` the executable.
    """

    api_key: str | None = None
    max_tokens: int = 2048
    max_body_bytes: int = 32 * MIB
    max_images: int = 64
    max_choices: int = 8
    origins: tuple[str, ...] = ()
    keep_alive_s: float = 5.0
    runs: Path = Path("runs")
    max_runs: int = 4
    allow_hosts: tuple[str, ...] = ()
    browser: Path | None = None
