"""The HTTP server of the stand-in: a thread for each connection, and connections stay open (HTTP/1.1).

Werkzeug's server closes every connection after one answer, and the usual faster ones do not let an
application hang up without an answer, the fault the line must survive (`environ[HANG_UP]`). Loopback only.
"""

from __future__ import annotations

import io
import logging
import socket
import socketserver
import struct
import sys
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

Headers = list[tuple[str, str]]
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

# environ[HANG_UP](reset=bool) ends the connection without an answer: with a reset, or with an ordinary end.
HANG_UP = "devphone.hang_up"

MOST_LINE = 65536
MOST_HEADERS = 100
MOST_BODY = 9 * 1024 * 1024
# A client that reuses its connections must not meet one that was just closed for idleness: what it had asked
# would be in doubt without any fault having been wished for.
IDLE_SECONDS = 900.0
_BODILESS = frozenset({"204", "304"})
_REST_SECONDS, _REST_READS = 1.0, 200
_RESET = struct.pack("ii", 1, 0)
_LOG = logging.getLogger(__name__)


class _Refused(Exception):  # noqa: N818 - an answer
    """A request that is not read on; the connection ends after the answer."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Runs a WSGI application; `serve_forever` until `shutdown` is called from another thread."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 512

    def __init__(self, host: str, port: int, application: Application) -> None:
        self.application = application
        self.leaving = False
        self._open: set[socket.socket] = set()
        self._busy: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__((host, port), Connection)
        self.server_port = int(self.server_address[1])

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        with self._lock:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """Only closes: an end announced before a reset would make it an ordinary end."""
        with self._lock:
            self._open.discard(request)
            self._busy.discard(request)
        request.close()

    def begins(self, connection: socket.socket) -> bool:
        """A request is about to be answered: not when it came too late."""
        with self._lock:
            if self.leaving:
                return False
            self._busy.add(connection)
            return True

    def ends(self, connection: socket.socket) -> None:
        with self._lock:
            self._busy.discard(connection)

    def leave(self) -> None:
        """Listens no more; connections end, those with a request under way after its answer."""
        with self._lock:
            self.leaving = True
        self.shutdown()
        super().server_close()
        with self._lock:
            idle = self._open - self._busy
        self._cut(idle)

    def server_close(self) -> None:
        super().server_close()
        with self._lock:
            left = set(self._open)
        self._cut(left)

    @staticmethod
    def _cut(connections: set[socket.socket]) -> None:
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class names them
        if not isinstance(sys.exc_info()[1], OSError):
            _LOG.exception("a connection of the phone failed")


class Connection(socketserver.StreamRequestHandler):
    """One connection: request after request."""

    server: Server
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True

    def handle(self) -> None:
        self._kept = True
        self._hung_up = False
        while self._kept and not self.server.leaving:
            try:
                line = self.rfile.readline(MOST_LINE + 1)
                if not line:
                    return
                if line.strip():
                    if not self.server.begins(self.connection):
                        return
                    self._answer(self._environ(line))
                    self.server.ends(self.connection)
            except _Refused as refused:
                self._refuse(refused.status)
            except (ConnectionError, TimeoutError):
                return

    def _refuse(self, status: HTTPStatus) -> None:
        self._kept = False
        try:
            self.wfile.write(self._head(f"{status.value} {status.phrase}", [("Content-Length", "0")]))
            # What was not read would turn the end into a reset, and the answer might be lost with it.
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(_REST_SECONDS)
            for _ in range(_REST_READS):
                if not self.connection.recv(MOST_LINE):
                    return
        except OSError:
            return

    # --- reading ---

    def _environ(self, line: bytes) -> dict[str, Any]:
        parts = line.decode("latin-1").split()
        if len(line) > MOST_LINE:
            raise _Refused(HTTPStatus.REQUEST_URI_TOO_LONG)
        if len(parts) != 3 or parts[2] not in {"HTTP/1.0", "HTTP/1.1"}:
            raise _Refused(HTTPStatus.BAD_REQUEST)
        method, target, version = parts
        path, _, query = target.partition("?")
        if not path.startswith("/"):
            path = urlsplit(path).path
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1") if "%" in path else path,
            "QUERY_STRING": query.partition("#")[0],
            "RAW_URI": target,
            "REQUEST_URI": target,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": str(self.server.server_port),
            "SERVER_PROTOCOL": version,
            "REMOTE_ADDR": self.client_address[0],
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            HANG_UP: self._hang_up,
        }
        self._read_headers(environ)
        wish = environ.get("HTTP_CONNECTION", "").lower()
        self._kept = "close" not in wish and (version == "HTTP/1.1" or "keep-alive" in wish)
        environ["wsgi.input"] = io.BytesIO(self._body(environ))
        return environ

    def _read_headers(self, environ: dict[str, Any]) -> None:
        for _ in range(MOST_HEADERS):
            line = self.rfile.readline(MOST_LINE + 1)
            if line in {b"\r\n", b"\n"}:
                return
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon or len(line) > MOST_LINE or not name or name != name.strip():
                raise _Refused(HTTPStatus.BAD_REQUEST)
            if "_" in name:
                continue
            key = name.upper().replace("-", "_")
            if key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
                key = f"HTTP_{key}"
                if key in environ:
                    value = f"{environ[key]},{value}"
            environ[key] = value.strip()
        raise _Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def _body(self, environ: dict[str, Any]) -> bytes:
        if "HTTP_TRANSFER_ENCODING" in environ:
            raise _Refused(HTTPStatus.LENGTH_REQUIRED)
        text = environ.get("CONTENT_LENGTH", "0")
        if not text.isascii() or not text.isdecimal():
            raise _Refused(HTTPStatus.BAD_REQUEST)
        length = int(text)
        if not length:
            return b""
        if environ.get("HTTP_EXPECT", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if length > MOST_BODY:
            # Read away, so that the client gets to see the application's refusal instead of a reset.
            self._kept = False
            while length > 0 and (piece := self.rfile.read(min(length, MOST_LINE))):
                length -= len(piece)
            return b""
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionResetError("the client hung up")
        return body

    # --- answering ---

    def _hang_up(self, *, reset: bool) -> None:
        self._hung_up = True
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def _answer(self, environ: dict[str, Any]) -> None:
        begun: list[tuple[str, Headers]] = []

        def start_response(status: str, headers: Headers, exc_info: Any = None) -> None:  # noqa: ARG001
            begun[:] = [(status, headers)]

        pieces = self.server.application(environ, start_response)
        try:
            if self._hung_up:
                self._kept = False
                return
            status, headers = begun[0]
            sized = any(name.lower() == "content-length" for name, _ in headers)
            if sized or environ["REQUEST_METHOD"] == "HEAD" or status[:3] in _BODILESS:
                self._write_sized(status, headers, pieces)
            else:
                self._write_stream(status, headers, pieces, environ["SERVER_PROTOCOL"] == "HTTP/1.1")
        finally:
            close = getattr(pieces, "close", None)
            if close:
                close()

    def _head(self, status: str, headers: Headers) -> bytes:
        lines = [f"HTTP/1.1 {status}"]
        lines += [f"{name}: {value}" for name, value in headers]
        if not self._kept or self.server.leaving:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _write_sized(self, status: str, headers: Headers, pieces: Iterable[bytes]) -> None:
        waiting = self._head(status, headers)
        for piece in pieces:
            waiting += piece
            if len(waiting) > MOST_LINE:
                self.wfile.write(waiting)
                waiting = b""
        if waiting:
            self.wfile.write(waiting)

    def _write_stream(self, status: str, headers: Headers, pieces: Iterable[bytes], chunked: bool) -> None:
        """Length unknown: in chunks, or to an old client until the connection ends."""
        self._kept = self._kept and chunked
        more: Headers = [("Transfer-Encoding", "chunked")] if chunked else []
        self.wfile.write(self._head(status, headers + more))
        for piece in pieces:
            if piece:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")
