"""Tables of the watch."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from nurseline.db import Base, UtcDateTime


class Heartbeat(Base):
    """When a queue was last worked: written by a task that came through the broker, so it proves the way."""

    __tablename__ = "heartbeats"

    queue: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    alarmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # people were last told that it stopped
