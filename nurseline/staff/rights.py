"""What each role may do: the table that staff read, and that the tests hold every page to.

Nurses assess; schedulers gather and book (AAACN; clinic rules 4). Supervisors also keep the clinic's hours
and words; administrators also keep accounts and settings.
"""

from __future__ import annotations

from dataclasses import dataclass

ROLE_WORDS = {
    "scheduler": "Scheduler",
    "nurse": "Nurse",
    "supervisor": "Supervisor",
    "admin": "Administrator",
}
EVERYBODY = frozenset(ROLE_WORDS)
KEEPERS = frozenset({"supervisor", "admin"})
ADMIN = frozenset({"admin"})


@dataclass(frozen=True, slots=True)
class Right:
    """Something that may be done, by whom. ``views``: modules in `staff.views` whose pages are for it."""

    what: str
    roles: frozenset[str]
    views: tuple[str, ...]


RIGHTS = (
    Right(
        "Work the queue: see, claim, call, record outcomes",
        EVERYBODY,
        ("queue", "items", "item_work", "calling", "voicemail"),
    ),
    Right("See and change what is known about a patient, write to patients", EVERYBODY, ("contacts",)),
    Right("Enrol injections, stop and move aftercare messages", EVERYBODY, ("enrolment",)),
    Right("Find contacts, items and injections", EVERYBODY, ("search",)),
    Right("Import a file of injections", EVERYBODY, ("imports",)),
    Right("Make lists for a spreadsheet", KEEPERS, ("exports",)),
    Right("Decide about messages that did not arrive", EVERYBODY, ("messages",)),
    Right("Keep one's own password, second step, phone and sessions", EVERYBODY, ("account", "own_phone")),
    Right("Lock, unlock and sign out", EVERYBODY, ("lock", "session")),
    Right("Keep opening hours, holidays and the on-call list", KEEPERS, ("clinic",)),
    Right("Review and sign the clinic's answers", KEEPERS, ("content",)),
    Right("Read the record of who saw or did what", KEEPERS, ("audit",)),
    Right("Change promise times and other settings", ADMIN, ("settings",)),
    Right("Invite people, change roles, disable accounts, reset second steps", ADMIN, ("people",)),
)
