"""A port of its own for the REST interface, so that it can be gone while the phone stays to be asked."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from nurseline.devphone.server import Application, Server

Later = Callable[[float, Callable[[], None]], None]
_AGAIN = 0.05
_LOG = logging.getLogger(__name__)


class ApiPort:
    """Listens from `open` on. `leave` makes connections be refused for a while, as when a carrier is down."""

    def __init__(self, host: str, port: int, application: Application, later: Later) -> None:
        """`later` does something after so many seconds."""
        self._host = host
        self._application = application
        self._later = later
        self._lock = threading.Lock()
        self._ended = False
        self._server: Server | None = Server(host, port, application)
        self.port = self._server.server_port

    def open(self) -> None:
        self._serve(self._server)

    def leave(self, seconds: float) -> None:
        """Ends listening for so many seconds; requests under way are answered. Nothing when already away."""
        with self._lock:
            server, self._server = self._server, None
        if server is None:
            return
        server.leave()
        self._later(seconds, self._return)

    def close(self) -> None:
        with self._lock:
            self._ended = True
            server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def _return(self) -> None:
        with self._lock:
            if self._ended or self._server is not None:
                return
            try:
                self._server = Server(self._host, self.port, self._application)
            except OSError:
                _LOG.warning("port %s is not free yet", self.port)
                self._later(_AGAIN, self._return)
                return
            self._serve(self._server)

    @staticmethod
    def _serve(server: Server | None) -> None:
        if server is not None:
            threading.Thread(target=lambda: server.serve_forever(_AGAIN), daemon=True).start()
