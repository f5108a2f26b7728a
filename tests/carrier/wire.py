"""A carrier on loopback made of bare sockets, so that a test can break a connection where it likes."""

import base64
import contextlib
import json
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    form: dict[str, list[str]]

    @property
    def login(self) -> str:
        """Name and password of basic authentication."""
        return base64.b64decode(self.headers["authorization"].removeprefix("Basic ")).decode()


Behaviour = Callable[[socket.socket], None]


def answer(status: int, body: Any, *, kind: str = "application/json") -> Behaviour:
    """Answer with JSON, or with ``body`` as it is when it is text."""
    text = (body if isinstance(body, str) else json.dumps(body)).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(text)}\r\n\r\n"
    return lambda connection: connection.sendall(head.encode() + text)


def say(data: bytes) -> Behaviour:
    """Send these bytes and close."""
    return lambda connection: connection.sendall(data)


def hang_up(_: socket.socket) -> None:
    """Close without an answer."""


def reset(connection: socket.socket) -> None:
    """Close so hard that the other side sees a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@dataclass
class Wire:
    """Answers each request with the next behaviour, the last one again and again."""

    behaviours: list[Behaviour]
    tls: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    closed: int = 0
    let_go: Event = field(default_factory=Event)
    close_each: bool = True
    _socket: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    _threads: list[Thread] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self._socket.getsockname()[1]}"

    def silence(self, _: socket.socket) -> None:
        """Say nothing until the test is over."""
        self.let_go.wait(20)

    def start(self) -> None:
        self._run(self._accept)

    def stop(self) -> None:
        self.let_go.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(10)

    def _run(self, work: Callable[[], None]) -> None:
        thread = Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            self._run(lambda connection=connection: self._serve(connection))  # type: ignore[misc]

    def _serve(self, raw: socket.socket) -> None:
        raw.settimeout(10)
        with contextlib.suppress(OSError), contextlib.closing(raw):
            connection = self.tls.wrap_socket(raw, server_side=True) if self.tls else raw
            with contextlib.closing(connection), connection.makefile("rb") as stream:
                while (request := _read(stream)) is not None:
                    self.requests.append(request)
                    behave = self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]
                    behave(connection)
                    if self.close_each:
                        break
        self.closed += 1


def _read(stream: Any) -> Request | None:
    first = stream.readline().decode()
    if not first.strip():
        return None
    method, target, _ = first.split(" ", 2)
    headers = {}
    while line := stream.readline().decode().strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", "0"))).decode()
    url = urlsplit(target)
    form = parse_qs(body, keep_blank_values=True)
    return Request(method, url.path, parse_qs(url.query), headers, form)


@contextlib.contextmanager
def wire(
    *behaviours: Behaviour, tls: ssl.SSLContext | None = None, close_each: bool = True
) -> Iterator[Wire]:
    """A carrier that behaves like this, for as long as the block lasts."""
    made = Wire(list(behaviours), tls, close_each=close_each)
    made.start()
    try:
        yield made
    finally:
        made.stop()
