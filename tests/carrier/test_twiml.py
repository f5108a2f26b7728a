"""The documents that answer texts and calls."""

import xml.etree.ElementTree as ET

import pytest

from nurseline.carrier.twiml import Listen, Prompt, Reply, Speech, ask, farewell, messages

ACTION = "https://line.example.org/voice/step/1"
ODD = 'Tom & Jerry <b>"quoted"</b> \'n \u00a1s\u00ed! 5 > 3'


def test_a_text_without_an_answer_is_an_empty_response() -> None:
    document = ET.fromstring(messages([]))
    assert document.tag == "Response"
    assert list(document) == []
    assert not (document.text or "").strip()


def test_each_reply_is_a_message_with_the_address_for_its_reports() -> None:
    document = ET.fromstring(
        messages([Reply("one", "https://line.example.org/status?ref=1&x=2"), Reply(ODD)])
    )
    first, second = document
    assert (first.tag, first.text) == ("Message", "one")
    assert first.attrib == {"statusCallback": "https://line.example.org/status?ref=1&x=2"}
    assert (second.text, second.attrib) == (ODD, {})


def test_a_question_waits_for_a_key_and_never_ends_on_a_dead_line() -> None:
    document = ET.fromstring(ask([Prompt(ODD, "en"), Prompt("Hola", "es")], Listen(ACTION)))
    gather, redirect = document
    assert gather.tag == "Gather"
    assert gather.attrib == {
        "input": "dtmf",
        "action": ACTION,
        "method": "POST",
        "timeout": "10",
        "numDigits": "1",
        "finishOnKey": "",
        "actionOnEmptyResult": "true",
    }
    assert [(say.tag, say.text, say.attrib["language"]) for say in gather] == [
        ("Say", ODD, "en-US"),
        ("Say", "Hola", "es-US"),
    ]
    assert len({say.attrib["voice"] for say in gather}) == 2
    assert (redirect.tag, redirect.text, redirect.attrib) == ("Redirect", ACTION, {"method": "POST"})


def test_words_are_taken_beside_keys_in_the_language_of_the_prompt() -> None:
    likely = ("doing well", "yes, please", "w" * 150)
    document = ET.fromstring(ask([Prompt("Hola", "es")], Listen(ACTION, speech=Speech("es", likely))))
    gather = document[0]
    assert (gather.attrib["input"], gather.attrib["numDigits"]) == ("dtmf speech", "1")
    assert (gather.attrib["language"], gather.attrib["speechTimeout"]) == ("es-US", "2")
    assert gather.attrib["hints"] == f"doing well, yes  please, {'w' * 100}", "a comma would part a phrase"
    assert gather.attrib["profanityFilter"] == "false", "stars could hide what is wrong"


def test_a_number_is_keyed_until_the_hash_key() -> None:
    gather = ET.fromstring(ask([Prompt("Your number", "en")], Listen(ACTION, None, 20)))[0]
    assert gather.attrib["finishOnKey"] == "#"
    assert gather.attrib["timeout"] == "20"
    assert "numDigits" not in gather.attrib


def test_a_farewell_is_said_before_the_call_ends() -> None:
    document = ET.fromstring(farewell([Prompt("Goodbye", "en"), Prompt("Adi\u00f3s", "es")]))
    assert [verb.tag for verb in document] == ["Say", "Say", "Hangup"]


def test_a_language_without_a_voice_is_an_error_of_ours_not_silence() -> None:
    with pytest.raises(KeyError):
        farewell([Prompt("Hallo", "de")])
