"""Reading what the control interface is sent, each mistake answered with one clear sentence."""

from __future__ import annotations

import base64
import binascii
from typing import Any, cast

from flask import request

from nurseline.devphone.call import PICKED_UP, Pace
from nurseline.devphone.errors import BadInput
from nurseline.devphone.texting import Picture

MOST_CHARACTERS = 1600
MOST_PICTURES = 10
MOST_PICTURE_BYTES = 5 * 1024 * 1024
_MEDIA = ("image/", "audio/", "video/", "text/", "application/")
_PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


def body(*known: str) -> dict[str, Any]:
    """The JSON object of the request, {} without a body.

    Raises:
        BadInput: when it is not JSON, not an object, or has a key that is not known here.
    """
    if not request.get_data(cache=True):
        return {}
    if request.mimetype != "application/json":
        raise BadInput("Send JSON with the content type application/json.")
    given = request.get_json(silent=True)
    if not isinstance(given, dict):
        raise BadInput("Send a JSON object.")
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise BadInput(f"{unknown[0]!r} is not known here; known are {', '.join(known) or 'none'}.")
    return given


def words(given: Any, name: str, most: int = MOST_CHARACTERS, *, empty: bool = False) -> str:
    """A text a person could have typed or said."""
    if not isinstance(given, str):
        raise BadInput(f"{name} must be text.")
    if "\0" in given:
        raise BadInput(f"{name} may not contain the NUL character.")
    if any(0xD800 <= ord(character) <= 0xDFFF for character in given):
        raise BadInput(f"{name} contains half of a character pair.")
    if len(given) > most:
        raise BadInput(f"{name} may have at most {most} characters, not {len(given)}.")
    if not given.strip() and not empty:
        raise BadInput(f"{name} is empty.")
    return given


def flag(given: Any, name: str) -> bool:
    if not isinstance(given, bool):
        raise BadInput(f"{name} must be true or false.")
    return given


def pace(given: Any) -> Pace:
    if given not in ("hand", "real"):
        raise BadInput("pace must be hand or real.")
    return cast(Pace, given)


def answering(given: Any) -> dict[str, Any]:
    """What a handset does when it is called: how it answers, and after how many seconds."""
    if not isinstance(given, dict) or set(given) - {"answer", "after"}:
        raise BadInput("call must be an object with answer and after.")
    what, after = given.get("answer", "ask"), given.get("after", 0.5)
    if what not in PICKED_UP | {"ask", "busy", "no-answer", "failed"}:
        raise BadInput("answer must be ask, human, machine, fax, unknown, busy, no-answer or failed.")
    if isinstance(after, bool) or not isinstance(after, int | float) or not 0 <= after <= 600:
        raise BadInput("after must be seconds from 0 to 600.")
    return {"answer": what, "after": after}


def since(name: str = "since") -> int:
    """A counter in the query, 0 when absent."""
    text = request.args.get(name, "0")
    if not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise BadInput(f"{name} must be a number from an earlier answer.")
    return int(text)


def pictures(given: Any) -> list[Picture]:
    """Media of a text: [{"content_type", "data" (base64)}]; without data, one pixel."""
    if not isinstance(given, list):
        raise BadInput("media must be a list.")
    if len(given) > MOST_PICTURES:
        raise BadInput(f"A text can carry at most {MOST_PICTURES} media.")
    found = [_picture(item) for item in given]
    if sum(len(picture.data) for picture in found) > MOST_PICTURE_BYTES:
        raise BadInput("The media of a text may have at most 5 MB together.")
    return found


def _picture(item: Any) -> Picture:
    if not isinstance(item, dict) or set(item) - {"content_type", "data"}:
        raise BadInput("Each of media must be an object with content_type and data.")
    content_type, data = item.get("content_type", "image/png"), item.get("data")
    if not isinstance(content_type, str) or not content_type.startswith(_MEDIA):
        raise BadInput("content_type must be a media type such as image/png.")
    if data is None:
        return Picture(content_type, _PIXEL)
    try:
        return Picture(content_type, base64.b64decode(data, validate=True))
    except (TypeError, ValueError, binascii.Error):
        raise BadInput("data must be base64.") from None
