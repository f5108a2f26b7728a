"""One PostgreSQL and one Redis per test process, started when the first test asks for them."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from nurseline.db import upgrade
from nurseline.local import ports, state
from nurseline.local.postgres import Postgres
from nurseline.local.redis import Redis

PASSWORD = "only-for-tests"  # noqa: S105, RUF100
OUTER_NAMES = {"DATABASE_URL", "REDIS_URL", "PUBLIC_BASE_URL", "SECRET_KEY", "PORT", "PHONE_PORT"}
OUTER_PREFIXES = ("TWILIO_", "CLINIC_", "NURSELINE_", "PG", "DEVPHONE_")
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder for the servers of this test process."""
    return state.prepare(tmp_path_factory.mktemp("servers") / "state")


@pytest.fixture(scope="session")
def postgres_server(server_state: Path) -> Iterator[Postgres]:
    """A running PostgreSQL server; measured: 0.6 s to have, so every xdist process has its own."""
    server = Postgres(server_state, port=ports.free_port(), password=PASSWORD, durable=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_server(server_state: Path) -> Iterator[Redis]:
    """A running Redis server."""
    server = Redis(server_state, port=ports.free_port(), password=PASSWORD, durable=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def empty_database_url(postgres_server: Postgres) -> Iterator[str]:
    """A database without any table, for this test only."""
    name = f"empty_{next(_numbers)}"
    postgres_server.create(name)
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture(scope="session")
def migrated_template(postgres_server: Postgres) -> str:
    """The name of a database with every table and no rows; copy it, do not connect to it."""
    name = "migrated"
    postgres_server.create(name)
    upgrade(postgres_server.url(name))
    return name


@pytest.fixture(scope="session")
def database_url(postgres_server: Postgres, migrated_template: str) -> str:
    """A migrated database shared by the tests of this process: undo or clean up what you write."""
    postgres_server.create("shared", template=migrated_template)
    return postgres_server.url("shared")


@pytest.fixture
def own_database_url(postgres_server: Postgres, migrated_template: str) -> Iterator[str]:
    """A migrated database for this test only (measured: about 50 ms), for tests with several processes."""
    name = f"own_{next(_numbers)}"
    postgres_server.create(name, template=migrated_template)
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture
def redis_url(redis_server: Redis) -> str:
    """A Redis with nothing in it."""
    with redis.Redis.from_url(redis_server.url()) as client:
        client.flushall()
    return redis_server.url()


@pytest.fixture
def free_port() -> int:
    """A loopback port on which nothing listens."""
    return ports.free_port()


def forget_outer_settings() -> None:
    """Take real servers and accounts out of the environment, so that no test can touch them."""
    for name in list(os.environ):
        if name in OUTER_NAMES or name.startswith(OUTER_PREFIXES):
            del os.environ[name]
