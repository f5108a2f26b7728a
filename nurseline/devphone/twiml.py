"""Reading a TwiML document strictly: what Twilio's builder lets pass is a problem here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree

from nurseline.devphone import codes
from nurseline.devphone.grammar import Rule, root
from nurseline.devphone.signing import Channel

_XML = "{http://www.w3.org/XML/1998/namespace}"
# Elements whose text is free of rules about emptiness, and SSML, where text and elements mix.
_INLINE = frozenset({"lang", "p", "prosody", "s", "emphasis", "w", "sub", "say-as", "phoneme", "break"})


@dataclass(frozen=True, slots=True)
class Problem:
    """Something the document may not contain."""

    code: int
    detail: str

    @property
    def message(self) -> str:
        return codes.text(self.code)


@dataclass(frozen=True, slots=True)
class Element:
    """One verb or noun; `raw` is its own and its inline elements' text as written."""

    name: str
    attributes: Mapping[str, str]
    raw: str
    children: tuple[Element, ...] = ()

    @property
    def text(self) -> str:
        """The text with single spaces."""
        return re.sub(r"\s+", " ", self.raw).strip()


@dataclass(slots=True)
class Document:
    """The verbs in order, and everything wrong with them."""

    verbs: tuple[Element, ...] = ()
    problems: list[Problem] = field(default_factory=list)


def read(text: str, channel: Channel) -> Document:
    """Reads a document; a document that cannot be parsed has no verbs and one problem."""
    stripped = text.lstrip("\ufeff")
    if "<!DOCTYPE" in stripped.upper():
        return Document(problems=[Problem(12100, "A document type is not allowed.")])
    try:
        # Without a document type there are no entities to blow up, and the answer is at most 64 kB.
        tree = ElementTree.fromstring(stripped)  # noqa: S314
    except (ElementTree.ParseError, ValueError) as error:
        return Document(problems=[Problem(12100, str(error))])
    if tree.tag != "Response":
        return Document(problems=[Problem(12102, f"The root element is <{tree.tag}>.")])
    document = Document()
    top = _element(tree, root(channel), channel, "", document.problems)
    document.verbs = top.children
    return document


def _element(
    node: ElementTree.Element, rule: Rule, channel: Channel, path: str, problems: list[Problem]
) -> Element:
    """Checks one element against its rule and everything in it."""
    path += f"<{rule.name}>"
    attributes = {name.replace(_XML, "xml:"): value for name, value in node.attrib.items()}
    problems += [
        Problem(12200, f"{path} has no attribute {name!r}.")
        for name in attributes
        if name not in rule.attributes
    ]
    if not rule.text and rule.name not in _INLINE:
        loose = [node.text or ""] + [child.tail or "" for child in node]
        if any(piece.strip() for piece in loose):
            problems.append(Problem(12200, f"{path} may not contain text."))
    children = []
    for child in node:
        inner = rule.children.get(child.tag)
        if inner is None:
            problems.append(_misplaced(child.tag, rule, channel, path))
        else:
            children.append(_element(child, inner, channel, path, problems))
    text = "".join(node.itertext() if all(c.tag in _INLINE for c in node) else [node.text or ""])
    return Element(rule.name, attributes, text, tuple(children))


def _misplaced(tag: str, rule: Rule, channel: Channel, path: str) -> Problem:
    """The code the carrier has for an element where it may not stand."""
    if rule.name == "Gather":
        return Problem(13320, f"<{tag}> may not stand in {path}.")
    if rule.name == "Dial":
        return Problem(13215, f"<{tag}> may not stand in {path}.")
    if rule.name == "Response" and channel == "text":
        return Problem(14110, f"<{tag}> is not a verb for texts.")
    if rule.name == "Response":
        return Problem(12200, f"<{tag}> is not a verb.")
    return Problem(12200, f"<{tag}> may not stand in {path}.")
