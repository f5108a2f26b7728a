"""Reminders the common way: one Celery task each, held back by its ``eta``, and Celery's own settings.

VISIBILITY_SECONDS in the environment compresses the hour after which Redis gives out again what no worker
has acknowledged, so that a benchmark need not last a day.
"""

from __future__ import annotations

import os
import uuid
from functools import cache

from celery import Celery

from nurseline.carrier.gateway import TwilioGateway

app = Celery("common", broker=os.environ["REDIS_URL"])
if compressed := os.environ.get("VISIBILITY_SECONDS"):
    app.conf.broker_transport_options = {"visibility_timeout": int(compressed)}


@cache
def gateway() -> TwilioGateway:
    """One per process, as the line has it."""
    return TwilioGateway(
        account_sid=os.environ["TWILIO_ACCOUNT_SID"],
        auth_token=os.environ["TWILIO_AUTH_TOKEN"],
        api_base_url=os.environ["TWILIO_API_BASE_URL"],
        public_base_url=os.environ["PUBLIC_BASE_URL"],
        from_number=os.environ["TWILIO_FROM"],
    )


@app.task(name="send_reminder")
def send_reminder(number: str, words: str, reference: str) -> None:
    """Send one reminder."""
    gateway().send(to=number, body=words, reference=uuid.UUID(reference))
