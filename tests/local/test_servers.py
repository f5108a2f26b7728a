"""The servers of our own: real ones, on loopback, in one folder."""

import psycopg
import redis

from nurseline.local.postgres import Postgres


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
