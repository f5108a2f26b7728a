"""The benchmarks run, with tiny sizes and on given servers: what they tell, never how fast."""

import json
from pathlib import Path

import psycopg
import pytest
import redis

from nurseline.local.postgres import Postgres
from tests.bench.__main__ import MODULES, chosen, main
from tests.bench.report import Figure, Found, of_blocks, quantile, table
from tests.bench.servers import Servers, Unusable

TINY = {
    "a": "a.planned=300,3000 a.sweeps=4 a.limit=5",
    "b": "b.messages=40 b.rounds=1 b.workers=1 b.latency=0.01",
    "c": "c.per_second=20 c.seconds=1 c.alone=2 c.workers=1",
    "d": "d.injections=40 d.bare=20 d.single=3 d.at_once=16",
    "f": "f.people=6 f.items=30 f.rivals=3",
    "h": "h.open=20 h.past=50 h.pages=3 h.marks=5",
    "g": "g.calls=3 g.seconds=2 g.thinks=0.1",
    "e": "e.patients=10 e.per_second=20 e.again=20 e.workers=1 e.soon=2 e.grace=1 e.visibility=1 e.eta=6",
}


@pytest.fixture
def given(postgres_server: Postgres, redis_url: str) -> dict[str, str]:
    """Servers that somebody else uses, too."""
    return {"DATABASE_URL": postgres_server.url("postgres"), "REDIS_URL": redis_url}


def databases(server: Postgres) -> set[str]:
    url = server.url("postgres").replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(url) as connection:
        return {str(name) for (name,) in connection.execute("SELECT datname FROM pg_database")}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", TINY)
def test_a_benchmark_tells_its_figures_and_leaves_given_servers_as_they_were(
    part: str, given: dict[str, str], postgres_server: Postgres, tmp_path: Path
) -> None:
    before = databases(postgres_server)
    kept = tmp_path / "kept" / "result.json"
    code = main([part, *TINY[part].split(), "--json", str(kept)], given)
    result = json.loads(kept.read_text(encoding="utf-8"))
    found = result["parts"][part]
    assert code == (0 if result["passed"] else 1)
    assert result["machine"].keys() >= {"load", "cores"}
    assert result["servers"]["redis"] == "given"
    assert found["figures"]
    for figure in found["figures"]:
        assert figure.keys() >= {"name", "value", "unit", "baseline", "ratio", "passed"}
    assert any(figure["baseline"] is not None for figure in found["figures"])
    assert databases(postgres_server) == before
    with redis.Redis.from_url(given["REDIS_URL"]) as client:
        assert not client.info("keyspace")


def test_a_redis_database_that_is_in_use_is_not_touched(given: dict[str, str], tmp_path: Path) -> None:
    with redis.Redis.from_url(given["REDIS_URL"]) as client:
        client.set("somebody", "else")
        with Servers(tmp_path, given).broker(databases=2) as broker:
            assert given["REDIS_URL"] not in broker.urls
            broker.lose_everything()
        assert client.get("somebody") == b"else"


def test_a_redis_without_empty_databases_is_refused(given: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="empty"), Servers(tmp_path, given).broker(databases=99):
        pass


def test_a_server_that_does_not_answer_is_one_line(
    free_port: int, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    url = f"postgresql://nobody@127.0.0.1:{free_port}/nothing"
    assert main(["d", "--json", str(tmp_path / "none.json")], {"DATABASE_URL": url}) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_what_makes_no_sense_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["z"], ["a", "a.colour=3"], ["a", "a.sweeps=many"], ["x=1"]):
        assert main(words, {}) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_parts_and_sizes_are_chosen_by_words() -> None:
    assert list(chosen([])) == list(MODULES)
    sizes = chosen(["c", "a", "a.planned=10,20", "c.seconds=1.5", "b.messages=3"])
    assert list(sizes) == ["a", "c"]
    assert sizes["a"].planned == (10, 20)
    assert sizes["c"].seconds == 1.5


@pytest.mark.parametrize(
    ("figure", "passed"),
    [
        (Figure("p99", 12, "ms", 10, at_most=1.3), True),
        (Figure("p99", 14, "ms", 10, at_most=1.3), False),
        (Figure("sent", 6, "messages/s", 10, at_least=0.6), True),
        (Figure("sent", 5, "messages/s", 10, at_least=0.6), False),
        (Figure("late", 2, "s", 1, at_most=3, of="value"), True),
        (Figure("late", 4, "s", 100, at_most=3, of="value"), False),
        (Figure("ratio to nothing", 4, "s", 0, at_most=3), False),
        (Figure("told", 4, "s", 1), None),
    ],
)
def test_a_figure_is_held_against_its_limit(figure: Figure, passed: bool | None) -> None:
    assert figure.passed is passed
    found = Found("x", "a part", [figure])
    assert found.passed is (passed is not False)
    assert ("MISSED" in table([found])) is (passed is False)


def test_one_bad_moment_does_not_decide_a_percentile_of_blocks() -> None:
    calm = [1.0] * 500
    disturbed = [*calm[:200], *([9.0] * 20), *calm[220:]]
    assert quantile(disturbed, 0.99) == 9.0
    assert of_blocks(disturbed, 0.99, 5) == 1.0
    assert of_blocks([9.0, *[1.0] * 9] * 50, 0.99, 5) == 9.0
