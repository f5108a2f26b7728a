"""Fixtures for every room: real servers, free ports, processes, Chromium."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser, expect, sync_playwright

from tests.support.chromium import ARGUMENTS, close_windows, find_chromium
from tests.support.line import clock, gateway, parts, same_environment, sender  # noqa: F401 - fixtures
from tests.support.processes import Processes
from tests.support.servers import (  # noqa: F401 - fixtures
    database_url,
    empty_database_url,
    forget_outer_settings,
    free_port,
    migrated_template,
    own_database_url,
    postgres_server,
    redis_server,
    redis_url,
    server_state,
)

forget_outer_settings()
# What is tested is what comes out, never how fast: a busy machine may take its time.
settings.register_profile("any speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any speed")
expect.set_options(timeout=20_000)  # milliseconds; a busy machine draws a page slowly


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium to drive; tests that ask for it are marked `browser`."""
    found = find_chromium()
    if found is None:
        pytest.skip("no Chromium on this machine (`make test` installs one where it can)")
    return found


@pytest.fixture(scope="session")
def running_chromium(chromium: str) -> Iterator[Browser]:
    """The one Chromium of a test process; it takes more than a second to start."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def browser(running_chromium: Browser) -> Iterator[Browser]:
    """A Chromium whose windows know nothing of other tests', and are closed at the end."""
    yield running_chromium
    close_windows(running_chromium)


@pytest.fixture
def processes(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Processes]:
    """Start programs; when the test fails, the ends of their logs are part of its report."""
    running = Processes(tmp_path / "logs")
    yield running
    running.stop_all()
    if getattr(request.node, "failed", False):
        request.node.add_report_section("call", "output of processes", running.report())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Let fixtures know that the test failed."""
    report = yield
    if report.when == "call":
        item.failed = report.failed  # type: ignore[attr-defined]
    return report  # type: ignore[return-value]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave browser tests out, saying so, where there is no Chromium."""
    if find_chromium() is None:
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(pytest.mark.skip(reason="no Chromium on this machine"))
