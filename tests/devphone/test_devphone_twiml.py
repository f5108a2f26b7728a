"""The TwiML reader is strict where Twilio's builder is not."""

import pytest
from twilio.twiml.voice_response import Gather, VoiceResponse

from nurseline.devphone import attributes, twiml
from nurseline.devphone.grammar import root

OURS = frozenset({"+12015550123", "+12025550123"})


def problems(xml, channel="voice"):
    document = twiml.read(f"<Response>{xml}</Response>", channel)
    return [p.code for p in document.problems + attributes.problems(document.verbs, OURS)]


def test_the_grammar_is_what_the_sdk_can_build():
    voice, text = root("voice"), root("text")
    assert {"Say", "Gather", "Dial", "Record", "Redirect", "Hangup", "Reject", "Pause", "Play"} <= set(
        voice.children
    )
    assert set(text.children) == {"Message", "Redirect"}
    gather = voice.children["Gather"]
    assert set(gather.children) == {"Say", "Play", "Pause"}
    assert {"input", "numDigits", "finishOnKey", "actionOnEmptyResult", "speechTimeout"} <= gather.attributes
    assert not gather.text
    assert voice.children["Say"].children["break"].attributes == {"strength", "time"}
    assert "xml:lang" in voice.children["Say"].children["lang"].attributes


@pytest.mark.parametrize(
    "xml",
    [
        "<Say voice='Polly.Joanna-Neural' language='en-US' loop='2'>Press <break time='300ms'/> one</Say>",
        "<Say voice='Google.es-US-Neural2-A' language='es-US'>Hola</Say>",
        "<!-- a comment --><Pause/><Pause length='3'/>",
        "<Gather input='dtmf speech' numDigits='1' timeout='10' speechTimeout='2' hints='one, two'"
        " finishOnKey=''>"
        "<Say>Hello</Say><Play>/a.wav</Play></Gather>",
        "<Dial timeout='20' callerId='+12015550123'><Number url='/whisper'>+12025550199</Number></Dial>",
        "<Dial>+12025550199</Dial>",
        "<Record maxLength='60' transcribe='true' transcribeCallback='/t' playBeep='true'/>",
        "<Redirect method='GET'>/voice</Redirect>",
        "<Reject reason='busy'/>",
        "",
    ],
)
def test_what_twilio_documents_is_allowed(xml):
    assert problems(xml) == []


def test_a_document_of_the_builder_is_read_as_it_was_built():
    response = VoiceResponse()
    gather = Gather(num_digits=1, action="/menu", action_on_empty_result=True)
    gather.say("For aftercare, press 1.", voice="Polly.Joanna")
    response.append(gather)
    document = twiml.read(str(response), "voice")
    assert document.problems == []
    (verb,) = document.verbs
    assert verb.attributes == {"numDigits": "1", "action": "/menu", "actionOnEmptyResult": "true"}
    assert [child.text for child in verb.children] == ["For aftercare, press 1."]


@pytest.mark.parametrize(
    ("xml", "code"),
    [
        # verbs and nesting
        ("<Shout>hello</Shout>", 12200),
        ("<say>hello</say>", 12200),
        ("<Message>hello</Message>", 12200),
        ("<Gather><Dial>+12025550199</Dial></Gather>", 13320),
        ("<Gather><Redirect>/voice</Redirect></Gather>", 13320),
        ("<Gather><Gather/></Gather>", 13320),
        ("<Dial><Say>hello</Say></Dial>", 13215),
        ("<Say>hello<Pause/></Say>", 12200),
        ("<Hangup>now</Hangup>", 12200),
        ("<Gather>words outside Say</Gather>", 12200),
        ("loose words", 12200),
        # attributes
        ("<Say volume='11'>hello</Say>", 12200),
        ("<Gather numdigits='1'/>", 12200),
        ("<Gather bargein='true'/>", 12200),
        ("<Redirect timeout='3'>/voice</Redirect>", 12200),
        # values
        ("<Gather input='voice'/>", 13326),
        ("<Gather timeout='0'/>", 13313),
        ("<Gather timeout='soon'/>", 13313),
        ("<Gather numDigits='0'/>", 13314),
        ("<Gather numDigits='one'/>", 13314),
        ("<Gather finishOnKey='##'/>", 13310),
        ("<Gather method='PUT'/>", 13312),
        ("<Gather speechTimeout='never'/>", 13327),
        ("<Gather speechTimeout='auto' speechModel='phone_call'/>", 13335),
        ("<Gather hints='" + ",".join(["x"] * 501) + "'/>", 13330),
        ("<Gather hints='" + "x" * 101 + "'/>", 13330),
        ("<Gather language='english'/>", 13331),
        ("<Say></Say>", 13520),
        ("<Say>" + "x" * 4097 + "</Say>", 13521),
        ("<Say voice='Polly.Joanna'>" + "x" * 3001 + "</Say>", 13521),
        ("<Say voice='robot'>hello</Say>", 13511),
        ("<Say voice='Google.es-US-Neural2-A' language='en-US'>hello</Say>", 13512),
        ("<Say loop='-1'>hello</Say>", 13510),
        ("<Pause length='0'/>", 13910),
        ("<Play loop='x'>/a.wav</Play>", 13410),
        ("<Play/>", 12200),
        ("<Redirect method='DELETE'>/voice</Redirect>", 13710),
        ("<Reject reason='rude'/>", 12200),
        ("<Record timeout='x'/>", 13611),
        ("<Record maxLength='0'/>", 13612),
        ("<Record transcribe='true' maxLength='300'/>", 13615),
        ("<Record playBeep='maybe'/>", 13616),
        ("<Dial timeout='601'>+12025550199</Dial>", 13212),
        ("<Dial callerId='+12025550177'>+12025550199</Dial>", 13214),
        ("<Dial>the nurse</Dial>", 13223),
        ("<Dial/>", 13223),
        ("<Dial><Number>x</Number></Dial>", 13223),
        ("<Dial>" + "<Number>+12025550199</Number>" * 11 + "</Dial>", 13215),
        ("<Dial><Number sendDigits='x'>+12025550199</Number></Dial>", 13222),
        ("<Dial><Number statusCallbackEvent='answerd'>+12025550199</Number></Dial>", 12200),
    ],
)
def test_what_twilio_does_not_document_is_a_problem(xml, code):
    assert problems(xml)[:1] == [code]


@pytest.mark.parametrize(
    "text", ["", "<Response>", "not xml", "<Response/><Response/>", "<Response>\x00</Response>"]
)
def test_what_is_not_xml_cannot_be_parsed(text):
    assert [problem.code for problem in twiml.read(text, "voice").problems] == [12100]
