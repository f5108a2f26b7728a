"""Settings: each wrong one gives one line that names it, and never shows its value."""

from datetime import time
from typing import Any

import pytest

from nurseline.config import Settings, SettingsError, load_database_url, load_settings
from tests.support.line import settings_for
from tests.support.settings import SECRETS

URL = "postgresql://somebody:a-secret@127.0.0.1:5432/line"
NEEDED = ("DATABASE_URL", "PUBLIC_BASE_URL", "NURSELINE_KEYS", "SECRET_KEY", "TWILIO_ACCOUNT_SID")
ALSO_NEEDED = ("TWILIO_AUTH_TOKEN", "CLINIC_PHONE")

WRONG = [
    ("database_url", "mysql://somebody:a-secret@127.0.0.1/line"),
    ("database_url", "postgresql://somebody:a-secret@127.0.0.1:many/line"),
    ("database_url", "a-secret"),
    ("redis_url", "http://127.0.0.1:6379"),
    ("redis_url", "127.0.0.1:6379"),
    ("redis_url", "redis://"),
    ("public_base_url", "a-secret.example.net"),
    ("public_base_url", "ftp://line.example.org"),
    ("public_base_url", "https://"),
    ("public_base_url", "https://line.example.org?x=1"),
    ("public_base_url", "https://line.example.org#rc=2"),
    ("public_base_url", "https://line_one.example.org"),
    ("public_base_url", "https://user:a-secret@line.example.org"),
    ("public_base_url", "https://line.example.org:99999"),
    ("public_base_url", "https://line.example.org:port"),
    ("nurseline_keys", "not-a-key"),
    ("nurseline_keys", SECRETS["NURSELINE_KEYS"] + ",short"),
    ("nurseline_keys", ","),
    ("secret_key", "too short a secret"),
    ("twilio_account_sid", "AC123"),
    ("twilio_account_sid", "XX" + "0" * 32),
    ("twilio_account_sid", "AC" + "0" * 32 + "\n"),
    ("twilio_auth_token", "short"),
    ("twilio_from", "the clinic"),
    ("twilio_from", "+1"),
    ("twilio_messaging_service_sid", "MG123"),
    ("clinic_phone", "call us"),
    ("clinic_phone", "911"),
    ("clinic_timezone", "New York"),
    ("clinic_timezone", "../../etc/localtime"),
    ("clinic_timezone", "EST5EDT\x00"),
    ("clinic_name", "x" * 31),
    ("clinic_address", "x" * 61),
    ("clinic_regions", "USA"),
    ("clinic_regions", "US,XX"),
    ("clinic_regions", ","),
    ("message_hours", "9-20"),
    ("message_hours", "20:00-09:00"),
    ("message_hours", "09:00-09:00"),
    ("message_hours", "09:00-24:30"),
    ("message_hours", "24:00-24:00"),
    ("message_hours", "09:60-20:00"),
    ("message_hours", "09:00-20:00\n"),
    ("allow_stand_in_carrier", "perhaps"),
    ("require_signed_content", "perhaps"),
    ("replies_per_ten_minutes", "many"),
    ("replies_per_ten_minutes", "4"),
    ("replies_per_ten_minutes", "1001"),
    ("log_level", "LOUD"),
    ("twilio_api_base_url", "http://127.0.0.1:8010"),
    ("twilio_api_base_url", "https://twilio.com.example.org"),
    ("twilio_api_base_url", "https://nottwilio.com"),
    ("twilio_api_base_url", "http://api.twilio.com"),
    ("twilio_api_base_url", "https://api.twilio.com@evil.example.org"),
    ("twilio_api_base_url", "api.twilio.com"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_setting_gives_one_line_that_names_it_and_hides_its_value(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        settings_for(**{"database_url": URL, name: value})
    said = str(refused.value)
    assert said.startswith(name.upper()), said
    assert "\n" not in said
    assert (
        len(value) <= 8 or value not in said
    )  # what is shorter may stand in the example that the line gives
    assert "a-secret" not in said


def test_the_environment_is_read_by_the_names_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, MESSAGE_HOURS="08:30-24:00", CLINIC_REGIONS=" us, ca ", CLINIC_NAME="")
    read = load_settings()
    assert read.database_url == URL
    assert read.allowed_hours == (time(8, 30), time(0))
    assert read.regions == {"US", "CA"}
    assert read.clinic_name == "The clinic", "an empty variable is one that is not set"
    assert read.clinic_phone == "+12025550100"
    assert read.auth_tokens == (SECRETS["TWILIO_AUTH_TOKEN"],)


def test_each_setting_that_is_missing_has_its_line() -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings()
    lines = str(refused.value).splitlines()
    assert sorted(line.split(":")[0] for line in lines) == sorted(NEEDED + ALSO_NEEDED)


def test_several_wrong_settings_are_told_together() -> None:
    with pytest.raises(SettingsError) as refused:
        settings_for(URL, clinic_phone="x", message_hours="x", clinic_timezone="x")
    lines = str(refused.value).splitlines()
    assert sorted(line.split(":")[0] for line in lines) == [
        "CLINIC_PHONE",
        "CLINIC_TIMEZONE",
        "MESSAGE_HOURS",
    ]


def test_a_sender_is_needed_number_or_service() -> None:
    with pytest.raises(SettingsError, match="TWILIO_FROM or TWILIO_MESSAGING_SERVICE_SID"):
        settings_for(URL, twilio_from="")
    service = "MG" + "0" * 32
    assert settings_for(URL, twilio_from="", twilio_messaging_service_sid=service).twilio_from == ""
    assert settings_for(URL, twilio_from="24273").twilio_from == "24273"
    assert settings_for(URL, twilio_from="(202) 555-0123").twilio_from == "+12025550123"


@pytest.mark.parametrize("allowed", [True, "1", "true"])
def test_a_stand_in_for_the_carrier_needs_the_setting_made_for_it(allowed: Any) -> None:
    stand_in = "http://127.0.0.1:8010"
    with pytest.raises(SettingsError, match="ALLOW_STAND_IN_CARRIER"):
        settings_for(URL, twilio_api_base_url=stand_in, allow_stand_in_carrier=False)
    given = settings_for(URL, twilio_api_base_url=stand_in, allow_stand_in_carrier=allowed)
    assert given.twilio_api_base_url == stand_in


@pytest.mark.parametrize("host", ["https://api.twilio.com", "https://api.dublin.ie1.twilio.com/"])
def test_addresses_of_twilio_need_no_setting(host: str) -> None:
    assert settings_for(URL, twilio_api_base_url=host).twilio_api_base_url == host.rstrip("/")


def test_the_carrier_is_twilio_unless_told_otherwise() -> None:
    assert settings_for(URL).twilio_api_base_url == "https://api.twilio.com"
    assert not settings_for(URL).allow_stand_in_carrier


def test_both_tokens_count_while_they_rotate() -> None:
    assert settings_for(URL, twilio_auth_token_previous="the-old-token").auth_tokens == (
        SECRETS["TWILIO_AUTH_TOKEN"],
        "the-old-token",
    )


@pytest.mark.parametrize(
    ("value", "span"),
    [
        ("09:00-20:00", (time(9), time(20))),
        ("00:00-24:00", (time(0), time(0))),
        ("08:15-21:45", (time(8, 15), time(21, 45))),
    ],
)
def test_allowed_hours_are_read_as_times(value: str, span: tuple[time, time]) -> None:
    assert settings_for(URL, message_hours=value).allowed_hours == span


def test_settings_do_not_change_and_keep_keys_apart() -> None:
    first = SECRETS["NURSELINE_KEYS"]
    given = settings_for(URL, nurseline_keys=f" {first} , {first},")
    assert given.keys == (first, first)
    with pytest.raises(ValueError, match="frozen"):
        given.clinic_name = "Another"  # type: ignore[misc]


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize(
    "value", ["", "mysql://a-secret@127.0.0.1/line", "postgresql://a-secret@127.0.0.1:x/line"]
)
def test_the_database_address_alone_is_checked_too(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("DATABASE_URL", value)
    with pytest.raises(SettingsError, match=r"^DATABASE_URL: [^\n]+$") as refused:
        load_database_url()
    assert "a-secret" not in str(refused.value)
    monkeypatch.setenv("DATABASE_URL", URL)
    assert load_database_url() == URL


def set_all(monkeypatch: pytest.MonkeyPatch, **more: str) -> None:
    """Everything that is needed, as variables of the environment."""
    needed = {
        **SECRETS,
        "DATABASE_URL": URL,
        "PUBLIC_BASE_URL": "https://line.example.org/",
        "TWILIO_FROM": "+15005550006",
        "CLINIC_PHONE": "(202) 555-0100",
    }
    for name, value in {**needed, **more}.items():
        monkeypatch.setenv(name, value)
