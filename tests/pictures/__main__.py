"""`python -m tests.pictures`: pictures of the pages and `docs/pages.md`, from a desk of placeholder people.

Starts servers of its own and stops them. Needs Chromium. Tells how large each picture is.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from nurseline.app import create_app
from nurseline.clock import SetClock
from nurseline.db import upgrade
from nurseline.local import ports, state
from nurseline.local.postgres import Postgres
from nurseline.local.redis import Redis
from nurseline.local.state import PROJECT
from nurseline.staff.commands import insert_account
from tests.e2e.conftest import WEB, Phone
from tests.pictures import seed
from tests.pictures.png import with_few_colours
from tests.staff.conftest import PASSWORD, TUESDAY, Desk, password_hash, staff_settings
from tests.support.chromium import ARGUMENTS, find_chromium
from tests.support.processes import Processes
from tests.support.servers import forget_outer_settings
from tests.support.serving import served
from tests.support.settings import settings_for_tests

FOLDER = PROJECT / "docs" / "pictures" / "pages"
PAGE = PROJECT / "docs" / "pages.md"
WIDTH, HEIGHT, NARROW = 1280, 800, 360
HIGHER = {"patient": 940}  # the thread begins below the answer
MOST_BYTES = 60_000
EMAIL = "ada@example.org"
# name: (title, what it is for)
SHOWN = {
    "sign-in": ("Signing in", "Email and password; then, where it is required, a code from an app."),
    "second-step": ("Setting up the second step", "The app on the phone is tied to the account once."),
    "queue": ("Queue", "What to do next stands on top: emergencies, what is late, then by promised time."),
    "queue-empty": ("Queue, nothing waiting", "What an empty queue says."),
    "queue-360": ("Queue on a phone", "The same rows as cards, 360 pixels wide."),
    "queue-dark": ("Queue in the dark", "The same page where the computer is set to dark."),
    "item": ("Item", "One request: the patient's words, what was promised, and what can be done."),
    "outcome": ("Outcome", "How a claimed item ended; it asks only for what this outcome needs."),
    "patient": ("Patient", "Everything that was written, said, planned and agreed, and an answer by text."),
    "enrol": ("Enrol", "An injection that was performed, and the patient's agreement to messages."),
    "injection": ("Injection", "The three messages that follow an injection, and when each goes."),
    "import": ("Import, looked at", "Each bad row of a file, before anything is imported."),
    "search": ("Search", "Patients by number, name or reference."),
    "messages": ("Messages to check", "What failed, or may not have arrived, until somebody decides."),
    "message": ("One message", "What is known of it, and the decision: send again, or let it be."),
    "account": ("My account", "One's own password, second step, phone, sessions and rights."),
    "clinic": ("Clinic", "Opening hours, holidays and the telephones that ring."),
    "people": ("People", "Who has an account; administrators invite and close."),
    "roles": ("Roles", "What each role may do."),
    "settings": ("Settings", "Promise times and the other figures that an administrator may change."),
    "answers": ("Answers", "The clinic's words, and which of them a clinician still has to sign."),
    "answer": ("One answer", "The exact words for text and call, and the signature."),
    "record": ("Record", "Who saw or did what."),
    "reports": ("Reports", "A day or a month in figures, each with its CSV."),
    "print": ("Print", "The open queue on paper, for a power cut."),
    "phone": ("The phone to try the line with", "Stands in for the carrier while there is none."),
}


@dataclass
class Camera:
    """Takes the pictures. ``complaints``: what browsers had to say, and pictures that are too large."""

    browser: Browser
    base: str
    complaints: list[str] = field(default_factory=list)

    def context(self, **more: Any) -> BrowserContext:
        """A browser of its own, as wide as a desk unless told."""
        shown: dict[str, Any] = {
            "viewport": {"width": WIDTH, "height": HEIGHT},
            "base_url": self.base,
            **more,
        }
        return self.browser.new_context(**shown)

    def page(self, context: BrowserContext) -> Page:
        """A page whose complaints are kept."""
        page = context.new_page()
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    def take(self, page: Page, name: str, path: str = "") -> None:
        """Keep what a page looks like now, or at this address."""
        if path:
            answer = page.goto(path)
            if answer is None or answer.status != 200:
                self.complaints.append(f"{name}: {path} cannot be opened")
        page.wait_for_timeout(300)  # the watching script has asked once
        data = with_few_colours(page.screenshot())
        (FOLDER / f"{name}.png").write_bytes(data)
        print(f"{name}: {len(data) / 1000:.0f} kB", flush=True)
        if len(data) > MOST_BYTES:
            self.complaints.append(f"{name}: {len(data)} bytes")


def sign_in(page: Page) -> None:
    """As somebody does by typing."""
    page.goto("/staff")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Queue", exact=True)).to_be_visible()


def people(desk: Desk) -> str:
    """Accounts; the id of who looks at the pages, who may do everything."""
    with desk.parts.db.begin() as session:
        ada = insert_account(
            session,
            desk.parts,
            email=EMAIL,
            name="Ada",
            role=("nurse", "supervisor", "admin"),
            password_hash=password_hash(),
        )
        found = str(ada.id)
    for name, role in (("Ben", "scheduler"), ("Sue", "supervisor")):  # Bea comes with her work
        desk.account(name, role, f"{name.lower()}@example.org")
    return found


def staff_pages(desk: Desk, camera: Camera) -> None:
    """Every page of the staff desk."""
    ada = people(desk)
    seed.month_before(desk)
    early = camera.page(camera.context())
    early.goto("/staff/sign-in")
    camera.take(early, "sign-in")
    sign_in(early)
    camera.take(early, "queue-empty", "/staff/queue")
    early.context.close()
    item = seed.queue(desk)
    context = camera.context()
    page = camera.page(context)
    sign_in(page)
    camera.take(page, "queue", "/staff/queue")
    kept: Any = context.storage_state()
    for name, more in (
        ("queue-360", {"viewport": {"width": NARROW, "height": HEIGHT}}),
        ("queue-dark", {"color_scheme": "dark"}),
    ):
        other = camera.context(storage_state=kept, **more)
        camera.take(camera.page(other), name, "/staff/queue")
        other.close()
    seed.emergency_is_taken(desk)
    injection, unknown = seed.thread(desk, desk.signed_in("Bea"), ada)
    camera.take(page, "item", f"/staff/items/{item}")
    page.get_by_role("button", name="Claim").click()
    page.get_by_label("Outcome", exact=True).select_option("Reached: scheduled")
    page.evaluate("document.getElementById('outcome-head').scrollIntoView(); scrollBy(0, -24)")
    camera.take(page, "outcome")
    with_addresses(desk, camera, page, {"injection": injection, "message": f"/staff/messages/{unknown}"})
    typed(camera, page)
    context.close()


def with_addresses(desk: Desk, camera: Camera, page: Page, more: dict[str, str]) -> None:
    """The pages that an address opens."""
    contact = desk.contact().id
    addresses = {
        "patient": f"/staff/contacts/{contact}",
        "enrol": f"/staff/injections/new?contact={contact}",
        **more,
        "messages": "/staff/messages",
        "account": "/staff/account",
        "second-step": "/staff/account/second-step",
        "clinic": "/staff/clinic",
        "people": "/staff/people",
        "roles": "/staff/people/rights",
        "settings": "/staff/settings",
        "answers": "/staff/content",
        "answer": "/staff/content/en/answer.recovery",
        "record": "/staff/record",
        "reports": "/staff/reports/2026-02",
        "print": "/staff/queue/print",
    }
    for name, path in addresses.items():
        page.set_viewport_size({"width": WIDTH, "height": HIGHER.get(name, HEIGHT)})
        camera.take(page, name, path)


def typed(camera: Camera, page: Page) -> None:
    """The pages that something typed or handed in leads to."""
    page.goto("/staff/imports")
    file = {"name": "injections.csv", "mimeType": "text/csv", "buffer": seed.TABLE.encode()}
    page.get_by_label("CSV file").set_input_files(file)  # type: ignore[arg-type]
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_role("heading", name="What this file would do")).to_be_visible()
    camera.take(page, "import")
    page.goto("/staff/search")
    page.get_by_label("Phone number, name or reference").fill("bell")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("link", name="Ann Bell")).to_be_visible()
    camera.take(page, "search")


def phone_page(camera: Camera, url: str) -> None:
    """A conversation on the phone that stands in for the carrier."""
    control = Phone(url)
    page = camera.page(camera.context(base_url=url))
    page.goto("/")
    for words in ("hi", "2", "schedule"):
        control.text("+12025550123", words)
    expect(page.get_by_role("log", name="Conversation").get_by_role("listitem")).not_to_have_count(0)
    page.wait_for_timeout(1000)
    camera.take(page, "phone")
    page.context.close()


@contextmanager
def servers(folder: Path) -> Iterator[tuple[Callable[[str], str], str]]:
    """PostgreSQL and Redis; what makes a migrated database and tells its address, and Redis' address."""
    home = state.prepare(folder / "state")
    postgres = Postgres(home, port=ports.free_port(), password="only-for-pictures", durable=False)
    redis = Redis(home, port=ports.free_port(), password="only-for-pictures", durable=False)

    def database(name: str) -> str:
        postgres.create(name)
        upgrade(postgres.url(name))
        return postgres.url(name)

    postgres.start()
    try:
        redis.start()
        try:
            yield database, redis.url()
        finally:
            redis.stop()
    finally:
        postgres.stop()


