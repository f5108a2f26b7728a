"""Who may hand in: keys that are shown once, stored hashed, limited, and revoked at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from limits import RateLimitItemPerHour

from nurseline.aftercare.models import Injection
from nurseline.commands import cli
from nurseline.intake import bundle as bundles
from nurseline.intake import keys, views
from nurseline.intake.models import ApiKey
from tests.intake.conftest import PATIENT, PROCEDURE, System, bundle
from tests.staff.conftest import Desk


def row(desk: Desk) -> ApiKey:
    with desk.parts.db.begin() as session:
        return session.scalars(sa.select(ApiKey)).one()


def run(desk: Desk, *words: str) -> Result:
    """A command on the database of the test."""
    group = cli.commands["keys"]
    return CliRunner().invoke(group, list(words), obj=lambda: desk.parts)


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer x", "Basic bnVyc2VsaW5lOng=", "Bearer nurseline_" + "a" * 43, "Bearer \u00e9"],
)
def test_without_a_valid_key_nothing_is_read(system: System, header: str) -> None:
    response = system.send(b"{", Authorization=header)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert response.json["issue"][0]["code"] == "login"


def test_a_key_is_stored_as_a_keyed_hash_and_its_use_is_noted(system: System) -> None:
    before = row(system.desk)
    assert system.key not in before.key_hash
    assert before.last_used_at is None
    system.send(bundle())
    assert row(system.desk).last_used_at == system.desk.clock.now()


def test_a_revoked_key_is_refused_at_once(system: System) -> None:
    assert system.send(bundle(PATIENT, PROCEDURE)).status_code == 200
    with system.desk.parts.db.begin() as session:
        keys.revoke(session, "our EHR", now=system.desk.clock.now())
    assert system.send(bundle(PATIENT, PROCEDURE)).status_code == 401


def test_too_many_requests_are_told_to_wait(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "PER_KEY", RateLimitItemPerHour(2))
    assert [system.send(bundle()).status_code for _ in range(3)] == [200, 200, 429]
    monkeypatch.setattr(views, "PER_ADDRESS", RateLimitItemPerHour(2))
    refused = [system.send(bundle(), Authorization="Bearer x") for _ in range(3)]
    assert [one.status_code for one in refused] == [401, 401, 429]
    assert int(refused[-1].headers["Retry-After"]) > 0


def test_processes_count_together(
    make_desk: Callable[..., Desk], redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "PER_KEY", RateLimitItemPerHour(3))
    one, other = make_desk(redis_url=redis_url), make_desk(redis_url=redis_url)
    with one.parts.db.begin() as session:
        key = keys.add(session, one.parts.keyring, "our EHR", by="test", now=one.clock.now())
    turns = [System(desk, key) for desk in (one, other, one, other)]
    assert [system.send(bundle()).status_code for system in turns] == [200, 200, 200, 429]


def test_only_fhir_is_taken(system: System) -> None:
    assert system.send(b"<Bundle/>", **{"Content-Type": "application/fhir+xml"}).status_code == 415
    assert system.desk.app.test_client().get("/fhir").status_code == 405


def test_too_large_a_body_is_refused(system: System) -> None:
    response = system.send(b" " * (bundles.MOST_BYTES + 1))
    assert response.status_code == 413
    assert response.json["issue"][0]["code"] == "too-costly"


def test_a_larger_body_than_any_form_is_taken(system: System) -> None:
    more = [{"resourceType": "Basic", "id": "x" * 60} for _ in range(498)]
    response = system.send(json.dumps(bundle(PATIENT, PROCEDURE, *more), indent=8).encode())
    assert response.status_code == 200
    assert response.json["entry"][1]["response"]["status"] == "201 Created"


def test_something_unforeseen_is_told_without_details_and_keeps_nothing(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("+12025550123")

    monkeypatch.setattr(views, "read", broken)
    response = system.send(bundle(PATIENT, PROCEDURE))
    assert response.status_code == 500
    assert "555" not in response.text
    with system.desk.parts.db.begin() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Injection)) == 0


def test_a_key_is_made_listed_and_revoked_by_command(desk: Desk) -> None:
    made = run(desk, "add", "our  EHR", "--json")
    key = json.loads(made.output)["key"]
    with desk.parts.db.begin() as session:
        holder = keys.holder_of(session, desk.parts.keyring, key, now=desk.clock.now())
        assert holder is not None
        assert holder.actor == "system:our EHR"
    assert "there is a key of our EHR already" in run(desk, "add", "our EHR").output
    desk.clock.advance(timedelta(minutes=5))
    listed = run(desk, "list").output
    assert "our EHR" in listed
    assert key not in listed
    assert run(desk, "revoke", "our EHR").exit_code == 0
    assert "revoked" in run(desk, "list").output
    assert run(desk, "revoke", "our EHR").exit_code == 1
    assert run(desk, "add", "our EHR").exit_code == 0


@pytest.mark.parametrize("name", ["", "   ", "x" * 51, "a\0b", "a\nb\x1b"])
def test_a_key_needs_a_name_that_can_be_shown(desk: Desk, name: str) -> None:
    assert run(desk, "add", name).exit_code == 1
    assert run(desk, "list").output == "no keys\n"


def test_staff_see_which_system_enrolled(system: System) -> None:
    system.send(bundle(PATIENT, PROCEDURE))
    assert "our EHR" in system.desk.signed_in().get("/staff/injections").text
