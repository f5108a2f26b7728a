"""The network between the line and its servers fails on demand, and works again."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from tests.chaos.proxy import LOOPBACK, Proxy


def _echo(connection: socket.socket) -> None:
    with connection:
        try:
            while data := connection.recv(65536):
                connection.sendall(data)
        except OSError:
            return


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy before a server that says what it hears."""
    server = socket.create_server((LOOPBACK, 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=_echo, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    made = Proxy(LOOPBACK, server.getsockname()[1])
    yield made
    made.close()
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with _connect(proxy) as made:
        yield made


def _connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection((LOOPBACK, proxy.port), timeout=20)


def _said(client: socket.socket, words: bytes) -> bytes:
    client.sendall(words)
    heard = b""
    while len(heard) < len(words):
        heard += client.recv(65536)
    return heard


def test_what_is_said_comes_through_whole(proxy: Proxy, client: socket.socket) -> None:
    assert _said(client, b"hello") == b"hello"
    long = bytes(range(256)) * 4096
    sending = threading.Thread(target=client.sendall, args=(long,))
    sending.start()
    heard = b""
    while len(heard) < len(long):
        heard += client.recv(65536)
    sending.join()
    assert heard == long


def test_a_cut_resets_connections_and_new_ones_work(proxy: Proxy, client: socket.socket) -> None:
    _said(client, b"hello")
    assert proxy.cut() == 1
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with _connect(proxy) as other:
        assert _said(other, b"again") == b"again"


def test_while_it_refuses_nobody_connects(proxy: Proxy) -> None:
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        _connect(proxy)
    proxy.mend()
    with _connect(proxy) as client:
        assert _said(client, b"hello") == b"hello"


def test_while_it_is_silent_nothing_comes_and_then_all_of_it(proxy: Proxy, client: socket.socket) -> None:
    _said(client, b"hello")
    proxy.silence()
    client.sendall(b"later")
    client.settimeout(0.3)
    with pytest.raises(TimeoutError):
        client.recv(5)
    client.settimeout(20)
    proxy.mend()
    assert client.recv(5) == b"later"
