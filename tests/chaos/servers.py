"""PostgreSQL and Redis of a run: our own, which can be killed, or given ones, whose network fails."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import redis
from psycopg import sql
from sqlalchemy.engine import URL, make_url

from nurseline.db import psycopg_url
from nurseline.local import ports
from nurseline.local.postgres import Postgres
from nurseline.local.redis import Redis
from tests.chaos.proxy import LOOPBACK, Proxy
from tests.support.waiting import wait_for

PASSWORD = "only-for-tests"  # noqa: S105, RUF100
MOST_DATABASES = 16


class Unusable(Exception):  # noqa: N818
    """A given server cannot be used; the message is one line that says why."""


class Servers:
    """Both servers, each behind a proxy. ``database_url``: for the harness, past the proxy."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.postgres = _postgres(folder, environment.get("DATABASE_URL", ""))
        try:
            self.redis = _redis(folder, environment.get("REDIS_URL", ""))
        except BaseException:
            self.postgres.close()
            raise

    def close(self) -> None:
        """Leave given servers as they were; end ours."""
        self.redis.close()
        self.postgres.close()


class OurPostgres:
    """A server of our own. Commits reach the disk: what it said before a crash has to hold after it."""

    ours = True

    def __init__(self, folder: Path) -> None:
        self._server = Postgres(folder, port=ports.free_port(), password=PASSWORD)
        self._server.start()
        self._server.create("chaos")
        self.url = self._server.url("chaos")
        self.proxy = Proxy(LOOPBACK, self._server.port)
        self.line_url = make_url(self.url).set(port=self.proxy.port).render_as_string(hide_password=False)

    def restart(self) -> None:
        """End it as for a change of settings: connections are cut, everything is written."""
        self._server.stop()

    def crash(self) -> None:
        """End it without a word; it recovers from its log when it starts."""
        os.kill(self._server.pid, signal.SIGQUIT)
        wait_for(self._server.ended, 20, "PostgreSQL to be gone")

    def start_again(self) -> None:
        self._server.start()

    def close(self) -> None:
        self.proxy.close()
        self._server.stop()


class GivenPostgres:
    """A database of our own on a given server, dropped at the end. The server itself is left alone."""

    ours = False

    def __init__(self, given: str) -> None:
        self._admin = make_url(psycopg_url(given))
        if not self._admin.host or self._admin.host.startswith("/"):
            raise Unusable("DATABASE_URL: a host is needed, since a proxy stands before it")
        self._name = f"nurseline_chaos_{secrets.token_hex(4)}"
        self._run("CREATE DATABASE {}")
        self.url = self._admin.set(database=self._name).render_as_string(hide_password=False)
        self.proxy = Proxy(self._admin.host, self._admin.port or 5432)
        # The name stays what TLS checks it against; only the way there changes.
        behind = self._admin.set(database=self._name, port=self.proxy.port)
        behind = behind.update_query_dict({"hostaddr": LOOPBACK})
        self.line_url = behind.render_as_string(hide_password=False)

    def restart(self) -> None:
        """What its clients see of a restart: nothing answers any more."""
        self.proxy.refuse()

    crash = restart

    def start_again(self) -> None:
        self.proxy.mend()

    def close(self) -> None:
        self.proxy.close()
        self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)")

    def _run(self, statement: str) -> None:
        address = self._admin.set(drivername="postgresql").render_as_string(hide_password=False)
        try:
            with psycopg.connect(address, autocommit=True, connect_timeout=10) as connection:
                connection.execute(sql.SQL(statement).format(sql.Identifier(self._name)))
        except psycopg.Error as error:
            why = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise Unusable(f"DATABASE_URL: a database of its own is needed for a run: {why}") from None


class OurRedis:
    """A server of our own."""

    ours = True

    def __init__(self, folder: Path) -> None:
        self._server = Redis(folder, port=ports.free_port(), password=PASSWORD)
        self._server.start()
        self.url = self._server.url()
        self.proxy = Proxy(LOOPBACK, self._server.port)
        self.line_url = _with_port(self.url, self.proxy.port)

    def flush(self) -> None:
        with redis.Redis.from_url(self.url, socket_timeout=5) as client:
            client.flushall()

    def kill(self) -> None:
        os.kill(self._server.pid, signal.SIGKILL)
        wait_for(self._server.ended, 20, "Redis to be gone")

    def start_again(self) -> None:
        self._server.start()

    def close(self) -> None:
        self.proxy.close()
        self._server.stop()


class GivenRedis:
    """A database of a given server that was empty. What others keep there is never touched."""

    ours = False

    def __init__(self, given: str) -> None:
        parts = urlsplit(given)
        if parts.scheme != "redis" or not parts.hostname:
            raise Unusable("REDIS_URL: must look like redis://host:6379/0, since a proxy stands before it")
        self.url = _empty_database(given)
        self.proxy = Proxy(parts.hostname, parts.port or 6379)
        self.line_url = _with_port(self.url, self.proxy.port)

    def flush(self) -> None:
        with redis.Redis.from_url(self.url, socket_timeout=5) as client:
            client.flushdb()

    def kill(self) -> None:
        """What its clients see of a crash."""
        self.proxy.refuse()

    def start_again(self) -> None:
        self.proxy.mend()

    def close(self) -> None:
        self.proxy.close()
        self.flush()


def _postgres(folder: Path, given: str) -> OurPostgres | GivenPostgres:
    return GivenPostgres(given) if given else OurPostgres(folder)


def _redis(folder: Path, given: str) -> OurRedis | GivenRedis:
    return GivenRedis(given) if given else OurRedis(folder)


def _with_port(url: str, port: int) -> str:
    """The same Redis through a proxy on loopback."""
    address: URL = make_url(url)
    return address.set(host=LOOPBACK, port=port).render_as_string(hide_password=False)


def _empty_database(given: str) -> str:
    """The address of an empty database: the one that is named, else the highest that is empty."""
    named = urlsplit(given).path.strip("/")
    wanted = [int(named)] if named not in {"", "0"} else [*range(MOST_DATABASES - 1, -1, -1)]
    why = "is not empty" if len(wanted) == 1 else "has no empty database"
    try:
        for number in wanted:
            url = make_url(given).set(database=str(number)).render_as_string(hide_password=False)
            with redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5) as client:
                try:
                    if client.dbsize() == 0:
                        return url
                except redis.ResponseError:  # fewer databases than usual
                    continue
    except redis.RedisError as error:
        raise Unusable(f"REDIS_URL: {type(error).__name__}") from None
    raise Unusable(f"REDIS_URL: {why}; a run empties its database, so it needs one that nobody uses")
