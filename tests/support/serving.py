"""An application served by a thread of the test's own process, for the browser that the test drives."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socketserver import BaseServer
from typing import TYPE_CHECKING

from werkzeug.serving import make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATIENCE = 30.0  # seconds for requests still under way when a test has ended


class AnsweringAtOnce:
    """The same application, its answers read to their end before the first byte is sent.

    werkzeug's server leaves a file open when a browser goes away in the middle of it, and its threads outlive
    it with what they hold; either becomes a warning in whichever test runs when it is found.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app
        self._under_way = 0
        self._closed = False
        self._changed = threading.Condition()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        with self._changed:
            if self._closed:
                start_response("503 Service Unavailable", [])
                return []
            self._under_way += 1
        try:
            parts = self._app(environ, start_response)
            try:
                return [b"".join(parts)]
            finally:
                if close := getattr(parts, "close", None):
                    close()
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def close(self) -> None:
        """Take no more requests and wait for those under way. Raises AssertionError if one does not end."""
        with self._changed:
            self._closed = True
            assert self._changed.wait_for(lambda: self._under_way == 0, PATIENCE), "a request does not end"


def serve(server: BaseServer) -> Callable[[], None]:
    """Run a server on a thread; the value stops it."""
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join(5)

    return stop


@contextmanager
def served(app: WSGIApplication) -> Iterator[str]:
    """Serve an application on a free loopback port; its address."""
    answering = AnsweringAtOnce(app)
    server = make_server("127.0.0.1", 0, answering, threaded=True)
    stop = serve(server)
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        stop()
        answering.close()
