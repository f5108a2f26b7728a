"""A TCP proxy that can cut its connections, refuse new ones, or fall silent: a network that fails."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Coroutine
from typing import Any

LOOPBACK = "127.0.0.1"
CONNECT_SECONDS = 5.0
HIGH_WATER = 256 * 1024


class Proxy:
    """Stands on a loopback port before a server. Its methods may be called from any thread."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._ends: set[_End] = set()
        self._passing = True
        self._listener: asyncio.Server | None = None
        # Bound and never listening: while nobody else listens, connections to the port are refused, and no
        # other program can take it meanwhile.
        self._holder = _bound(0)
        self.port: int = self._holder.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._run(self._listen)

    def cut(self) -> int:
        """Reset every connection there is; how many."""
        return self._run(self._cut)

    def refuse(self) -> int:
        """Cut, and let nobody connect until `mend`."""
        return self._run(self._refuse)

    def silence(self) -> int:
        """Keep connections and take new ones, but pass nothing on until `mend`; how many there are."""
        return self._run(self._silence)

    def mend(self) -> None:
        """Work as if nothing had been."""
        self._run(self._mend)

    def close(self) -> None:
        """End for good."""
        self._run(self._refuse)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()
        self._holder.close()

    def _run(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        return asyncio.run_coroutine_threadsafe(work(), self._loop).result(30)

    async def _listen(self) -> None:
        self._listener = await self._loop.create_server(lambda: _End(self), sock=_bound(self.port))

    async def _cut(self) -> int:
        ends = [end for end in self._ends if end.inner]
        for end in list(self._ends):
            end.reset()
        return len(ends)

    async def _refuse(self) -> int:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        return await self._cut()

    async def _silence(self) -> int:
        self._passing = False
        for end in self._ends:
            end.hold()
        return sum(end.inner for end in self._ends)

    async def _mend(self) -> None:
        self._passing = True
        for end in list(self._ends):
            end.go_on()
        if self._listener is None:
            await self._listen()


class _End(asyncio.Protocol):
    """One side of a passed connection: the client's, or (``inner``) the server's."""

    def __init__(self, proxy: Proxy, other: _End | None = None) -> None:
        self._proxy = proxy
        self._other = other
        self._transport: asyncio.Transport | None = None
        self._waiting: list[bytes] = []
        self._full = False
        self._reaching: asyncio.Future[None] | None = None  # kept: the loop itself would not
        self.inner = other is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(HIGH_WATER)
        self._proxy._ends.add(self)
        if not self._proxy._passing:
            self.hold()
        if self._other is not None:
            self._other.attach(self)
        else:
            self._reaching = asyncio.ensure_future(self._reach())

    async def _reach(self) -> None:
        """Connect to the server on behalf of the client."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await asyncio.get_running_loop().create_connection(
                    lambda: _End(self._proxy, self), *self._proxy._target
                )
        except (OSError, TimeoutError):
            self.reset()

    def attach(self, inner: _End) -> None:
        """The server's side is there: what came meanwhile goes on."""
        if self._transport is None or self._transport.is_closing():
            inner.reset()
            return
        self._other = inner
        waiting, self._waiting = self._waiting, []
        for data in waiting:
            inner.write(data)

    def data_received(self, data: bytes) -> None:
        if self._other is None:
            self._waiting.append(data)
        else:
            self._other.write(data)

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def pause_writing(self) -> None:
        if self._other is not None:
            self._other._full = True
            self._other._read()

    def resume_writing(self) -> None:
        if self._other is not None:
            self._other._full = False
            self._other._read()

    def hold(self) -> None:
        """Read nothing more, and leave what was read where it is."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def go_on(self) -> None:
        self._read()

    def _read(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._full or not self._proxy._passing:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002, RUF100 - asyncio names it
        self._proxy._ends.discard(self)
        if self._other is not None and self._other._transport is not None:
            self._other._transport.close()

    def reset(self) -> None:
        """End this side and the other as a network does that breaks."""
        if self._transport is not None:
            with contextlib.suppress(OSError, AttributeError):
                raw = self._transport.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            self._transport.abort()


def _bound(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind((LOOPBACK, port))
    return bound
