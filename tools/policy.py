"""Which addresses the browser may reach. Knows URLs, host names and networks; no browser.

The page is untrusted: it must not lead the agent to this machine's services, to the local network
or to files. Public http(s) addresses are open; everything else needs the user's word.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from ..errors import PolicyError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_EMPTY_PAGES = ("about:blank", "about:srcdoc")


class NetworkPolicy:
    """Denies loopback, private and link-local hosts and every scheme but http(s) and ws(s).

    `allow_hosts` lifts that for hosts: `localhost:8000`, `nas.local`, `*.corp.example`, `10.0.0.7`,
    `10.0.0.0/8`. A name without a port allows all of its ports. `allow_url` lifts it for one page's
    own host and port (or, for a file, for its folder).
    """

    def __init__(self, allow_hosts: Iterable[str] = ()) -> None:
        self._rules = [_Rule(entry) for entry in allow_hosts]
        self._folders: list[str] = []
        self._urls: set[str] = set()
        self._resolved: dict[str, tuple[Address, ...]] = {}

    def allow_url(self, url: str) -> None:
        """The user named this page: its own host and port are allowed, nothing more."""
        parts = urlsplit(url)
        if parts.scheme in _PORTS and parts.hostname:
            port = parts.port or _PORTS[parts.scheme]
            self._rules.append(_Rule(f"{_bracketed(parts.hostname)}:{port}"))
        elif parts.scheme == "file":
            self._folders.append(str(PurePosixPath(unquote(parts.path)).parent))
        else:
            self._urls.add(url)

    async def check(self, url: str) -> None:
        """Raises PolicyError, with the remedy, when the browser must not open `url`."""
        if self.allows_local(url):
            return
        parts = urlsplit(url)
        if parts.scheme not in _PORTS:
            raise PolicyError(f"the policy denies {parts.scheme or 'relative'}: addresses ({url[:80]!r})")
        if not parts.hostname:
            raise PolicyError(f"{url[:80]!r} names no host: give a full address such as https://example.com")
        await self.addresses(parts.hostname, parts.port or _PORTS[parts.scheme])

    def allows_local(self, url: str) -> bool:
        """Whether a URL that needs no network is open: an empty page, or what the user named."""
        if url in self._urls or url.split("#")[0] in _EMPTY_PAGES:
            return True
        parts = urlsplit(url)
        return parts.scheme == "file" and any(_inside(unquote(parts.path), it) for it in self._folders)

    async def addresses(self, host: str, port: int) -> tuple[Address, ...]:
        """The addresses to connect to; an empty tuple when the name has none.

        Raises PolicyError when the host, or any address that its name resolves to, is denied.
        """
        found = await self._resolve(host)
        if any(rule.matches(host, port, found) for rule in self._rules):
            return found
        if _is_local_name(host) or not all(_is_public(address) for address in found):
            raise PolicyError(
                f"the policy denies {host}:{port} (loopback, private or link-local): "
                f"allow it with allow_hosts=['{_bracketed(host)}:{port}']"
            )
        return found

    async def _resolve(self, host: str) -> tuple[Address, ...]:
        """Numbers as they are; names through the system's resolver, remembered once they resolve."""
        literal = _address(host)
        if literal is not None:
            return (literal,)
        if host not in self._resolved:
            found = await _look_up(host)
            if not found:
                return ()
            self._resolved[host] = found
        return self._resolved[host]


class _Rule:
    """One entry of `allow_hosts`: a name, a pattern `*.name`, an address or a network; maybe a port."""

    def __init__(self, entry: str) -> None:
        self.network = _network(entry)
        parts = urlsplit(f"//{entry}" if "://" not in entry else entry)
        self.host = (parts.hostname or "").rstrip(".")
        self.port = None if self.network else parts.port or _PORTS.get(parts.scheme)

    def matches(self, host: str, port: int, addresses: tuple[Address, ...]) -> bool:
        if self.port not in (None, port):
            return False
        if self.network is not None:
            return bool(addresses) and all(address in self.network for address in addresses)
        name = host.lower().rstrip(".")
        return name == self.host or (self.host.startswith("*.") and name.endswith(self.host[1:]))


async def _look_up(host: str) -> tuple[Address, ...]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(ipaddress.ip_address(str(entry[4][0]).split("%")[0]) for entry in found))


def _address(host: str) -> Address | None:
    """A literal address, also in the old short forms that browsers accept (`127.1`, `0x7f000001`)."""
    try:
        return ipaddress.ip_address(host.strip("[]").split("%")[0])
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host)) if host[:1].isdigit() else None
    except OSError:
        return None


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return None


def _is_public(address: Address) -> bool:
    mapped = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None) or address
    return mapped.is_global and not mapped.is_multicast


def _is_local_name(host: str) -> bool:
    name = host.lower().rstrip(".")
    return name == "localhost" or name.endswith((".localhost", ".local", ".internal"))


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _inside(path: str, folder: str) -> bool:
    return ".." not in path.split("/") and PurePosixPath(path).is_relative_to(folder)
