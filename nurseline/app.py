"""Wires the parts together. Nothing else does."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from nurseline import intake, language, staff, webhooks
from nurseline.aftercare.calling_off import end_returned
from nurseline.callbacks.refusals import RefusalAlarm
from nurseline.carrier.gateway import PROMPT, TwilioGateway
from nurseline.carrier.recordings import Recordings
from nurseline.carrier.signature import SignatureCheck
from nurseline.clinic import reviews
from nurseline.clinic.hours import HoursError
from nurseline.clinic.service import Clinic, promises_from
from nurseline.clock import Clock, SystemClock
from nurseline.config import Settings, SettingsError, load_settings
from nurseline.consent.allowed import AllowedHours
from nurseline.consent.states import load_state_hours
from nurseline.content import LONGEST, Content, gsm7_length, hours_words, is_gsm7, load_content, segments
from nurseline.crypto import Keyring
from nurseline.db import Database
from nurseline.logs import configure_logging
from nurseline.messaging.rate import SharedRate
from nurseline.messaging.sending import Sender
from nurseline.parts import Parts, attach
from nurseline.wakeups import URGENT, Publisher, Wakeups

FORM_BYTES = 64 * 1024  # far above a real webhook or staff form


def build(settings: Settings, *, clock: Clock | None = None) -> Parts:
    """The parts of one process. Raises SettingsError where settings do not fit together."""
    clock = clock or SystemClock()
    content = load_content()
    keyring = Keyring(settings.keys)
    db = Database(settings.database_url, keyring)
    try:
        clinic = Clinic(db, settings.clinic_hours, settings.zone, promises_from(settings.promises))
    except HoursError as error:
        raise SettingsError(f"CLINIC_HOURS: {error}") from error
    languages = _languages(settings, content)

    facts = {code: _facts(settings, content, code) for code in content.languages}

    def words(content_id: str, language: str) -> tuple[str, str]:
        hours = hours_words(clinic.hours_text(), content, language)
        said = content.render(content_id, language, channel="text", **{**facts[language], "hours": hours})
        return said.text, str(said.version)

    sender = Sender(
        db,
        clock,
        _gateway(settings, width=settings.requests_at_once),
        words,
        _message_hours(settings),
        segments,
        RefusalAlarm(keyring, tuple(filter(None, settings.alert_numbers.split(","))), clinic.hours),
        end_returned,
        SharedRate(settings.redis_url, settings.sender, settings.segments_per_second),
        width=settings.requests_at_once,
    )
    signature = SignatureCheck(settings.public_base_url, settings.auth_tokens)
    recordings = _recordings(settings)
    telephone = _gateway(settings, limits=PROMPT)
    return Parts(
        settings, clock, keyring, db, content, languages, clinic, signature, sender, recordings, telephone
    )


def create_app(settings: Settings | None = None, *, clock: Clock | None = None) -> Flask:
    """The web process: webhooks for the carrier, pages for staff, ``/healthz``."""
    settings = settings or load_settings()
    configure_logging(settings.log_level)
    app = Flask("nurseline", static_folder=None)
    secure = settings.public_base_url.startswith("https://")
    app.config.update(
        SECRET_KEY=settings.secret_key,
        MAX_CONTENT_LENGTH=FORM_BYTES,
        MAX_FORM_MEMORY_SIZE=FORM_BYTES,
        MAX_FORM_PARTS=500,
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_NAME="__Host-nurseline" if secure else "nurseline",
        PERMANENT_SESSION_LIFETIME=timedelta(hours=10),
    )
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign]
    parts = build(settings, clock=clock)
    attach(app, parts)
    Wakeups(partial(Publisher(settings.redis_url).send, queue=URGENT)).follow(parts.db)
    language.load()  # a broken file of a model stops the start, not the first text
    webhooks.register(app)
    intake.register(app, redis_url=settings.redis_url)
    staff.register(app)
    return app


def _message_hours(settings: Settings) -> AllowedHours:
    """When automated messages may go, checked to leave some hours in every state."""
    states = load_state_hours() if settings.state_hours else None
    hours = AllowedHours(settings.allowed_hours, settings.zone, states)
    if (nowhere := hours.never()) is not None:
        raise SettingsError(f"MESSAGE_HOURS: leaves no hour that is allowed by state_hours.toml ({nowhere})")
    return hours


def _gateway(settings: Settings, **more: Any) -> TwilioGateway:
    return TwilioGateway(
        account_sid=settings.twilio_account_sid,
        auth_token=settings.twilio_auth_token,
        api_base_url=settings.twilio_api_base_url,
        public_base_url=settings.public_base_url,
        from_number=settings.twilio_from,
        messaging_service_sid=settings.twilio_messaging_service_sid,
        **more,
    )


def _recordings(settings: Settings) -> Recordings:
    return Recordings(
        account_sid=settings.twilio_account_sid,
        auth_token=settings.twilio_auth_token,
        api_base_url=settings.twilio_api_base_url,
    )


def _facts(settings: Settings, content: Content, language: str) -> dict[str, str]:
    """The clinic's own words about itself, checked to fit into a text message."""
    facts = {**settings.facts, "hours": hours_words(settings.clinic_hours, content, language)}
    for name, longest in LONGEST.items():
        if not is_gsm7(facts[name]) or gsm7_length(facts[name]) > longest:
            plain = "plain letters that every phone shows (GSM-7)"
            setting = "CLINIC_NAME" if name == "clinic" else f"CLINIC_{name.upper()}"
            raise SettingsError(f"{setting}: at most {longest} characters, {plain}")
    return facts


def _languages(settings: Settings, content: Content) -> tuple[str, ...]:
    """English always, others only when every entry of theirs is signed, or in a trial.

    Signatures stand in the files or, as staff gave them on their pages, in the database.
    """
    required = ("en",) if settings.require_signed_content else ()
    wanted = () if settings.offer_unsigned_languages else content.languages[1:]
    is_asked = any(content.unsigned(code) for code in (*required, *wanted))
    stored = reviews.stored(settings.database_url) if is_asked else frozenset()
    signed = stored or frozenset()
    if required and (unsigned := content.unsigned("en", signed)):
        why = ", and signatures in the database could not be read" if stored is None else ""
        raise SettingsError(
            f"REQUIRE_SIGNED_CONTENT: {len(unsigned)} answers have no reviewer,"
            f" the first is {unsigned[0]}{why}"
        )
    unfit = {code for code in wanted if content.unsigned(code, signed)}
    return ("en", *(code for code in content.languages[1:] if code not in unfit))
