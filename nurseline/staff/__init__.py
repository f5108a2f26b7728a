"""The pages where nurses and schedulers work the callback queue, enrol injections and read messages."""

from flask import Flask

import nurseline.staff.views.account
import nurseline.staff.views.audit
import nurseline.staff.views.calling
import nurseline.staff.views.clinic
import nurseline.staff.views.contact_changes
import nurseline.staff.views.contacts
import nurseline.staff.views.content
import nurseline.staff.views.enrolment
import nurseline.staff.views.exports
import nurseline.staff.views.imports
import nurseline.staff.views.invitation
import nurseline.staff.views.item_work
import nurseline.staff.views.items
import nurseline.staff.views.lock
import nurseline.staff.views.messages
import nurseline.staff.views.own_phone
import nurseline.staff.views.people
import nurseline.staff.views.queue
import nurseline.staff.views.reports
import nurseline.staff.views.search
import nurseline.staff.views.second_step
import nurseline.staff.views.session
import nurseline.staff.views.settings
import nurseline.staff.views.texting
import nurseline.staff.views.voicemail  # noqa: F401 - each adds its routes to the blueprint
from nurseline.staff import accounts, pages, uploads
from nurseline.staff.access import blueprint

__all__ = ["register"]


def register(app: Flask) -> None:
    """Add the staff pages, and sign-in, to ``app``."""
    uploads.install(app)
    pages.install(app)
    accounts.install(app)
    app.register_blueprint(blueprint)
