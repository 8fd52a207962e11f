"""A proxy of the user's, beyond our gate: HTTP CONNECT or SOCKS5, with or without a password."""

import asyncio
import base64
from urllib.parse import unquote, urlsplit

from ..errors import InputError

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_PORTS = {"http": 3128, "socks5": 1080}


class Upstream:
    """`http://user:password@host:3128` or `socks5://host:1080`; raises InputError for anything else."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in _PORTS or not parts.hostname:
            raise InputError(f"the proxy is {url!r}: give http://host:port or socks5://host:port")
        self._scheme, self._host = parts.scheme, parts.hostname
        self._port = parts.port or _PORTS[parts.scheme]
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")

    async def connect(self, host: str, port: int) -> Connection:
        """A way to the host. Raises OSError when the proxy refuses, IncompleteReadError when it hangs up."""
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            await (self._http if self._scheme == "http" else self._socks)(reader, writer, host, port)
        except BaseException:
            writer.close()
            raise
        return reader, writer

    async def _http(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int
    ) -> None:
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}"]
        if self._user:
            secret = base64.b64encode(f"{self._user}:{self._password}".encode()).decode()
            lines.append(f"Proxy-Authorization: Basic {secret}")
        writer.write("\r\n".join([*lines, "", ""]).encode())
        answer = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)
        if answer[1] != b"200":
            raise OSError(f"the proxy answers {answer[1].decode('ascii', 'replace')}")

    async def _socks(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int
    ) -> None:
        """RFC 1928, and RFC 1929 for the password; names are resolved by the proxy."""
        writer.write(b"\x05\x01\x02" if self._user else b"\x05\x01\x00")
        _, method = await reader.readexactly(2)
        if method == 2:
            user, password = self._user.encode(), self._password.encode()
            writer.write(bytes([1, len(user)]) + user + bytes([len(password)]) + password)
            _, refused = await reader.readexactly(2)
            if refused:
                raise OSError("the proxy refuses the password")
        elif method:
            raise OSError("the proxy wants another kind of authentication")
        name = host.encode("idna")
        writer.write(b"\x05\x01\x00\x03" + bytes([len(name)]) + name + port.to_bytes(2, "big"))
        _, code, _, kind = await reader.readexactly(4)
        if code:
            raise OSError(f"the proxy cannot connect: {code}")
        length = {1: 4, 4: 16}.get(kind) or (await reader.readexactly(1))[0]
        await reader.readexactly(length + 2)
