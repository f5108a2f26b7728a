"""Recordings at Twilio: fetching what a caller said, and deleting it there."""

from __future__ import annotations

from dataclasses import dataclass

import requests

CONNECT_SECONDS, READ_SECONDS = 5.0, 30.0
MOST_BYTES = 20_000_000  # ten minutes of the sound Twilio gives (8 kHz, 16 bit) take ten million
NOT_FOUND = 404
NO_CONTENT = 204


class CarrierAwayError(OSError):
    """The carrier could not be asked, or answered with an error."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A recording: its bytes and their media type."""

    audio: bytes
    media_type: str


class Recordings:
    """Recordings of one account. The address is made from the sid, never taken from a request."""

    def __init__(self, *, account_sid: str, auth_token: str, api_base_url: str) -> None:
        self._folder = f"{api_base_url}/2010-04-01/Accounts/{account_sid}/Recordings"
        self._auth = (account_sid, auth_token)

    def fetch(self, sid: str) -> Sound | None:
        """The sound of a recording; None while, or since, Twilio has none. Raises CarrierAwayError."""
        answer = self._ask("GET", f"{self._folder}/{sid}.wav")
        if answer.status_code == NOT_FOUND:
            return None
        if not answer.ok:
            raise CarrierAwayError(f"the carrier answered {answer.status_code}")
        if len(answer.content) > MOST_BYTES:
            raise CarrierAwayError("the recording is too large")
        return Sound(answer.content, answer.headers.get("Content-Type", "audio/x-wav").split(";")[0])

    def remove(self, sid: str) -> None:
        """Delete a recording; one that is gone already is fine. Raises CarrierAwayError."""
        answer = self._ask("DELETE", f"{self._folder}/{sid}.json")
        if answer.status_code not in {NO_CONTENT, NOT_FOUND} and not answer.ok:
            raise CarrierAwayError(f"the carrier answered {answer.status_code}")

    def _ask(self, method: str, url: str) -> requests.Response:
        try:
            return requests.request(method, url, auth=self._auth, timeout=(CONNECT_SECONDS, READ_SECONDS))
        except requests.RequestException as error:
            raise CarrierAwayError(type(error).__name__) from None
