"""What the carrier calls: texts, calls and status reports come in here."""

from flask import Flask

from nurseline.webhooks.guard import voice_in_twiml
from nurseline.webhooks.views import blueprint


def register(app: Flask) -> None:
    """Add the webhooks to ``app``."""
    app.register_blueprint(blueprint)
    app.after_request(voice_in_twiml)


__all__ = ["register"]
