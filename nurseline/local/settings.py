"""The environment in which the line's processes run on this machine, with the stand-in for the carrier."""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from nurseline.local.ports import LOOPBACK

LINE_NUMBER = "+15005550006"
# Whoever runs the line for patients sets these.
PLACEHOLDERS = {
    "CLINIC_NAME": "Your Clinic",
    "CLINIC_PHONE": "+12025550100",
    "CLINIC_HOURS": "Mon-Fri 08:00-17:00",
}
FOR_A_LOOK = {
    # Another handset of the phone page: there the alert about an emergency arrives.
    "ALERT_NUMBERS": "+12025550199",
    # A newcomer's reminder goes at any hour; in service the default keeps to the day.
    "MESSAGE_HOURS": "00:00-24:00",
    "STATE_HOURS": "0",
    # So that there is a second language to look at before a translator has signed it.
    "OFFER_UNSIGNED_LANGUAGES": "1",
    # One person looks at one page: quick to start, and little to read past.
    "WEB_PROCESSES": "1",
    "WORKER_PROCESSES": "1",
    "LOG_LEVEL": "WARNING",
}
FALLBACK_ZONE = "America/New_York"
# The clinics this line is for; a machine set to UTC, as servers are, says nothing about the clinic.
UNITED_STATES = re.compile(
    r"America/(New_York|Detroit|Chicago|Menominee|Denver|Boise|Phoenix|Los_Angeles|Anchorage|Juneau|Sitka|Metlakatla"
    r"|Yakutat|Nome|Adak|Kentucky/\w+|Indiana/\w+|North_Dakota/\w+)|Pacific/Honolulu"
)
ALWAYS_OURS = re.compile(r"(TWILIO|DEVPHONE|GRANIAN)_\w+|PUBLIC_BASE_URL|ALLOW_STAND_IN_CARRIER|PORT|HOST")


def line_settings(
    outer: Mapping[str, str],
    secrets: Mapping[str, str],
    *,
    database_url: str,
    redis_url: str,
    port: int,
    phone_port: int,
    state: Path,
    look: Mapping[str, str] = FOR_A_LOOK,
) -> dict[str, str]:
    """Return every setting of the line and of the phone.

    The clinic's own settings and the keys of `outer` (whoever typed `make run`) win over placeholders and
    generated ones; the carrier is always the stand-in.
    """
    line = f"http://{LOOPBACK}:{port}"
    own = {name: outer.get(name) or secrets[name] for name in ("SECRET_KEY", "NURSELINE_KEYS")}
    chosen = {name: outer.get(name) or value for name, value in {**PLACEHOLDERS, **look}.items()}
    chosen["CLINIC_TIMEZONE"] = outer.get("CLINIC_TIMEZONE") or machine_zone(outer)
    return {
        **own,
        **chosen,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "PUBLIC_BASE_URL": line,
        "TWILIO_ACCOUNT_SID": secrets["TWILIO_ACCOUNT_SID"],
        "TWILIO_AUTH_TOKEN": secrets["TWILIO_AUTH_TOKEN"],
        "TWILIO_FROM": LINE_NUMBER,
        "TWILIO_API_BASE_URL": f"http://{LOOPBACK}:{phone_port}",
        "ALLOW_STAND_IN_CARRIER": "1",
        "SEGMENTS_PER_SECOND": "0",  # the stand-in keeps no rate
        "DEVPHONE_PORT": str(phone_port),
        "DEVPHONE_LINE_URL": line,
        "DEVPHONE_NUMBER": LINE_NUMBER,
        "DEVPHONE_STATE": str(state / "devphone"),
        "NURSELINE_STATE": str(state),
    }


def process_environment(
    outer: Mapping[str, str], settings: Mapping[str, str], *, port: int
) -> dict[str, str]:
    """Return the environment of a process: the outer one without another carrier, and the settings."""
    kept = {name: value for name, value in outer.items() if not ALWAYS_OURS.fullmatch(name)}
    programs = str(Path(sys.executable).parent)
    return {
        **kept,
        **settings,
        "PORT": str(port),
        "PATH": os.pathsep.join((programs, outer.get("PATH", os.defpath))),
        "PYTHONUNBUFFERED": "1",
    }


def machine_zone(outer: Mapping[str, str] = os.environ, local_time: Path = Path("/etc/localtime")) -> str:
    """Return the zone this machine is set to where it is one of the United States, else New York's."""
    named = outer.get("TZ", "").removeprefix(":")
    linked = str(local_time.resolve()).partition("zoneinfo/")[2]
    return next((zone for zone in (named, linked) if UNITED_STATES.fullmatch(zone)), FALLBACK_ZONE)
