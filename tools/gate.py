"""The browser's only way out: a SOCKS5 proxy on this machine that asks the policy at every connection.

It covers what a hook on requests cannot: redirects, popups before they are known, frames of other
sites, workers, websockets, and names that resolve to something else the second time, because the
address that was checked is the address that is connected. It sees encrypted bytes and keeps none.
"""

import asyncio
import ipaddress
import struct
from contextlib import suppress

from ..errors import PolicyError
from .policy import Address, NetworkPolicy
from .upstream import Connection, Upstream

_CHUNK = 64 * 1024
_CONNECT_TIMEOUT_S = 10.0
_OK, _DENIED, _UNREACHABLE, _REFUSED, _BAD_COMMAND = 0, 2, 4, 5, 7


class Gate:
    """`start()` listens on a free loopback port.

    `denied` holds what the policy refused, newest last; `unknown_hosts` the names that did not resolve.
    """

    def __init__(self, policy: NetworkPolicy, upstream: str | None = None) -> None:
        self.denied: list[str] = []
        self.unknown_hosts: set[str] = set()
        self._policy = policy
        self._upstream = Upstream(upstream) if upstream else None
        self._server: asyncio.Server | None = None
        self._served: set[asyncio.Task[None]] = set()

    async def start(self) -> str:
        """The address to give to the browser as its proxy; once is enough."""
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"socks5://{host}:{port}"

    async def close(self) -> None:
        """Ends what is under way, too: a task that outlives its loop is reported on stderr."""
        if self._server is not None:
            self._server.close()
        for task in self._served:
            task.cancel()
        if self._served:
            await asyncio.wait(self._served)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._served.add(task)
        try:
            await self._connect(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # either side went away, which the browser shows by itself, or `close` did it
        finally:
            self._served.discard(task)
            writer.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = await _handshake(reader, writer)
        try:
            addresses = await self._policy.addresses(host, port)
        except PolicyError as error:
            self.denied.append(str(error))
            return await _reply(writer, _DENIED)
        (self.unknown_hosts.discard if addresses else self.unknown_hosts.add)(host)
        far = await self._far_side(host, addresses, port)
        if far is None:
            return await _reply(writer, _REFUSED if addresses else _UNREACHABLE)
        try:
            await _reply(writer, _OK)
            await asyncio.gather(_pump(reader, far[1]), _pump(far[0], writer))
        finally:
            far[1].close()

    async def _far_side(self, host: str, addresses: tuple[Address, ...], port: int) -> Connection | None:
        """To the very address that was checked; through an upstream proxy, to the name that it resolves."""
        if self._upstream is None:
            return await _open_first(addresses, port)
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            return await asyncio.wait_for(self._upstream.connect(host, port), _CONNECT_TIMEOUT_S)
        return None


async def _handshake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int]:
    """RFC 1928: no authentication, command CONNECT, an address or a name."""
    _, methods = await reader.readexactly(2)
    await reader.readexactly(methods)
    writer.write(b"\x05\x00")
    _, command, _, kind = await reader.readexactly(4)
    if kind == 3:
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode("ascii", "replace")
    else:
        host = str(ipaddress.ip_address(await reader.readexactly(16 if kind == 4 else 4)))
    (port,) = struct.unpack("!H", await reader.readexactly(2))
    if command != 1:
        await _reply(writer, _BAD_COMMAND)
        raise OSError(f"SOCKS command {command} is not supported")
    return host, port


async def _reply(writer: asyncio.StreamWriter, code: int) -> None:
    writer.write(struct.pack("!BBBB4sH", 5, code, 0, 1, bytes(4), 0))
    await writer.drain()


async def _open_first(addresses: tuple[Address, ...], port: int) -> Connection | None:
    for address in addresses:
        with suppress(OSError, TimeoutError):
            return await asyncio.wait_for(asyncio.open_connection(str(address), port), _CONNECT_TIMEOUT_S)
    return None


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy bytes until the end, then close that direction only."""
    with suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
