"""The workers' modules in the process of the tests: they read their settings when they are imported."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

from tests.support.settings import settings_for_tests

# Nobody listens there: nothing in these tests may reach a server by the settings.
NOWHERE = settings_for_tests(
    database_url="postgresql://nobody@127.0.0.1:1/none",
    redis_url="redis://127.0.0.1:1/0",
    port=1,
    phone_port=2,
    state=Path("none"),
)


def imported(name: str) -> ModuleType:
    """This module of the workers."""
    with patch.dict(os.environ, NOWHERE):
        return importlib.import_module(name)
