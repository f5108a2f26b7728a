"""The endpoint on the app of the staff tests, a system with a key, and resources to send."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest
from werkzeug.test import TestResponse

from nurseline.intake import keys
from tests.staff.conftest import Desk, desk, make_desk  # noqa: F401 - fixtures

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p1",
    "name": [{"use": "official", "given": ["Ann"], "family": "Bell"}],
    "telecom": [{"system": "phone", "use": "mobile", "value": "(202) 555-0123"}],
}
PROCEDURE: dict[str, Any] = {
    "resourceType": "Procedure",
    "extension": [{"url": "urn:nurseline:agreed-to-messages", "valueBoolean": True}],
    "identifier": [{"system": "urn:oid:2.999.1", "value": "V-1"}],
    "status": "completed",
    "code": {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "20553"}]},
    "subject": {"reference": "Patient/p1"},
    "performedDateTime": "2026-03-03T09:30:20-05:00",
}
APPOINTMENT: dict[str, Any] = {
    "resourceType": "Appointment",
    "extension": [{"url": "urn:nurseline:agreed-to-messages", "valueBoolean": True}],
    "identifier": [{"system": "urn:oid:2.999.2", "value": "A-1"}],
    "status": "fulfilled",
    "serviceType": [{"text": "Trigger point injection, neck"}],
    "start": "2026-03-03T09:00:00-05:00",
    "end": "2026-03-03T09:45:00-05:00",
    "participant": [
        {"actor": {"reference": "Practitioner/7"}, "status": "accepted"},
        {"actor": {"reference": "Patient/p1"}, "status": "accepted"},
    ],
}


def changed(resource: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The resource with other fields; None leaves one out."""
    copy = {**deepcopy(resource), **fields}
    return {name: value for name, value in copy.items() if value is not None}


def bundle(*resources: Any, kind: str = "batch") -> dict[str, Any]:
    """A Bundle of these resources."""
    entries = [{"resource": one, "request": {"method": "POST", "url": "x"}} for one in resources]
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


@dataclass
class System:
    """A system of the clinic with its key."""

    desk: Desk
    key: str

    def send(self, body: Any, **headers: str) -> TestResponse:
        """Send a Bundle (or bytes as they are) as FHIR."""
        sent = {"data": body} if isinstance(body, bytes) else {"json": body}
        return self.desk.app.test_client().post(
            "/fhir",
            headers={
                "Authorization": f"Bearer {self.key}",
                "Content-Type": "application/fhir+json",
                **headers,
            },
            **sent,
        )

    def answers(self, *resources: Any, kind: str = "batch") -> list[tuple[str, str]]:
        """Send resources; status and words of the answer to each."""
        response = self.send(bundle(*resources, kind=kind))
        assert response.status_code == 200, response.text
        told = [entry["response"] for entry in response.json["entry"]]
        return [(one["status"][:3], one["outcome"]["issue"][0]["diagnostics"]) for one in told]


@pytest.fixture
def system(desk: Desk) -> System:  # noqa: F811
    """The clinic's own system."""
    with desk.parts.db.begin() as session:
        key = keys.add(session, desk.parts.keyring, "our EHR", by="test", now=desk.clock.now())
    return System(desk, key)
