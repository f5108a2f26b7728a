"""Loading and rendering: a fault names the file, the entry and what is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurseline.content import CLINIC_PARAMS, ContentError, load_content, parse_content
from nurseline.content.load import FOLDER

ENGLISH = (FOLDER / "en.toml").read_text("utf-8")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("\n[about]\n", "\n[about\n", "en.toml: is not valid TOML"),
        ('code = "en"', 'code = "fr"', "does not match the file's name"),
        (
            "[entry.welcome]\nlabel",
            "[entry.welcome]\ncolour = 1\nlabel",
            "welcome: has an unknown field 'colour'",
        ),
        ("version = 1", "version = 0", "welcome: version must be"),
        ("version = 1", "version = true", "welcome: version must be"),
        ('label = "Welcome"\n', "", "welcome: label must be words"),
        ('label = "Welcome"', "label = 3", "welcome: label must be words"),
        ('reviewer = ""', 'reviewer = "R. N."', "welcome: reviewer and reviewed_on go together"),
        (
            'reviewer = ""\nreviewed_on = ""',
            'reviewer = "x"\nreviewed_on = "May 3"',
            "welcome: reviewed_on must look like",
        ),
        ("{clinic} nurse line.", "{clinic nurse line.", "welcome: text has a brace"),
        ("{clinic} nurse line.", "{} nurse line.", "welcome: text has a brace"),
        ("[entry.welcome]", '[entry."Wel come"]', "an id is lower-case words"),
        ("{clinic} nurse line.", "  {clinic} nurse line.", "welcome: text has blanks at its ends"),
        ("{clinic} nurse line.", "{clinic}\\u0007 nurse line.", "control characters"),
        (
            'today = "today by {time}"',
            'today = "today by {hour}"',
            "calendar.text: today must use exactly time",
        ),
        ("parts = { 0 =", "parts = { 1 =", "calendar.text: parts must give words for hours"),
        ("12 = ", "24 = ", "calendar.text: parts must give words for hours"),
        ('12 = "PM"', "12 = 3", "calendar.text: 12 must be words"),
        ('weekdays = ["Monday", ', "weekdays = [", "calendar.text: needs 7 weekdays"),
        ('quotes = [\n  "that', 'quotes = [ 3,\n  "that', "quotes must be a list of texts"),
    ],
)
def test_a_fault_in_a_file_is_told_with_file_entry_and_reason(old, new, says):
    assert old in ENGLISH
    with pytest.raises(ContentError) as error:
        parse_content({"en.toml": ENGLISH.replace(old, new, 1)})
    assert says in str(error.value)
    assert error.value.file == "en.toml"


def test_without_english_there_is_no_content():
    with pytest.raises(ContentError, match=r"en\.toml: is missing"):
        parse_content({"es.toml": ENGLISH})


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({}, "needs a value for {promise}"),
        ({"promise": " "}, "needs a value for {promise}"),
        ({"promise": "today", "colour": "red"}, "does not use a parameter 'colour'"),
        ({"promise": "{clinic}"}, "has a brace"),
        ({"promise": "today\nSTOP"}, "control character"),
    ],
)
def test_a_message_is_never_rendered_with_a_hole(params, says):
    with pytest.raises(ContentError) as error:
        load_content().render("schedule.done", **params)
    assert says in str(error.value)


def test_clinic_facts_may_always_be_given():
    facts = dict.fromkeys(CLINIC_PARAMS, "x")
    assert load_content().render("menu", **facts).text.startswith("How can we help?")


def test_voice_words_are_used_on_the_phone_where_they_differ():
    content = load_content()
    assert "911" in content.render("emergency").text
    assert "nine one one" in content.render("emergency", channel="voice").text
    assert content.render("answer.what", channel="voice").text == content.render("answer.what").text


def test_an_unknown_id_or_language_is_told():
    with pytest.raises(ContentError, match=r"en\.toml: answer\.nothing: no such entry"):
        load_content().get("answer.nothing")
    with pytest.raises(ContentError, match=r"xx\.toml"):
        load_content().get("menu", "xx")


def test_content_cannot_be_changed_by_accident():
    content = load_content()
    with pytest.raises(TypeError):
        content.by_language["en"] = None
    with pytest.raises(TypeError):
        content.by_language["en"].entries["menu"] = None


@given(st.text(max_size=40))
def test_any_value_is_rendered_whole_or_refused(value):
    content = load_content()
    try:
        text = content.render("schedule.done", promise=value).text
    except ContentError:
        return
    assert value in text
    assert "{promise}" not in text
