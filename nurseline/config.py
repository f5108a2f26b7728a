"""Settings: one typed field per environment variable, checked together at start."""

from __future__ import annotations

import re
from datetime import time
from functools import cached_property
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from nurseline.crypto import Keyring
from nurseline.phone import national, parse, spoken
from nurseline.zones import zone

TWILIO_API = "https://api.twilio.com"
CLINIC_NAME_LONGEST = 30
_SPAN = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")


class SettingsError(ValueError):
    """A setting is missing or cannot be used. The text has one line per setting."""


def _address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must look like https://line.example.org")
    if "_" in parts.hostname:
        raise ValueError("the carrier calls no host with an underscore in its name")
    return value.rstrip("/")


def _known_zone(value: str) -> str:
    zone(value)
    return value


def _diallable(value: str) -> str:
    number = parse(value)
    if not number.e164:
        raise ValueError("is not a phone number; write it like +12025550100")
    return number.e164


def _span(value: str) -> str:
    match = _SPAN.fullmatch(value)
    if not match or int(match[1] + match[2]) >= int(match[3] + match[4]) or int(match[3] + match[4]) > 2400:
        raise ValueError("must look like 09:00-20:00")
    return value


Address = Annotated[str, AfterValidator(_address)]
ZoneName = Annotated[str, AfterValidator(_known_zone)]
DialNumber = Annotated[str, AfterValidator(_diallable)]
DaySpan = Annotated[str, AfterValidator(_span)]


class Settings(BaseSettings):
    """Everything that differs between two installations. Names are the environment's."""

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, case_sensitive=False, env_ignore_empty=True
    )

    database_url: str = Field(description="PostgreSQL address")
    redis_url: str = Field(
        "redis://127.0.0.1:6379/0", description="Redis address: wake-ups and counters only"
    )
    public_base_url: Address = Field(
        description="address at which the carrier reaches the line; signatures cover it"
    )
    nurseline_keys: str = Field(
        description="comma list of base64 32-byte keys for fields at rest, newest first"
    )
    secret_key: str = Field(min_length=32, description="signs staff sessions; 32 characters or more")

    twilio_account_sid: str = Field(pattern=r"^AC[0-9a-f]{32}$", description="Twilio account")
    twilio_auth_token: str = Field(min_length=8, description="signs webhooks and opens the REST API")
    twilio_auth_token_previous: str = Field("", description="also accepted on webhooks while tokens rotate")
    twilio_from: str = Field("", description="the line's number, E.164; or use the messaging service")
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
    clinic_timezone: ZoneName = Field("America/New_York", description="IANA zone of the clinic")
    clinic_hours: str = Field(
        "Mon-Fri 08:00-17:00",
        description="opening hours; several as 'Mon-Thu 08:00-12:00,13:00-17:00; Fri 08:00-12:00'",
    )
    clinic_regions: str = Field("US", description="comma list of regions whose numbers are answered")
    message_hours: DaySpan = Field(
        "09:00-20:00", description="local hours in which automated messages may go"
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
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="log level")

    @model_validator(mode="after")
    def _together(self) -> Settings:
        Keyring(self.keys)
        if not self.twilio_from and not self.twilio_messaging_service_sid:
            raise ValueError("TWILIO_FROM or TWILIO_MESSAGING_SERVICE_SID is needed")
        host = urlsplit(self.twilio_api_base_url).hostname or ""
        real = host == "api.twilio.com" or host.endswith(".twilio.com")
        if not real and not self.allow_stand_in_carrier:
            raise ValueError(
                f"TWILIO_API_BASE_URL names {host}, which is not Twilio; ALLOW_STAND_IN_CARRIER=1 permits it"
            )
        return self

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Keys for fields at rest, newest first."""
        return tuple(key.strip() for key in self.nurseline_keys.split(",") if key.strip())

    @property
    def auth_tokens(self) -> tuple[str, ...]:
        """Tokens that may have signed a webhook."""
        return tuple(token for token in (self.twilio_auth_token, self.twilio_auth_token_previous) if token)

    @property
    def regions(self) -> frozenset[str]:
        """ISO regions whose numbers are answered."""
        return frozenset(part.strip().upper() for part in self.clinic_regions.split(",") if part.strip())

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
        lines = []
        for problem in error.errors(include_input=False, include_url=False):
            name = ".".join(str(part) for part in problem["loc"]).upper()
            text = problem["msg"].removeprefix("Value error, ")
            lines.append(f"{name}: {text}" if name else text)
        raise SettingsError("\n".join(lines)) from None


class _DatabaseOnly(BaseSettings):
    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True)
    database_url: str


def load_database_url() -> str:
    """DATABASE_URL alone, for what needs nothing else. Raises SettingsError if it is missing."""
    try:
        return _DatabaseOnly().database_url
    except ValidationError:
        raise SettingsError("DATABASE_URL: is needed") from None
