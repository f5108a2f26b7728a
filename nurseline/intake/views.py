"""``POST /fhir``: a Bundle from a system that has a key."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

import structlog
from flask import Blueprint, Response, current_app, request
from limits import RateLimitItem, RateLimitItemPerMinute
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import RequestEntityTooLarge

from nurseline.counting import Counters
from nurseline.intake import bundle
from nurseline.intake.answers import Issue, outcome, response_bundle
from nurseline.intake.codes import load_codes
from nurseline.intake.keys import Holder, holder_of
from nurseline.intake.reading import Terms, read
from nurseline.intake.service import NotAllError, carry_out
from nurseline.parts import current_parts

log = structlog.get_logger(__name__)
blueprint = Blueprint("intake", __name__)
FHIR_JSON = "application/fhir+json; charset=utf-8"
TAKEN_TYPES = frozenset({"application/fhir+json", "application/json"})
# A bound on work, not a means against guessing, which 256 bits are.
PER_KEY: RateLimitItem = RateLimitItemPerMinute(120, 1, namespace="intake-key")
PER_ADDRESS: RateLimitItem = RateLimitItemPerMinute(30, 10, namespace="intake-refused")
COUNTERS = "nurseline.intake"  # of an app: what its processes count together


def answer(plain: dict[str, Any], status: int, **headers: str) -> Response:
    """A resource as the body of an answer."""
    response = Response(json.dumps(plain), status=status, content_type=FHIR_JSON)
    response.headers["Cache-Control"] = "no-store"
    for name, value in headers.items():
        response.headers[name.replace("_", "-")] = value
    return response


def _refuse(status: HTTPStatus, code: str, text: str, **headers: str) -> Response:
    return answer(outcome(Issue(code, text)), status, **headers)


def _always_fhir(view: Callable[[], Response]) -> Callable[[], Response]:
    """Whatever happens, the other system gets an OperationOutcome, and no log holds what it sent."""

    @wraps(view)
    def guarded() -> Response:
        try:
            return view()
        except RequestEntityTooLarge:
            limit = f"At most {bundle.MOST_BYTES // 1024 // 1024} MB are taken."
            return _refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-costly", limit)
        except OperationalError:
            log.warning("intake.busy")
            text = "The database is busy. Send it again."
            return _refuse(HTTPStatus.SERVICE_UNAVAILABLE, "transient", text, Retry_After="5")
        except Exception as error:
            log.error("intake.failed", error=type(error).__name__)
            text = "This is our mistake. Nothing half-done was kept."
            return _refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "exception", text)

    return guarded


@blueprint.post("/fhir")
@_always_fhir
def take_bundle() -> Response:
    """Enrol the injections of a Bundle, and call off those that were taken back."""
    request.max_content_length = bundle.MOST_BYTES
    holder = _holder()
    if isinstance(holder, Response):
        return holder
    if request.mimetype not in TAKEN_TYPES:
        return _refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not-supported", "application/fhir+json is needed.")
    parts = current_parts()
    terms = Terms(
        parts.settings.regions,
        parts.languages,
        parts.settings.clinic_timezone,
        load_codes(),
        parts.clock.now(),
    )
    try:
        taken = bundle.take(request.get_data(cache=False))
        answers = carry_out(parts, holder.actor, read(taken, terms), all_or_none=taken.all_or_none)
    except bundle.BundleError as error:
        return answer(outcome(error.issue), HTTPStatus.BAD_REQUEST)
    except NotAllError as error:
        log.info("intake.refused", key=str(holder.id), issues=len(error.issues))
        return answer(outcome(*error.issues), HTTPStatus.UNPROCESSABLE_ENTITY)
    enrolled = sum(one.status == HTTPStatus.CREATED for one in answers)
    log.info("intake.taken", key=str(holder.id), entries=len(answers), enrolled=enrolled)
    return answer(response_bundle(taken.answer_type, answers), HTTPStatus.OK)


def _holder() -> Holder | Response:
    """Who has the key of this request; else the answer that refuses it."""
    parts = current_parts()
    address = request.remote_addr or ""
    counters: Counters = current_app.extensions[COUNTERS]
    if not counters.test(PER_ADDRESS, address):
        return _too_many("600")
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    holder = None
    if scheme.casefold() == "bearer":
        with parts.db.begin() as session:
            holder = holder_of(session, parts.keyring, key.strip(), now=parts.clock.now())
    if holder is None:
        counters.hit(PER_ADDRESS, address)
        log.warning("intake.unknown_key")
        text = "A valid key is needed: Authorization: Bearer …"
        return _refuse(HTTPStatus.UNAUTHORIZED, "login", text, WWW_Authenticate='Bearer realm="fhir"')
    if not counters.hit(PER_KEY, str(holder.id)):
        return _too_many("60")
    return holder


def _too_many(seconds: str) -> Response:
    return _refuse(HTTPStatus.TOO_MANY_REQUESTS, "throttled", "Too many requests.", Retry_After=seconds)
