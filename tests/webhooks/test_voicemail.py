"""A caller leaves a message, where the clinic takes them and the caller agreed."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
import sqlalchemy as sa

from nurseline.callbacks import voicemail
from nurseline.callbacks.models import CallbackItem, CallbackWords, Voicemail
from nurseline.carrier.recordings import CarrierAwayError, Sound
from tests.webhooks.support import Carrier, heard, new_sid

SOUND = Sound(b"RIFF and what was said", "audio/x-wav")


@pytest.fixture
def taking(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Carrier:
    """The line of a clinic that takes messages."""
    monkeypatch.setenv("VOICEMAIL", "1")
    monkeypatch.setenv("VOICEMAIL_DAYS", "10")
    carrier: Carrier = request.getfixturevalue("carrier")
    return carrier


@dataclass
class Shelf:
    """Recordings at the carrier, which is away as long as a test says so."""

    sounds: dict[str, Sound] = field(default_factory=dict)
    away: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def fetch(self, sid: str) -> Sound | None:
        self._ask("fetch")
        return self.sounds.get(sid)

    def remove(self, sid: str) -> None:
        self._ask("remove")
        self.sounds.pop(sid, None)

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if what in self.away:
            raise CarrierAwayError("away")


def speak(carrier: Carrier, *, agree: str = "1", seconds: str = "12", caller: str = "+12025550123") -> str:
    """Ask for a nurse, agree to be recorded, speak; the sid of the recording."""
    call, recording = new_sid("CA"), new_sid("RE")
    carrier.call(call, 0, caller=caller)
    assert "leave a message" in heard(carrier.call(call, 1, caller=caller, Digits="0"))
    assert "We will record what you say" in heard(carrier.call(call, 2, caller=caller, Digits="1"))
    document = carrier.call(call, 3, caller=caller, Digits=agree)
    record = document.find("Record")
    if record is None:
        return ""
    assert record.attrib["action"].endswith("/voice/step/4")
    form = {"RecordingSid": recording, "RecordingUrl": "https://elsewhere.example.org/x", "Digits": "#"}
    after = carrier.call(call, 4, caller=caller, **form, RecordingDuration=seconds)
    assert "You can hang up now" in heard(after)
    return recording


def rows(carrier: Carrier) -> list[Voicemail]:
    with carrier.parts.db.begin() as session:
        return list(session.scalars(sa.select(Voicemail)))


def fetch(carrier: Carrier, shelf: Shelf, after: timedelta = timedelta(hours=2)) -> int:
    carrier.clock.advance(after)
    return voicemail.fetch_due(carrier.parts.db, carrier.clock, shelf)


def test_voicemail_is_off_unless_the_clinic_turns_it_on(carrier: Carrier) -> None:
    sid = new_sid("CA")
    carrier.call(sid, 0)
    assert "leave a message" not in heard(carrier.call(sid, 1, Digits="0"))


def test_a_spoken_message_belongs_to_the_open_item_of_the_caller(taking: Carrier) -> None:
    sid = speak(taking)
    (row,) = rows(taking)
    with taking.parts.db.begin() as session:
        item = session.scalars(sa.select(CallbackItem)).one()
    assert (row.recording_sid, row.seconds, row.item_id) == (sid, 12, item.id)
    assert item.reason == "nurse"


def test_nothing_is_recorded_without_a_yes(taking: Carrier) -> None:
    assert speak(taking, agree="#") == ""
    assert rows(taking) == []


def test_silence_is_no_message(taking: Carrier) -> None:
    speak(taking, seconds="0")
    assert rows(taking) == []


def test_a_recording_told_of_twice_is_kept_once(taking: Carrier) -> None:
    sid = speak(taking)
    with taking.parts.db.begin() as session:
        call_sid = session.scalars(sa.text("SELECT call_sid FROM calls")).one()  # type: ignore[call-overload]
    report = {"CallSid": call_sid, "RecordingSid": sid, "RecordingDuration": "12"}
    assert taking.post("/voice/recording", report).status_code == 200
    assert len(rows(taking)) == 1


def test_a_hidden_number_may_leave_a_message_too_and_has_an_item_of_its_own(taking: Carrier) -> None:
    call, sid = new_sid("CA"), new_sid("RE")
    taking.call(call, 0, caller="anonymous")
    taking.post("/voice/recording", {"CallSid": call, "RecordingSid": sid, "RecordingDuration": "5"})
    (row,) = rows(taking)
    with taking.parts.db.begin() as session:
        assert session.get_one(CallbackItem, row.item_id).contact_id is None


def test_a_message_that_no_key_opens_is_deleted_at_the_carrier_and_keeps_no_other_there(
    taking: Carrier,
) -> None:
    unread = speak(taking)
    shelf = Shelf({unread: SOUND}, away={"remove"})
    fetch(taking, shelf)
    with taking.parts.db.begin() as session:
        session.execute(sa.text("UPDATE voicemails SET audio = 'x', transcript = 'x'"))
    other = speak(taking, caller="+12025550188")
    shelf.away, shelf.sounds[other] = set(), SOUND
    assert fetch(taking, shelf) == 1
    assert shelf.sounds == {}


def test_the_sound_is_fetched_kept_encrypted_and_deleted_at_the_carrier(taking: Carrier) -> None:
    sid = speak(taking)
    shelf = Shelf({sid: SOUND})
    assert fetch(taking, shelf) == 1
    (row,) = rows(taking)
    assert (row.audio, row.media_type, row.next_try_at) == (SOUND.audio, "audio/x-wav", None)
    assert row.removed_at_carrier is not None
    assert shelf.sounds == {}
    with taking.parts.db.begin() as session:
        stored = session.execute(sa.text("SELECT audio FROM voicemails")).scalar_one()
    assert b"RIFF" not in bytes(stored)
    assert fetch(taking, shelf) == 0
    assert shelf.asked == ["fetch", "remove"], "nothing is left to ask"


def test_a_sound_that_is_not_there_yet_is_asked_for_again_until_it_is(taking: Carrier) -> None:
    sid, shelf = speak(taking), Shelf()
    assert fetch(taking, shelf) == 0
    shelf.sounds[sid] = SOUND
    assert fetch(taking, shelf) == 1


def test_after_a_fault_between_fetching_and_deleting_only_the_deleting_is_done_again(
    taking: Carrier,
) -> None:
    shelf = Shelf({speak(taking): SOUND}, away={"remove"})
    assert fetch(taking, shelf) == 0
    assert rows(taking)[0].audio == SOUND.audio
    shelf.away.clear()
    fetch(taking, shelf)
    assert shelf.asked == ["fetch", "remove", "remove"]
    assert shelf.sounds == {}


def test_a_carrier_that_never_has_it_is_not_asked_for_ever(
    taking: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voicemail, "MOST_TRIES", 3)
    speak(taking)
    shelf = Shelf()
    for _ in range(6):
        fetch(taking, shelf)
    assert len(shelf.asked) == 3


def test_a_message_is_deleted_when_its_time_is_over(taking: Carrier) -> None:
    sid = speak(taking)
    fetch(taking, Shelf({sid: SOUND}))
    taking.post(
        "/voice/transcript",
        {"RecordingSid": sid, "TranscriptionStatus": "completed", "TranscriptionText": "still sore"},
    )
    for days, kept in ((9, True), (2, False)):
        taking.clock.advance(timedelta(days=days))
        with taking.parts.db.begin() as session:
            voicemail.forget_old(session, now=taking.clock.now())
        (row,) = rows(taking)
        assert (row.audio is not None, row.transcript == "still sore") == (kept, kept)


def test_a_transcript_is_deleted_in_time_also_where_its_sound_was_never_fetched(taking: Carrier) -> None:
    form = {"RecordingSid": speak(taking), "TranscriptionStatus": "completed", "TranscriptionText": "sore"}
    taking.post("/voice/transcript", form)
    taking.clock.advance(timedelta(days=11))
    with taking.parts.db.begin() as session:
        voicemail.forget_old(session, now=taking.clock.now())
    assert [row.transcript for row in rows(taking)] == [""]


@pytest.mark.parametrize(
    ("words", "reasons"),
    [
        ("I am having a hard time breathing since the shot", {"nurse", "emergency"}),
        ("my arm is sore please call", {"nurse"}),
    ],
)
def test_a_transcript_meets_the_emergency_check(taking: Carrier, words: str, reasons: set[str]) -> None:
    sid = speak(taking)
    form = {"RecordingSid": sid, "TranscriptionStatus": "completed", "TranscriptionText": words}
    for _ in range(2):
        assert taking.post("/voice/transcript", form).status_code == 200
    with taking.parts.db.begin() as session:
        assert set(session.scalars(sa.select(CallbackItem.reason))) == reasons
    assert rows(taking)[0].transcript == words


def recording_in_progress(carrier: Carrier, caller: str = "+12025550123") -> str:
    """A call that records at this moment."""
    call = new_sid("CA")
    carrier.call(call, 0, caller=caller)
    for step, key in enumerate("011", start=1):
        carrier.call(call, step, caller=caller, Digits=key)
    return call


def transcript(sid: str, words: str, **more: str) -> dict[str, str]:
    return {"RecordingSid": sid, "TranscriptionStatus": "completed", "TranscriptionText": words, **more}


def test_a_transcript_that_comes_before_its_recording_raises_its_emergency_and_is_kept(
    taking: Carrier,
) -> None:
    call, sid = recording_in_progress(taking), new_sid("RE")
    form = transcript(sid, "I can't breathe", CallSid=call)
    for _ in range(2):
        assert taking.post("/voice/transcript", form).status_code == 200
    with taking.parts.db.begin() as session:
        assert set(session.scalars(sa.select(CallbackItem.reason))) == {"nurse", "emergency"}
        assert list(session.scalars(sa.select(CallbackWords.words))) == ["I can't breathe"]
    recorded = {"CallSid": call, "RecordingSid": sid, "RecordingDuration": "7"}
    assert taking.post("/voice/recording", recorded).status_code == 200
    (row,) = rows(taking)
    assert (row.transcript, row.seconds) == ("I can't breathe", 7)


def test_a_transcript_of_which_no_call_is_known_is_asked_for_again(taking: Carrier) -> None:
    form = transcript(new_sid("RE"), "I can't breathe", CallSid=new_sid("CA"))
    assert taking.post("/voice/transcript", form).status_code == 503


def test_transcripts_are_asked_for_only_where_the_clinic_wants_them(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("VOICEMAIL", "1")
    monkeypatch.setenv("VOICEMAIL_TRANSCRIPTS", "1")
    wanting: Carrier = request.getfixturevalue("carrier")
    record = recording_document(wanting).find("Record")
    assert record is not None
    assert record.attrib["transcribeCallback"].endswith("/voice/transcript")


def test_without_that_no_transcript_is_made(taking: Carrier) -> None:
    record = recording_document(taking).find("Record")
    assert record is not None
    assert "transcribe" not in record.attrib
    assert record.attrib["playBeep"] == "true"


def recording_document(carrier: Carrier) -> ET.Element:
    sid = new_sid("CA")
    carrier.call(sid, 0)
    for step, key in enumerate("011", start=1):
        document = carrier.call(sid, step, Digits=key)
    return document
