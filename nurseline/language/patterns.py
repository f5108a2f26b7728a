"""Rules over word groups: compiled once, matched in time linear in the text.

How a line of a rule is written stands at the head of rules/emergency.toml.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nurseline.language.lexicon import FILLERS, LIGHT, Hit, Hits, Lexicon, check_alternatives
from nurseline.language.normalise import SENTENCE_GAP, Word

# Distances are kept in half words: a plain word counts 2, a little word 1, a filler 0.
_WORD, _LITTLE = 2, 1
_SHORT_GAP, _LONG_GAP = 3 * _WORD, 6 * _WORD
_MOST_PARTNERS = 4
_PART = re.compile(r"\.{2,3}|\+|\S+")


def places(words: Sequence[Word]) -> list[int]:
    """The place of each word in half words; a sentence end leaves a gap."""
    result: list[int] = []
    place, previous = 0, None
    for word in words:
        if previous is not None and word.sentence != previous.sentence:
            place += SENTENCE_GAP * _WORD
        result.append(place)
        place += 0 if word.plain in FILLERS else _LITTLE if word.plain in LIGHT else _WORD
        previous = word
    return result


@dataclass(frozen=True, slots=True)
class _Line:
    """One way of saying a rule: for each part the groups that will do, and the largest gap before it."""

    groups: tuple[tuple[str, ...], ...]
    gaps: tuple[int, ...]
    any_order: bool


@dataclass(frozen=True, slots=True)
class Match:
    """A rule found in a text, by the words of its parts."""

    rule: str
    parts: tuple[Hit, ...]

    @property
    def first(self) -> int:
        """Index of the first word."""
        return min(part.first for part in self.parts)

    @property
    def last(self) -> int:
        """Index of the last word."""
        return max(part.last for part in self.parts)


@dataclass(frozen=True, slots=True)
class Rule:
    """A named rule: any of its lines is enough. `near` is in half words."""

    id: str
    lines: tuple[_Line, ...]
    near: int


def compile_rule(
    rule: str, lines: Iterable[str], near: int, lexicon: Lexicon, groups: frozenset[str]
) -> Rule:
    """Compile a rule; words written out in it become unnamed groups of the lexicon."""
    return Rule(rule, tuple(_compile_line(line, lexicon, groups) for line in lines), near * _WORD)


def _compile_line(line: str, lexicon: Lexicon, known: frozenset[str]) -> _Line:
    groups: list[tuple[str, ...]] = []
    gaps: list[int] = []
    gap, any_order = 0, False
    literal: list[str] = []

    def close_literal() -> None:
        if literal:
            phrase = " ".join(literal)
            lexicon.add(f"={phrase}", [phrase])
            groups.append((f"={phrase}",))
            literal.clear()

    found = _PART.findall(line)
    check_alternatives(line, found)
    for part in found:
        if part == ">":
            if literal:
                literal.append(part)
            continue
        if part in ("+", "..", "..."):
            close_literal()
            any_order = any_order or part == "+"
            gap = _SHORT_GAP if part == ".." else _LONG_GAP
            continue
        if "<" in part:
            close_literal()
            groups.append(_groups_of(part, lexicon, known))
            gaps.append(gap)
        else:
            if not literal:
                gaps.append(gap)
            literal.append(part)
        gap = 0
    close_literal()
    return _Line(tuple(groups), tuple(gaps), any_order)


def _groups_of(part: str, lexicon: Lexicon, known: frozenset[str]) -> tuple[str, ...]:
    names = part.split("|")
    for name in names:
        if name.startswith("<") and name[1:-1] not in known:
            raise ValueError(f"unknown group {name}")
    for name in names:
        if not name.startswith("<"):
            lexicon.add(f"={name}", [name])
    return tuple(name[1:-1] if name.startswith("<") else f"={name}" for name in names)


class Finder:
    """The groups of one text, with the distances between its words."""

    def __init__(self, words: Sequence[Word], hits: Hits) -> None:
        self.words = words
        self._hits = hits
        self._places = places(words)
        self._ends = [
            place + (0 if word.plain in FILLERS else _LITTLE if word.plain in LIGHT else _WORD)
            for place, word in zip(self._places, words, strict=True)
        ]

    def hits(self, *groups: str) -> Sequence[Hit]:
        """Where any of the groups occurs, in order."""
        if len(groups) == 1:
            return self._hits.get(groups[0], ())
        joined = [hit for name in groups for hit in self._hits.get(name, ())]
        return sorted(joined, key=lambda hit: (hit.first, hit.last))

    def gap(self, before: Hit, after: Hit) -> int:
        """Half words between the end of one hit and the start of a later one."""
        return self._places[after.first] - self._ends[before.last]

    def find(self, rule: Rule) -> list[Match]:
        """Every place where the rule holds."""
        return [match for line in rule.lines for match in self._found(rule, line)]

    def lines(self, rule: Rule) -> list[int]:
        """Which lines of a rule hold somewhere in the text."""
        return [index for index, line in enumerate(rule.lines) if self._found(rule, line)]

    def _found(self, rule: Rule, line: _Line) -> Sequence[Match]:
        parts: list[Sequence[Hit]] = []
        for groups in line.groups:
            hits = self.hits(*groups)
            if not hits:
                return ()
            parts.append(hits)
        if line.any_order:
            return self._any_order(rule, parts)
        return [
            Match(rule.id, tuple(chain)) for hit in parts[0] for chain in self._chains(line, parts, [hit])
        ]

    def _chains(self, line: _Line, parts: list[Sequence[Hit]], done: list[Hit]) -> list[list[Hit]]:
        if len(done) == len(parts):
            return [done]
        following, allowed = parts[len(done)], line.gaps[len(done)]
        index = bisect_left(following, done[-1].last + 1, key=lambda hit: hit.first)
        chains: list[list[Hit]] = []
        for hit in following[index : index + 2 * _MOST_PARTNERS]:
            if self.gap(done[-1], hit) > allowed or len(chains) >= _MOST_PARTNERS:
                break
            chains += self._chains(line, parts, [*done, hit])[:_MOST_PARTNERS]
        return chains

    def _any_order(self, rule: Rule, parts: list[Sequence[Hit]]) -> list[Match]:
        matches: list[Match] = []
        for hit in parts[0]:
            groups: list[list[Hit]] = [[hit]]
            for others in parts[1:]:
                groups = [
                    [*group, other] for group in groups for other in self._partners(hit, others, rule.near)
                ][: 2 * _MOST_PARTNERS]
            matches += [Match(rule.id, tuple(group)) for group in groups]
        return matches

    def _partners(self, hit: Hit, others: Sequence[Hit], near: int) -> list[Hit]:
        index = bisect_left(others, hit.first, key=lambda other: other.first)
        partners: list[Hit] = []
        for other in others[index : index + 3 * _MOST_PARTNERS]:
            if other.first > hit.last and self.gap(hit, other) > near:
                break
            if other.first > hit.last and len(partners) < _MOST_PARTNERS:
                partners.append(other)
        earlier = others[max(0, index - 2 * _MOST_PARTNERS) : index]
        partners += [
            other for other in reversed(earlier) if other.last < hit.first and self.gap(other, hit) <= near
        ]
        return partners