@contextmanager
def phone_and_line(folder: Path, database_url: str, redis_url: str) -> Iterator[str]:
    """The phone and the web server as processes; the phone's address."""
    port, phone_port = ports.free_port(), ports.free_port()
    env = settings_for_tests(
        database_url=database_url, redis_url=redis_url, port=port, phone_port=phone_port, state=folder
    )
    running = Processes(folder / "logs")
    try:
        phone = running.start("phone", ["python", "-m", "nurseline.devphone"], env)
        web = running.start("web", [*WEB, str(port)], env)
        running.wait_until_answers(phone, f"http://127.0.0.1:{phone_port}/healthz")
        running.wait_until_answers(web, f"http://127.0.0.1:{port}/healthz")
        yield f"http://127.0.0.1:{phone_port}"
    finally:
        running.stop_all()


@contextmanager
def desk_served(database_url: str) -> Iterator[tuple[Desk, str]]:
    """A desk on a Tuesday at eight, and its address."""
    clock = SetClock(TUESDAY - timedelta(hours=2))
    app = create_app(staff_settings(database_url), clock=clock)
    with served(app) as base:
        yield Desk(app, app.extensions["nurseline"], clock), base
    app.extensions["nurseline"].db.engine.dispose()


def written() -> str:
    """The page that shows them."""
    lines = ["# The pages", "", "Made by `python -m tests.pictures` from a desk of placeholder people.", ""]
    for name, (title, what) in SHOWN.items():
        lines += [f"## {title}", "", what, "", f"![{title}](pictures/pages/{name}.png)", ""]
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Make them all; 1 if a browser complained or a picture is too large."""
    forget_outer_settings()
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as temporary,
        servers(folder := Path(temporary)) as (database, redis),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        with desk_served(database("desk")) as (desk, base):
            camera = Camera(browser, base)
            staff_pages(desk, camera)
        with phone_and_line(folder, database("line"), redis) as url:
            phone_page(camera, url)
        browser.close()
    PAGE.write_text(written(), encoding="utf-8")
    missing = [name for name in SHOWN if not (FOLDER / f"{name}.png").exists()]
    for one in [*camera.complaints, *missing]:
        print("COMPLAINT", one)
    return 1 if camera.complaints or missing else 0


if __name__ == "__main__":
    raise SystemExit(main())
