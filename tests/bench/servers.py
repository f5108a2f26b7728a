"""PostgreSQL and Redis of a benchmark run: our own, or databases of our own on given servers."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import psycopg
import redis
from psycopg import sql
from sqlalchemy.engine import make_url

from nurseline.db import psycopg_url, upgrade
from nurseline.local import ports
from nurseline.local.postgres import Postgres
from nurseline.local.redis import Redis
from nurseline.local.state import prepare
from tests.support.waiting import wait_for

PASSWORD = "only-for-tests"  # noqa: S105, RUF100
MOST_REDIS_DATABASES = 16


class Unusable(Exception):  # noqa: N818
    """A given server cannot be used; the message is one line that says why."""


@dataclass(frozen=True)
class Broker:
    """Empty Redis databases on one server, and a way to lose what they hold."""

    urls: tuple[str, ...]
    server: Redis | None  # None: a given one, which is left running

    def lose_everything(self) -> None:
        """A crash of a server that keeps nothing: killed and started again; a given one is emptied."""
        if self.server is None:
            self.empty()
            return
        os.kill(self.server.pid, signal.SIGKILL)
        wait_for(self.server.ended, 20, "Redis to be gone")
        self.server.start()

    def empty(self) -> None:
        """Remove all keys of our databases."""
        for url in self.urls:
            with redis.Redis.from_url(url, socket_timeout=30) as client:
                client.flushdb()

    @staticmethod
    def bytes_in(url: str) -> int:
        """What the keys of one database take, as the server counts it."""
        with redis.Redis.from_url(url, socket_timeout=30) as client:
            return sum(int(client.memory_usage(key, samples=0) or 0) for key in client.scan_iter(count=1000))


class Servers:
    """The servers of one run. ``environment``: DATABASE_URL and REDIS_URL name given ones."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self._given = {name: environment.get(name, "") for name in ("DATABASE_URL", "REDIS_URL")}
        self._postgres: Postgres | None = None

    def close(self) -> None:
        """End our own; given ones are left as they were found."""
        if self._postgres is not None:
            self._postgres.stop()

    def kinds(self) -> dict[str, str]:
        """Where the figures come from."""
        with self._connection() as connection:
            names = ("server_version", "shared_buffers", "max_wal_size", "synchronous_commit")
            shown = {name: connection.execute(f"SHOW {name}".encode()).fetchone() for name in names}
        given = {name: "given" if url else "embedded" for name, url in self._given.items()}
        settings = {name: str(row[0]) for name, row in shown.items() if row}
        return {"postgres": given["DATABASE_URL"], "redis": given["REDIS_URL"], **settings}

    @property
    def postgres_pid(self) -> int:
        """Process number of our own PostgreSQL; 0 for a given one."""
        return self._postgres.pid if self._postgres else 0

    def free_bytes(self) -> int | None:
        """Free space where our own PostgreSQL keeps its data; None for a given one, which we cannot see."""
        return None if self._given["DATABASE_URL"] else shutil.disk_usage(self.folder).free

    @contextmanager
    def database(self) -> Iterator[str]:
        """The address of a database with every table and no rows; it is dropped in the end."""
        name = f"nurseline_bench_{secrets.token_hex(4)}"
        self._run("CREATE DATABASE {}", name)
        try:
            url = make_url(psycopg_url(self._admin)).set(database=name)
            address = url.set(drivername="postgresql").render_as_string(hide_password=False)
            upgrade(address)
            yield address
        finally:
            self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    @contextmanager
    def broker(self, databases: int = 1) -> Iterator[Broker]:
        """Empty Redis databases; emptied again in the end."""
        given = self._given["REDIS_URL"]
        if given:
            broker = Broker(tuple(_empty_databases(given, databases)), None)
            try:
                yield broker
            finally:
                broker.empty()
            return
        state = prepare(self.folder / f"redis-{secrets.token_hex(4)}")
        server = Redis(state, port=ports.free_port(), password=PASSWORD, durable=False)
        server.start()
        try:
            yield Broker(tuple(server.url(number) for number in range(databases)), server)
        finally:
            server.stop()

    @cached_property
    def _admin(self) -> str:
        if self._given["DATABASE_URL"]:
            url = make_url(psycopg_url(self._given["DATABASE_URL"])).set(drivername="postgresql")
            return url.render_as_string(hide_password=False)
        # As `make run` has it: what is committed is on the disk.
        self._postgres = Postgres(prepare(self.folder / "state"), port=ports.free_port(), password=PASSWORD)
        self._postgres.start()
        return self._postgres.url("postgres").replace("postgresql+psycopg", "postgresql")

    def _run(self, statement: str, name: str) -> None:
        with self._connection() as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(name)))  # type: ignore[arg-type]

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection]:
        try:
            with psycopg.connect(self._admin, autocommit=True, connect_timeout=10) as connection:
                yield connection
        except psycopg.Error as error:
            why = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise Unusable(f"DATABASE_URL: databases of its own are needed for a run: {why}") from None


def _empty_databases(given: str, wanted: int) -> list[str]:
    """Addresses of databases nobody uses, the named one first if it is empty."""
    named = make_url(given).database or "0"
    numbers = [named, *(str(n) for n in range(MOST_REDIS_DATABASES - 1, -1, -1) if str(n) != named)]
    found: list[str] = []
    try:
        for number in numbers:
            url = make_url(given).set(database=number).render_as_string(hide_password=False)
            with redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5) as client:
                try:
                    free = client.dbsize() == 0
                except redis.ResponseError:  # fewer databases than usual
                    continue
            if free and len(found) < wanted:
                found.append(url)
    except redis.RedisError as error:
        raise Unusable(f"REDIS_URL: {type(error).__name__}") from None
    if len(found) < wanted:
        raise Unusable(f"REDIS_URL: {wanted} empty databases are needed, which a run fills and empties")
    return found
