"""The phone's HTTP server, asked byte by byte."""

import http.client
import socket

import pytest


@pytest.fixture
def connection(phone):
    port = phone.exchange.port
    with socket.create_connection(("127.0.0.1", port), timeout=10) as opened:
        yield opened


def answer(connection, request):
    """Sends the bytes; the status and the body of the answer, read to its length."""
    connection.sendall(request)
    got = http.client.HTTPResponse(connection, method=request.split(b" ", 1)[0].decode())
    got.begin()
    return got.status, got.read(), got


HEALTH = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def ended(connection):
    return connection.recv(1) == b""


def test_a_connection_stays_open_for_the_next_request(connection):
    for _ in range(3):
        status, body, got = answer(connection, HEALTH)
        assert (status, got.getheader("Connection")) == (200, None)
        assert b"ok" in body


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
        b"GET /healthz HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n",
    ],
)
def test_it_is_closed_when_the_client_wants_that(connection, request_bytes):
    assert answer(connection, request_bytes)[0] == 200
    assert ended(connection)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /healthz HTTP/2.0\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\n folded: x\r\n\r\n", 400),
        (b"POST /phone/api/messages HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /phone/api/messages HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"GET /" + b"x" * 70000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET /healthz HTTP/1.1\r\n" + b"X-Many: 1\r\n" * 101 + b"\r\n", 431),
    ],
)
def test_a_request_that_cannot_be_read_is_refused_and_ends_the_connection(connection, request_bytes, status):
    found, _, got = answer(connection, request_bytes)
    assert (found, got.getheader("Connection")) == (status, "close")


def test_a_body_that_is_too_large_is_answered_413(connection):
    head = b"POST /phone/api/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    size = 10 * 1024 * 1024
    status, _, _ = answer(connection, head + b"Content-Length: %d\r\n\r\n" % size + b" " * size)
    assert status == 413
    assert ended(connection)


def test_a_client_that_asks_before_it_sends_the_body_is_told_to(connection):
    body = b'{"from": "nobody"}'
    connection.sendall(
        b"POST /phone/api/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    status, said, _ = answer(connection, body)
    assert status == 400
    assert b"not a phone number" in said


def test_head_has_the_length_and_no_body(connection):
    _, body, _ = answer(connection, HEALTH)
    status, nothing, got = answer(connection, HEALTH.replace(b"GET", b"HEAD"))
    assert (status, nothing) == (200, b"")
    assert int(got.getheader("Content-Length")) == len(body)
    assert answer(connection, HEALTH)[0] == 200


def test_an_answer_of_unknown_length_ends_with_the_connection_for_old_clients(connection):
    status, body, got = answer(connection, b"GET /phone/api/ledger HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
    assert (status, got.getheader("Transfer-Encoding")) == (200, None)
    assert body == b'{"counts": {}}\n'


def test_a_stopped_phone_answers_nobody_any_more(phone, connection):
    assert answer(connection, HEALTH)[0] == 200
    phone.stop()
    assert ended(connection)
