"""What each role may do: the table that staff read, and that the tests hold every page to.

Nurses assess; schedulers gather and book (AAACN; clinic rules 4). Supervisors also keep the clinic's hours
and words; administrators also keep accounts and settings.
"""

from __future__ import annotations

from dataclasses import dataclass

from nurseline.callbacks.rights import NURSES

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
    """Something that may be done, by whom. ``views``: modules in `staff.views` whose pages are for it.

    ``pages``: single pages, which then belong to no other line.
    """

    what: str
    roles: frozenset[str]
    views: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()


RIGHTS = (
    Right(
        "Work the queue: see, claim, call, hand over, record tries that reached nobody",
        EVERYBODY,
        ("queue", "items", "item_work", "calling"),
    ),
    Right("Finish, put off, join, cancel, open again or change office and scheduling items", EVERYBODY),
    Right("The same for emergencies, symptoms and requests for a nurse; record advice given", NURSES),
    Right("Hear recorded messages", EVERYBODY - {"scheduler"}, ("voicemail",)),
    Right(
        "Print the open queue with whole numbers", EVERYBODY - {"scheduler"}, pages=("staff.print_numbers",)
    ),
    Right(
        "Find patients, see and change what is known about them",
        EVERYBODY,
        ("search", "contacts", "contact_changes"),
    ),
    Right("Text patients", EVERYBODY, ("texting",)),
    Right("Enrol injections, one by one or by a file", EVERYBODY, ("enrolment", "imports")),
    Right("Decide about messages that did not arrive", EVERYBODY, ("messages",)),
    Right("Keep one's own password, second step, phone and sessions", EVERYBODY, ("account", "own_phone")),
    Right("Lock, unlock and sign out", EVERYBODY, ("lock", "session")),
    Right("Read reports", KEEPERS, ("reports",)),
    Right("Export lists", KEEPERS, ("exports",)),
    Right("Keep opening hours, holidays and the on-call list", KEEPERS, ("clinic",)),
    Right("Review and sign the clinic's answers", KEEPERS, ("content",)),
    Right("Read the record of who saw or did what", KEEPERS, ("audit",)),
    Right("Change promise times and other settings", ADMIN, ("settings",)),
    Right("Invite people, change roles, close accounts, reset second steps", ADMIN, ("people",)),
)
