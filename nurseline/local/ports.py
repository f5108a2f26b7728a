"""Free ports on loopback."""

import errno
import random
import socket

from nurseline.local.state import LocalError

LOOPBACK = "127.0.0.1"
# Below those that systems give to outgoing connections, which would take a port before its server starts.
QUIET_PORTS = range(15_000, 32_000)


def is_free(port: int) -> bool:
    """Say whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # A server sets this too: without it, connections that ended a moment ago would count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def free_port(preferred: int | None = None, *, avoid: frozenset[int] = frozenset()) -> int:
    """Return the preferred port where it is free and not to be avoided, else any free one."""
    if preferred and preferred not in avoid and is_free(preferred):
        return preferred
    while True:
        port = random.choice(QUIET_PORTS)  # noqa: S311 - not a secret
        if port not in avoid and is_free(port):
            return port


def wanted_port(text: str, name: str) -> int:
    """Return the port a person asked for, or say in one line why it cannot be had."""
    example = f"choose another, for example: make run {name}=8123"
    if not text.isascii() or not text.isdigit() or not 1024 <= int(text) <= 65535:
        message = f"{name}={text} is not a port from 1024 to 65535: {example}"
        raise LocalError(message)
    if not is_free(int(text)):
        message = f"port {text} ({name}) is taken by another program: {example}"
        raise LocalError(message)
    return int(text)
