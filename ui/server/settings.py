"""What the one who serves decides. Values only."""

from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True)
class Settings:
    """`max_tokens` counts where a request names no limit. Sizes in bytes, times in seconds.

    `origins`: web pages of these origins may use the server from a browser; others may not.
    """

    api_key: str | None = None
    max_tokens: int = 2048
    max_body_bytes: int = 32 * MIB
    max_images: int = 64
    max_choices: int = 8
    origins: tuple[str, ...] = ()
    keep_alive_s: float = 5.0
