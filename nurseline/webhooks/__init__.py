"""What the carrier calls: texts, calls and status reports come in here."""

from flask import Flask

from nurseline.webhooks.views import blueprint


def register(app: Flask) -> None:
    """Add the webhooks to ``app``."""
    app.register_blueprint(blueprint)


__all__ = ["register"]
