"""Where the clinic's own system hands in injections that were performed: FHIR R4, with a key."""

from flask import Flask, Response, request

from nurseline.counting import Counters
from nurseline.intake import models_of_fhir
from nurseline.intake.views import COUNTERS, blueprint, take_bundle

__all__ = ["register"]


def register(app: Flask, *, redis_url: str) -> None:
    """Add the endpoint to ``app``: before the staff pages, whose sign-in looks into every body."""
    models_of_fhir.load()
    app.extensions[COUNTERS] = Counters(redis_url)
    app.register_blueprint(blueprint)
    app.before_request(_answer_first)


def _answer_first() -> Response | None:
    return take_bundle() if request.endpoint == "intake.take_bundle" else None
