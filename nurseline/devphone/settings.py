"""The environment this process is started with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from nurseline.devphone.errors import BadInput
from nurseline.devphone.fault_plan import UNREACHABLE, Plan, read_plan_text
from nurseline.devphone.numbers import e164

HOST = "127.0.0.1"


class SettingsError(ValueError):
    """A setting is missing or wrong; the message is one line for the person who started the process."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the line is, which number it has, and the account it is reached with."""

    port: int
    line_url: str
    number: str
    state: Path
    account_sid: str
    auth_token: str
    api_port: int | None = None
    in_memory: bool = False
    faults: Plan = field(default_factory=Plan)

    def checked(self) -> Settings:
        """Itself.

        Raises:
            SettingsError: when settings do not go together.
        """
        if UNREACHABLE in self.faults.rules and self.api_port is None:
            raise SettingsError(f"DEVPHONE_FAULTS: {UNREACHABLE} needs DEVPHONE_API_PORT")
        return self

    @property
    def database(self) -> Path | None:
        """The ledger's file: the state itself if it names a file, else a file in that folder."""
        if self.in_memory:  # no file at all
            return None
        if self.state.suffix in {".sqlite", ".sqlite3", ".db"} or self.state.is_file():
            return self.state
        return self.state / "devphone.sqlite"


def _needed(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "").strip()
    if not value:
        raise SettingsError(f"{name} is not set")
    return value


def _port(env: Mapping[str, str], name: str) -> int:
    text = _needed(env, name)
    if not text.isdecimal() or not text.isascii() or not 1 <= int(text) <= 65535:
        raise SettingsError(f"{name} must be a port from 1 to 65535, not {text!r}")
    return int(text)


def _line_url(text: str) -> str:
    parts = urlsplit(text)
    try:
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment:
        raise SettingsError(f"DEVPHONE_LINE_URL must be an http or https address, not {text!r}")
    return text.rstrip("/")


def from_environment(env: Mapping[str, str]) -> Settings:
    """Reads and checks the settings.

    Raises:
        SettingsError: with the name of the first setting that is missing or wrong.
    """
    number = e164(_needed(env, "DEVPHONE_NUMBER"))
    if number is None:
        raise SettingsError("DEVPHONE_NUMBER must be a phone number such as +12015550123")
    account_sid = _needed(env, "TWILIO_ACCOUNT_SID")
    if not re.fullmatch(r"AC[0-9A-Za-z]{32}", account_sid):
        raise SettingsError("TWILIO_ACCOUNT_SID must be AC followed by 32 letters or digits")
    return Settings(
        port=_port(env, "DEVPHONE_PORT"),
        line_url=_line_url(_needed(env, "DEVPHONE_LINE_URL")),
        number=number,
        state=Path(_needed(env, "DEVPHONE_STATE")),
        account_sid=account_sid,
        auth_token=_needed(env, "TWILIO_AUTH_TOKEN"),
        api_port=_port(env, "DEVPHONE_API_PORT") if env.get("DEVPHONE_API_PORT", "").strip() else None,
        in_memory=_in_memory(env.get("DEVPHONE_LEDGER", "").strip()),
        faults=_faults(env.get("DEVPHONE_FAULTS", "").strip()),
    ).checked()


def _in_memory(text: str) -> bool:
    if text not in {"", "file", "memory"}:
        raise SettingsError(f"DEVPHONE_LEDGER must be file or memory, not {text!r}")
    return text == "memory"


def _faults(text: str) -> Plan:
    try:
        return read_plan_text(text)
    except BadInput as error:
        raise SettingsError(f"DEVPHONE_FAULTS: {error}") from None
