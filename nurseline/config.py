"""Settings: one typed field per environment variable, checked together at start."""

from __future__ import annotations

import re
from datetime import time
from functools import cached_property
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

from phonenumbers import SUPPORTED_REGIONS
from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from nurseline.crypto import Keyring
from nurseline.db import psycopg_url
from nurseline.phone import national, parse, spoken
from nurseline.zones import zone

TWILIO_API = "https://api.twilio.com"
CLINIC_NAME_LONGEST = 30
_SPAN = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
_SHORT_CODE = re.compile(r"[1-9][0-9]{4,5}")


class SettingsError(ValueError):
    """A setting is missing or cannot be used. The text has one line per setting."""


def _address(value: str) -> str:
    parts = urlsplit(value)
    host = parts.hostname or ""
    whole = parts.scheme in {"http", "https"} and host and _port_fits(parts)
    if not whole or parts.query or parts.fragment:
        raise ValueError("must look like https://line.example.org")
    if "_" in host:
        raise ValueError("the carrier calls no host with an underscore in its name")
    return value.rstrip("/")


def _port_fits(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def _base_address(value: str) -> str:
    address = _address(value)
    if "@" in urlsplit(address).netloc:
        raise ValueError("must not hold a name or password")
    return address


def _postgres(value: str) -> str:
    try:
        make_url(psycopg_url(value))
    except (ValueError, ArgumentError):
        raise ValueError("must look like postgresql://name:password@host:5432/database") from None
    return value


def _redis(value: str) -> str:
    if urlsplit(value).scheme not in {"redis", "rediss"} or not urlsplit(value).hostname:
        raise ValueError("must look like redis://host:6379/0")
    return value


def _keys(value: str) -> str:
    Keyring(_parts(value))
    return value


def _regions(value: str) -> str:
    regions = _parts(value.upper())
    if not regions or not SUPPORTED_REGIONS.issuperset(regions):
        raise ValueError("must be a list of two-letter regions such as US,CA")
    return value


def _sender(value: str) -> str:
    if not value or _SHORT_CODE.fullmatch(value):
        return value
    return _diallable(value)


def _parts(value: str) -> tuple[str, ...]:
    """The parts of a comma list."""
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _known_zone(value: str) -> str:
    zone(value)
    return value


def _diallable(value: str) -> str:
    number = parse(value)
    if not number.e164:
        raise ValueError("is not a phone number; write it like +12025550100")
    return number.e164


def _number_list(value: str) -> str:
    return ",".join(_diallable(part.strip()) for part in value.split(",") if part.strip())


def _span(value: str) -> str:
    match = _SPAN.fullmatch(value)
    if not match or int(match[1] + match[2]) >= int(match[3] + match[4]) or int(match[3] + match[4]) > 2400:
        raise ValueError("must look like 09:00-20:00")
    return value


Address = Annotated[str, AfterValidator(_base_address)]
ZoneName = Annotated[str, AfterValidator(_known_zone)]
DialNumber = Annotated[str, AfterValidator(_diallable)]
PostgresAddress = Annotated[str, AfterValidator(_postgres)]
RedisAddress = Annotated[str, AfterValidator(_redis)]
Keys = Annotated[str, AfterValidator(_keys)]
Regions = Annotated[str, AfterValidator(_regions)]
SenderNumber = Annotated[str, AfterValidator(_sender)]
AlertNumbers = Annotated[str, AfterValidator(_number_list)]
DaySpan = Annotated[str, AfterValidator(_span)]


class Settings(BaseSettings):
    """Everything that differs between two installations. Names are the environment's."""

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, case_sensitive=False, env_ignore_empty=True
    )

    database_url: PostgresAddress = Field(description="PostgreSQL address")
    redis_url: RedisAddress = Field(
        "redis://127.0.0.1:6379/0", description="Redis address: wake-ups and counters only"
    )
    public_base_url: Address = Field(
        description="address at which the carrier reaches the line; signatures cover it"
    )
    nurseline_keys: Keys = Field(
        description="comma list of base64 32-byte keys for fields at rest, newest first"
    )
    secret_key: str = Field(min_length=32, description="signs staff sessions; 32 characters or more")

    twilio_account_sid: str = Field(pattern=r"^AC[0-9a-f]{32}$", description="Twilio account")
    twilio_auth_token: str = Field(min_length=8, description="signs webhooks and opens the REST API")
    twilio_auth_token_previous: str = Field("", description="also accepted on webhooks while tokens rotate")
    twilio_from: SenderNumber = Field(
        "", description="the line's number, E.164; or use the messaging service"
    )
    twilio_messaging_service_sid: str = Field(
        "", pattern=r"^(MG[0-9a-f]{32})?$", description="Twilio messaging service"
    )
    twilio_api_base_url: Address = Field(
        TWILIO_API, description="REST address; another host only with the next setting"
    )
    allow_stand_in_carrier: bool = Field(
        False, description="let a local stand-in play the carrier; never in service"
    )

    clinic_name: str = Field(
        "The clinic",
        min_length=1,
        max_length=CLINIC_NAME_LONGEST,
        description="name in every message; neutral",
    )
    clinic_phone: DialNumber = Field(description="number that patients may call")
    clinic_address: str = Field("", max_length=60, description="street address, told to who asks")
    alert_numbers: AlertNumbers = Field(
        "", description="comma list of numbers of staff who get a text when emergency words come in"
    )
    clinic_timezone: ZoneName = Field("America/New_York", description="IANA zone of the clinic")
    clinic_hours: str = Field(
        "Mon-Fri 08:00-17:00",
        description="opening hours; several as 'Mon-Thu 08:00-12:00,13:00-17:00; Fri 08:00-12:00'",
    )
    promise_emergency_minutes: int = Field(
        5, ge=1, le=60, description="minutes, day and night, until somebody calls about an emergency"
    )
    promise_urgent_minutes: int = Field(
        30, ge=10, le=480, description="working minutes in which a call is promised about what is urgent"
    )
    promise_clinical_minutes: int = Field(
        240, ge=15, le=960, description="working minutes in which a nurse's call is promised"
    )
    promise_office_days: int = Field(
        1, ge=1, le=5, description="working days in which a call about visits and the rest is promised"
    )
    clinic_regions: Regions = Field("US", description="comma list of regions whose numbers are answered")
    message_hours: DaySpan = Field(
        "09:00-20:00", description="local hours in which automated messages may go"
    )
    state_hours: bool = Field(
        True, description="keep automated messages to the hours of the state of the number's area code, too"
    )
    # Each ends at the latest when the next message is due, so that the three never overlap.
    aftercare_day_one_until_hours: int = Field(
        36, ge=25, le=72, description="hours after an injection until which the 24 hour message is of use"
    )
    aftercare_day_three_until_hours: int = Field(
        90, ge=73, le=168, description="hours after an injection until which the 72 hour message is of use"
    )
    aftercare_week_one_until_hours: int = Field(
        216, ge=169, le=336, description="hours after an injection until which the one week message is of use"
    )
    voicemail: bool = Field(
        False, description="let callers leave a recorded message once they agreed; a clinic's own decision"
    )
    voicemail_days: int = Field(
        30, ge=1, le=3650, description="days after which a recorded message is deleted"
    )
    voicemail_transcripts: bool = Field(
        False, description="ask Twilio for transcripts of messages (English only; not for HIPAA accounts)"
    )
    offer_unsigned_languages: bool = Field(
        False, description="offer languages that no translator has signed; for trials"
    )
    require_signed_content: bool = Field(False, description="refuse to start while an answer has no reviewer")
    replies_per_ten_minutes: int = Field(
        30,
        ge=5,
        le=1000,
        description="replies to one number before the line goes quiet (never for emergencies)",
    )
    segments_per_second: float = Field(
        1.0,
        ge=0,
        le=10_000,
        description="segments a second that the sender may send; 0 for no limit but the carrier's own",
    )
    requests_at_once: int = Field(
        64,
        ge=1,
        le=200,
        description="messages on their way to the carrier at once, for each worker process",
    )
    text_price: float = Field(
        0.0118,
        ge=0,
        le=10,
        description="dollars that one part of a text costs the clinic; staff see what they spend",
    )
    trusted_proxies: int = Field(
        0, ge=0, le=5, description="how many proxies of the clinic's own stand before the web process"
    )
    staff_totp_required: bool | None = Field(
        None, description="ask every staff member for a code of an app; by default where the address is https"
    )
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="log level")

    @model_validator(mode="after")
    def _together(self) -> Settings:
        if not self.twilio_from and not self.twilio_messaging_service_sid:
            raise ValueError("TWILIO_FROM or TWILIO_MESSAGING_SERVICE_SID is needed")
        address = urlsplit(self.twilio_api_base_url)
        real = (address.hostname or "").endswith(".twilio.com") and address.scheme == "https"
        if not real and not self.allow_stand_in_carrier:
            raise ValueError(
                "TWILIO_API_BASE_URL: is not an https address of Twilio; ALLOW_STAND_IN_CARRIER=1 permits it"
            )
        return self

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Keys for fields at rest, newest first."""
        return _parts(self.nurseline_keys)

    @property
    def totp_required(self) -> bool:
        """Whether nobody signs in by a password alone."""
        if self.staff_totp_required is None:
            return self.public_base_url.startswith("https://")
        return self.staff_totp_required

    @property
    def auth_tokens(self) -> tuple[str, ...]:
        """Tokens that may have signed a webhook."""
        return tuple(token for token in (self.twilio_auth_token, self.twilio_auth_token_previous) if token)

    @property
    def sender(self) -> str:
        """What the carrier counts the rate of: the messaging service, or the number, of this account."""
        return f"{self.twilio_account_sid}:{self.twilio_messaging_service_sid or self.twilio_from}"

    @property
    def regions(self) -> frozenset[str]:
        """ISO regions whose numbers are answered."""
        return frozenset(_parts(self.clinic_regions.upper()))

    @property
    def zone(self) -> ZoneInfo:
        """The clinic's zone."""
        return zone(self.clinic_timezone)

    @property
    def allowed_hours(self) -> tuple[time, time]:
        """First and last local time for automated messages; a last of 00:00 means midnight."""
        first, last = self.message_hours.split("-")
        return _clock_time(first), _clock_time(last)

    @property
    def promises(self) -> dict[str, int]:
        """By when calls are promised until staff set something else."""
        return {
            "emergency_minutes": self.promise_emergency_minutes,
            "urgent_minutes": self.promise_urgent_minutes,
            "clinical_minutes": self.promise_clinical_minutes,
            "office_days": self.promise_office_days,
        }

    @property
    def facts(self) -> dict[str, str]:
        """What the clinic says about itself, for the templates of its content."""
        return {
            "clinic": self.clinic_name,
            "phone": national(self.clinic_phone),
            "phone_spoken": spoken(self.clinic_phone),
            "address": self.clinic_address,
        }


def _clock_time(text: str) -> time:
    hour, minute = (int(part) for part in text.split(":"))
    return time(hour % 24, minute)


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment. Raises SettingsError naming each wrong variable, never its value."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError(_in_lines(error)) from None


class _DatabaseOnly(BaseSettings):
    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True)
    database_url: PostgresAddress


def load_database_url(**overrides: Any) -> str:
    """DATABASE_URL alone, for what needs nothing else. Raises SettingsError if it is missing."""
    try:
        return _DatabaseOnly(**overrides).database_url
    except ValidationError as error:
        raise SettingsError(_in_lines(error)) from None


def _in_lines(wrong: ValidationError) -> str:
    """One line per setting, with its name and never its value."""
    lines = []
    for problem in wrong.errors(include_input=False, include_url=False, include_context=False):
        name = ".".join(str(part) for part in problem["loc"]).upper()
        text = problem["msg"].removeprefix("Value error, ")
        lines.append(f"{name}: {text}" if name else text)
    return "\n".join(lines)
