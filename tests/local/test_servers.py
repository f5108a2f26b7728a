"""The servers of our own: real ones, on loopback, in one folder."""

import os
import signal
from pathlib import Path

import psycopg
import pytest
import redis

from nurseline.local import state
from nurseline.local.ports import free_port
from nurseline.local.postgres import Postgres
from nurseline.local.redis import Redis


def test_a_new_database_is_empty_utf8_and_in_utc(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url.replace("+psycopg", "")) as connection:
        assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)
        assert connection.execute("SHOW timezone").fetchone() == ("UTC",)
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert tables.fetchone() == (0,)


def test_redis_keeps_what_it_holds_rather_than_throwing_it_out(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_the_database_listens_on_loopback_only_and_asks_for_a_password(postgres_server: Postgres) -> None:
    with psycopg.connect(postgres_server.url("postgres").replace("+psycopg", "")) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
        assert connection.execute("SHOW unix_socket_directories").fetchone() == ("",)
        rules = connection.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules").fetchall()
        assert rules == [("scram-sha-256",)]


@pytest.mark.parametrize("kind", [Postgres, Redis])
@pytest.mark.parametrize("killed", [False, True])
def test_a_server_left_over_from_an_earlier_run_makes_way(
    tmp_path: Path, kind: type[Postgres] | type[Redis], killed: bool
) -> None:
    folder = state.prepare(tmp_path / "state")
    first = kind(folder, port=free_port(), password="x", durable=False)
    first.start()
    if killed:
        os.kill(first.pid, signal.SIGKILL)
    second = kind(folder, port=free_port(), password="x", durable=False)
    second.start()
    try:
        assert first.ended()
        assert not second.ended()
    finally:
        second.stop()


def test_a_redis_that_cannot_read_its_data_sets_it_aside_and_starts(tmp_path: Path) -> None:
    folder = state.prepare(tmp_path / "state")
    log = folder / "redis" / "appendonlydir"
    log.mkdir(parents=True)
    (log / "appendonly.aof.manifest").write_text("from another time\n")
    server = Redis(folder, port=free_port(), password="x")
    server.start()
    server.stop()
    aside = [path for path in folder.iterdir() if path.name.startswith("redis-unreadable-")]
    assert [(path / "appendonlydir" / "appendonly.aof.manifest").read_text() for path in aside] == [
        "from another time\n"
    ]
