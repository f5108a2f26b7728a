"""The telephone exchange: everything the stand-in consists of, wired once."""

from __future__ import annotations

from typing import cast

from flask import Flask

from nurseline.devphone.api_port import ApiPort
from nurseline.devphone.background import Background
from nurseline.devphone.calls import Calls
from nurseline.devphone.faults import Faults
from nurseline.devphone.ledger import Ledger
from nurseline.devphone.settings import HOST, Settings
from nurseline.devphone.texting import Texting
from nurseline.devphone.webhook import Webhooks


class Exchange:
    """The parts and their life: `start` takes up what a restart interrupted, `stop` ends the threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.faults = Faults(settings.faults)
        self.port = settings.port
        self.api_port: ApiPort | None = None
        self.ledger = Ledger(settings.database)
        self.background = Background()
        self.webhooks = Webhooks(settings.auth_token, self.ledger, self.faults)
        self.texting = Texting(
            settings,
            ledger=self.ledger,
            background=self.background,
            webhooks=self.webhooks,
            faults=self.faults,
            address=self.address,
        )
        self.calls = Calls(
            settings,
            ledger=self.ledger,
            background=self.background,
            webhooks=self.webhooks,
            faults=self.faults,
            address=self.address,
        )

    def address(self) -> str:
        """Where this process answers, for links to media and recordings."""
        return f"http://{HOST}:{self.port}"

    def start(self) -> None:
        self.calls.forget_unfinished()
        self.texting.resume()
        if self.api_port is not None:
            self.api_port.open()

    def stop(self) -> None:
        if self.api_port is not None:
            self.api_port.close()
        self.background.stop()
        self.ledger.close()


def exchange_of(app: Flask) -> Exchange:
    return cast(Exchange, app.extensions["devphone"])
