"""Every setting the line's processes need, for tests that start them."""

from pathlib import Path

from nurseline.local.settings import line_settings

SECRETS = {
    "SECRET_KEY": "only-for-tests-" + "s" * 40,
    "NURSELINE_KEYS": "dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk=",
    "TWILIO_ACCOUNT_SID": "AC" + "0123456789abcdef" * 2,
    "TWILIO_AUTH_TOKEN": "fedcba9876543210" * 2,
}


def settings_for_tests(
    *, database_url: str, redis_url: str, port: int, phone_port: int, state: Path, **changed: str
) -> dict[str, str]:
    """Return the environment of web, worker, beat and phone; `changed` replaces single settings."""
    settings = line_settings(
        {"CLINIC_TIMEZONE": "America/New_York"},
        SECRETS,
        database_url=database_url,
        redis_url=redis_url,
        port=port,
        phone_port=phone_port,
        state=state,
        look={"MESSAGE_HOURS": "00:00-24:00", "STATE_HOURS": "0"},  # tests run at any hour
    )
    return {**settings, "PORT": str(port), **changed}
