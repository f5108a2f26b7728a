"""What a state folder keeps, and the settings made from it."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurseline.local import settings, state

VALUES = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=40)


@given(st.dictionaries(st.from_regex(r"[A-Z][A-Z_]{0,9}", fullmatch=True), VALUES, max_size=4))
def test_settings_written_are_the_settings_read(
    tmp_path_factory: pytest.TempPathFactory, given_settings: dict[str, str]
) -> None:
    folder = tmp_path_factory.mktemp("state")
    state.write_env(folder, given_settings)
    assert state.read_env(folder) == given_settings


def test_a_shell_reads_the_settings_as_they_are(tmp_path: Path) -> None:
    state.write_env(tmp_path, {"CLINIC_NAME": 'The "Clinic" & Sons\' $HOME `pwd`'})
    done = subprocess.run(
        ["sh", "-c", f'. {tmp_path}/run.env; printf %s "$CLINIC_NAME"'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == 'The "Clinic" & Sons\' $HOME `pwd`'


def test_without_a_run_there_are_no_settings(tmp_path: Path) -> None:
    assert state.read_env(tmp_path / "none") == {}


def test_secrets_are_made_once_and_a_new_kind_is_added(tmp_path: Path) -> None:
    first = state.generated(tmp_path)
    assert len(set(first.values())) == len(first)
    assert state.generated(tmp_path) == first
    kept = [
        line for line in (tmp_path / "secrets.env").read_text().splitlines() if not line.startswith("REDIS")
    ]
    (tmp_path / "secrets.env").write_text("\n".join(kept) + "\n")
    again = state.generated(tmp_path)
    assert again["NURSELINE_KEYS"] == first["NURSELINE_KEYS"]
    assert again["REDIS_PASSWORD"] != first["REDIS_PASSWORD"]


def test_the_folder_is_named_by_the_environment_or_lies_in_the_project() -> None:
    assert state.state_folder({}) == state.PROJECT / ".state"
    assert state.state_folder({"NURSELINE_STATE": "/srv/line"}) == Path("/srv/line")


def made(outer: dict[str, str]) -> dict[str, str]:
    secrets = {
        "SECRET_KEY": "s",
        "NURSELINE_KEYS": "k",
        "TWILIO_ACCOUNT_SID": "AC0",
        "TWILIO_AUTH_TOKEN": "t",
    }
    return settings.line_settings(
        outer, secrets, database_url="d", redis_url="r", port=1, phone_port=2, state=Path("/srv/line")
    )


def test_the_clinics_own_settings_win_over_placeholders() -> None:
    outer = {"CLINIC_NAME": "The Clinic", "CLINIC_TIMEZONE": "America/Denver", "NURSELINE_KEYS": "own"}
    assert {name: made(outer)[name] for name in outer} == outer
    assert made({})["CLINIC_NAME"] == "Your Clinic"


def test_the_carrier_is_always_the_stand_in() -> None:
    outer = {
        "TWILIO_ACCOUNT_SID": "AC1",
        "TWILIO_API_BASE_URL": "https://api.twilio.com",
        "PUBLIC_BASE_URL": "https://x",
    }
    chosen = made(outer)
    assert (chosen["TWILIO_ACCOUNT_SID"], chosen["TWILIO_API_BASE_URL"]) == ("AC0", "http://127.0.0.1:2")
    whole = settings.process_environment(
        {**outer, "TWILIO_MESSAGING_SERVICE_SID": "MG1", "HOME": "/h"}, chosen, port=1
    )
    assert "TWILIO_MESSAGING_SERVICE_SID" not in whole
    assert (whole["HOME"], whole["PORT"], whole["PUBLIC_BASE_URL"]) == ("/h", "1", "http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("named", "linked", "zone"),
    [
        ("", "/usr/share/zoneinfo/America/Chicago", "America/Chicago"),
        ("", "/usr/share/zoneinfo/America/Indiana/Knox", "America/Indiana/Knox"),
        ("America/Denver", "/usr/share/zoneinfo/America/Chicago", "America/Denver"),
        (":Pacific/Honolulu", "/usr/share/zoneinfo/Etc/UTC", "Pacific/Honolulu"),
        ("", "/usr/share/zoneinfo/Etc/UTC", "America/New_York"),
        ("", "/usr/share/zoneinfo/America/Toronto", "America/New_York"),
        ("EST5EDT", "/usr/share/zoneinfo/Europe/Berlin", "America/New_York"),
    ],
)
def test_the_zone_is_the_machines_where_that_is_in_the_united_states(
    named: str, linked: str, zone: str
) -> None:
    assert settings.machine_zone({"TZ": named}, Path(linked)) == zone
