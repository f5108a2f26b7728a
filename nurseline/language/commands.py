"""Commands of this room: `explain TEXT` and `evaluate FILE.tsv`.

The reply in `explain` is made by the dialogue, which this room does not know; whoever wires the commands
gives it with `explain_command(reply)`.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from nurseline.language.evaluate import judge, predictions, report
from nurseline.language.examples_file import MalformedFileError, read_examples
from nurseline.language.explain import nearest, sentence
from nurseline.language.meaning import Meaning
from nurseline.language.understand import understand

Reply = Callable[[Meaning, str], str]


def explain_command(reply: Reply | None = None) -> click.Command:
    """The command `explain`; `reply` gives the words the line would answer with, from (meaning, language)."""

    @click.command("explain")
    @click.argument("text")
    @click.option("--lang", type=click.Choice(["en", "es"]), default="en", help="Language the contact uses.")
    @click.option("--previous", default=None, help="A text from the same number in the two minutes before.")
    @click.option("--json", "as_json", is_flag=True, help="For programs.")
    def explain(text: str, lang: str, previous: str | None, as_json: bool) -> None:
        """How the line understands TEXT, why, and what it replies."""
        meaning = understand(text, language=lang, previous=previous)
        answer = reply(meaning, meaning.language) if reply is not None else None
        if as_json:
            click.echo(json.dumps(explained(text, meaning, answer), ensure_ascii=False, indent=2))
        else:
            click.echo(spelled_out(text, meaning, answer))

    return explain


def explained(text: str, meaning: Meaning, answer: str | None) -> dict[str, Any]:
    """What `explain --json` prints."""
    return {
        "text": text,
        **asdict(meaning),
        "sentence": sentence(meaning),
        "nearest": [asdict(example) for example in nearest(text)],
        "reply": answer,
    }


def spelled_out(text: str, meaning: Meaning, answer: str | None) -> str:
    """What `explain` prints."""
    lines = [
        f"tier        {meaning.tier}",
        f"topic       {meaning.topic}" + (f" and {meaning.second_topic}" if meaning.second_topic else ""),
        f"confidence  {meaning.confidence:.2f}",
        f"language    {meaning.language}",
        f"why         {sentence(meaning)}",
    ]
    lines += [f"evidence    {item.rule}: {item.words!r}" for item in meaning.evidence]
    if meaning.candidates:
        lines.append(f"offers      {', '.join(meaning.candidates)}")
    for name, value in (
        ("choice", meaning.choice),
        ("command", meaning.command),
        ("daypart", meaning.daypart),
    ):
        if value is not None:
            lines.append(f"{name:<12}{value}")
    lines += [f"like        {example.text!r} ({'|'.join(example.accept)})" for example in nearest(text)]
    if answer is not None:
        lines.append(f"reply       {answer}")
    return "\n".join(lines)


@click.command("evaluate")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--predictions", "out", type=click.Path(path_type=Path), help="Write one row per input here.")
def evaluate(file: Path, as_json: bool, out: Path | None) -> None:
    """Measure understanding on FILE (tab-separated: text lang accept tier kind note)."""
    try:
        examples = read_examples(file)
    except MalformedFileError as error:
        raise click.ClickException(str(error)) from error
    judged = judge(examples, understand)
    if out is not None:
        try:
            out.write_text(predictions(judged), encoding="utf-8")
        except OSError as error:
            raise click.ClickException(f"cannot write {out}: {error.strerror}") from error
    result = report(judged)
    click.echo(json.dumps(result, ensure_ascii=False, indent=2) if as_json else as_table(result))


def as_table(result: dict[str, Any]) -> str:
    """A report as lines for a person."""
    lines: list[str] = []
    for language, part in result.items():
        lines.append(f"{language}: {part['texts']} texts")
        for row in part["shares"]:
            low, high = row["interval"]
            counts = f"{row['count']:>5}/{row['of']:<5}"
            lines.append(f"  {row['name']:<34} {counts} {row['share']:>7.1%}  ({low:.1%} to {high:.1%})")
        lines.append("  by kind:")
        lines += [f"    {kind:<14} {_counted(counts)}" for kind, counts in part["kinds"].items()]
        lines.append(f"  misses: {len(part['misses'])}")
        lines += [_missed(miss) for miss in part["misses"]]
    return "\n".join(lines) if lines else "no texts"


def _counted(counts: dict[str, int]) -> str:
    return "  ".join(f"{name} {count}" for name, count in counts.items())


def _missed(miss: dict[str, Any]) -> str:
    wanted = f"accepts {miss['accept']} ({miss['tier']})"
    got = f"got {miss['got_topic']} ({miss['got_tier']}, {miss['confidence']:.2f})"
    return f"    {miss['what']}: {miss['text']!r} {wanted}, {got} {'; '.join(miss['evidence'])}"


commands: tuple[click.Command, ...] = (explain_command(), evaluate)
