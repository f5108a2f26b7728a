"""The figures of a report as tables, each with what it means: for the page, and for a spreadsheet. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup

from nurseline.reports import charts
from nurseline.reports.figures import (
    ABANDONED_AT_MOST,
    ANSWER_WITHIN,
    CALLBACK_WITHIN,
    CHOICES,
    ENDINGS,
    Items,
    Report,
    Share,
)
from nurseline.reports.periods import Period
from nurseline.staff import report_words as say
from nurseline.staff.report_cells import NONE, Cell, Table, count, met, percent, time
from nurseline.staff.words import MESSAGE_STATUS, METHODS, REASONS, STEPS, said


def tables(report: Report, period: Period) -> list[Table]:
    """Every table of a report, in the order of the page."""
    made: list[Callable[[Report, Period], Table]] = [_standards, _volume]
    if period.kind == "month":
        made.append(_days)
    made += [_items, _alarms, _calls, _line, _topics, _reminders, _delivery, _consent, _outcomes]
    return [make(report, period) for make in made]


def _standards(report: Report, _period: Period) -> Table:
    speed, left, back = report.calls.speed, report.calls.share("abandoned"), report.callbacks
    rows = [
        (
            Cell("Average speed of answer"),
            time(speed.average),
            Cell("30 seconds or less"),
            met(speed.average, ANSWER_WITHIN, "No call was taken"),
            count(speed.count),
            Cell(say.SPEED),
        ),
        (
            Cell("Abandoned calls"),
            percent(left),
            Cell("5 % or less"),
            met(left.percent, ABANDONED_AT_MOST, "No calls"),
            count(left.whole),
            Cell(say.ABANDONED),
        ),
        (
            Cell("Clinical call back, on average"),
            time(back.average),
            Cell("Within 30 minutes"),
            met(back.average, CALLBACK_WITHIN, "Nobody was called back"),
            count(back.count),
            Cell(say.CALLBACK),
        ),
    ]
    header = ("Measure", "Here", "Standard", "Met", "Of how many", "What is counted")
    return Table("standards", "The three URAC figures", say.STANDARDS, header, rows)


def _volume(report: Report, period: Period) -> Table:
    by_hour = report.by_hour
    names = [_hour(hour) for hour in range(24)]
    rows = [(Cell(names[hour]), *(count(by_hour[kind][hour]) for kind in say.KINDS)) for hour in range(24)]
    ticks = {hour: names[hour] for hour in (0, 6, 12, 18)}
    drawn = [_chart(say.KINDS[kind], by_hour[kind], ticks, "hour", names) for kind in say.KINDS]
    note = say.VOLUME
    if period.kind == "day" and period.hours_long != 24:
        note += f" This day has {period.hours_long} hours, since the clocks change."
    none = not any(sum(by_hour[kind]) for kind in say.KINDS)
    header = ("From", *say.KINDS.values())
    return Table(
        "hours", "By hour of the day", note, header, rows, drawn, empty=none, nothing="Nothing came in."
    )


def _days(report: Report, period: Period) -> Table:
    days, by_day = period.days, report.by_day
    names = [f"{day:%a} {day:%b} {day.day}" for day in days]
    rows = [
        (Cell(name, day.isoformat()), *(count(by_day[kind].get(day, 0)) for kind in say.KINDS))
        for day, name in zip(days, names, strict=True)
    ]
    ticks = {n: f"{day:%b} {day.day}" for n, day in enumerate(days) if day.day in {1, 8, 15, 22}}
    values = {kind: [by_day[kind].get(day, 0) for day in days] for kind in say.KINDS}
    drawn = [_chart(say.KINDS[kind], values[kind], ticks, "day", names) for kind in say.KINDS]
    none = not any(sum(values[kind]) for kind in say.KINDS)
    return Table(
        "days",
        "By day",
        say.DAYS,
        ("Day", *say.KINDS.values()),
        rows,
        drawn,
        empty=none,
        nothing="Nothing came in.",
    )


def _items(report: Report, _period: Period) -> Table:
    rows = [
        _item_row(REASONS[key], report.by_reason[key], report.items.asked)
        for key in REASONS
        if key in report.by_reason
    ]
    rows.append(_item_row("All", report.items, report.items.asked))
    header = (
        "Reason",
        "Items",
        "Until tried: median",
        "90th of 100",
        "Until spoken with: median",
        "90th of 100 spoken with",
        "Within promise",
        "Not reached",
        "Late now",
    )
    units = (*((n, "seconds") for n in range(2, 6)), (6, "%"), (7, "%"))
    none = not report.items.asked
    return Table(
        "reasons",
        "Items by reason",
        say.ITEMS,
        header,
        rows,
        units=units,
        empty=none,
        nothing="Nobody asked for a person.",
    )


def _item_row(name: str, items: Items, whole: int) -> tuple[Cell, ...]:
    return (
        Cell(name),
        count(items.asked, charts.bar(items.asked, whole)),
        time(items.attempt.median),
        time(items.attempt.ninetieth),
        time(items.contact.median),
        time(items.contact.ninetieth),
        percent(items.promise, drawn=True),
        percent(items.unreached),
        count(items.late),
    )


def _alarms(report: Report, _period: Period) -> Table:
    rows = []
    for reason in ("emergency", "urgent"):
        items = report.by_reason.get(reason, Items())
        rows.append(
            (
                Cell(REASONS[reason]),
                count(report.topics.get(reason, 0)),
                count(items.asked),
                time(items.attempt.median),
                time(items.contact.median),
                time(items.contact.ninetieth),
                count(items.asked - items.contact.count),
            )
        )
    header = (
        "Words",
        "Texts",
        "Items",
        "Until tried: median",
        "Until a person spoke: median",
        "90th of 100",
        "No person spoke yet",
    )
    units = tuple((n, "seconds") for n in (3, 4, 5))
    none = not any(row[1].raw or row[2].raw for row in rows)
    return Table(
        "alarms",
        "Red flags, and time to a person",
        say.ALARMS,
        header,
        rows,
        units=units,
        empty=none,
        nothing="No emergency words and no worrying symptoms.",
    )


def _calls(report: Report, _period: Period) -> Table:
    calls = report.calls
    rows = [
        (
            Cell(say.ENDINGS[ending]),
            count(calls.share(ending).part),
            percent(calls.share(ending), drawn=True),
        )
        for ending in ENDINGS
    ]
    return Table(
        "calls",
        "How calls ended",
        say.CALLS,
        ("Ending", "Calls", "Share"),
        rows,
        units=((2, "%"),),
        empty=not calls.total,
        nothing="No calls.",
    )


def _line(report: Report, _period: Period) -> Table:
    talks, calls, again = report.conversations, report.calls, report.repeats
    shares = (
        ("Calls answered without staff", calls.share("line")),
        ("Days of texts answered without staff", Share(talks.line, talks.total)),
        ("Days of texts that came to staff", Share(talks.staff, talks.total)),
        ("Asked again within 72 hours", again),
    )
    rows = [
        (Cell(name), count(share.part), count(share.whole), percent(share, drawn=True))
        for name, share in shares
    ]
    none = not any(share.whole for _, share in shares)
    header = ("Measure", "Count", "Of", "Share")
    return Table(
        "line",
        "Answered by the line, and who came back",
        say.LINE,
        header,
        rows,
        units=((3, "%"),),
        empty=none,
        nothing="Nobody called or wrote.",
    )


def _topics(report: Report, _period: Period) -> Table:
    whole = sum(report.topics.values())
    rows = [
        (Cell(said(say.TOPICS, topic)), count(number), percent(Share(number, whole), drawn=True))
        for topic, number in report.topics.items()
    ]
    header = ("About", "Texts", "Share")
    return Table(
        "texts",
        "What texts were about",
        say.TEXTS,
        header,
        rows,
        units=((2, "%"),),
        empty=not whole,
        nothing="No texts.",
    )


def _reminders(report: Report, _period: Period) -> Table:
    rows = []
    for step, name in STEPS.items():
        found = report.reminders(step)
        drawn = charts.stacked({choice: found.answers[choice] for choice in CHOICES}, found.arrived)
        rows.append(
            (
                Cell(name),
                count(found.arrived, drawn),
                *(count(found.answers[choice]) for choice in CHOICES),
                count(found.waiting),
                percent(found.answered),
            )
        )
    header = ("After", "Arrived", *say.CHOICES.values(), "May still answer", "Answered")
    none = not any(row[1].raw for row in rows)
    return Table(
        "reminders",
        "Aftercare messages and their answers",
        say.REMINDERS,
        header,
        rows,
        units=((8, "%"),),
        empty=none,
        nothing="No aftercare messages went.",
    )


def _delivery(report: Report, _period: Period) -> Table:
    found = report.deliveries()
    whole = sum(found.values())
    rows = [
        (
            Cell(said(MESSAGE_STATUS, status)),
            Cell(str(code) if code else NONE, code or ""),
            Cell(say.error(code)),
            count(number),
            percent(Share(number, whole), drawn=True),
        )
        for (status, code), number in found.items()
    ]
    header = ("Status", "Error", "Meaning", "Messages", "Share")
    return Table(
        "delivery",
        "Delivery of our messages",
        say.DELIVERY,
        header,
        rows,
        units=((4, "%"),),
        empty=not whole,
        nothing="No messages went.",
    )


def _consent(report: Report, _period: Period) -> Table:
    rows = [(Cell(f"Ended messages: {said(METHODS, how)}"), count(n)) for how, n in report.opt_outs.items()]
    rows = [
        (Cell("Ended messages: all numbers"), count(report.opt_outs_all)),
        *sorted(rows, key=lambda row: row[0].text),
        (Cell("Agreed to messages"), count(report.opt_ins)),
        (Cell("Wrong numbers"), count(report.wrong_numbers)),
    ]
    none = not (report.opt_outs_all or report.opt_ins or report.wrong_numbers)
    return Table(
        "consent",
        "Consent and wrong numbers",
        say.CONSENT,
        ("What", "Numbers"),
        rows,
        empty=none,
        nothing="Nobody agreed or ended messages.",
    )


def _outcomes(report: Report, _period: Period) -> Table:
    whole = sum(report.outcomes.values())
    rows = [
        (Cell(say.outcome(key)), count(number), percent(Share(number, whole), drawn=True))
        for key, number in report.outcomes.items()
    ]
    header = ("Outcome", "Recorded", "Share")
    return Table(
        "outcomes",
        "Outcomes of callbacks",
        say.RECORDED,
        header,
        rows,
        units=((2, "%"),),
        empty=not whole,
        nothing="No outcome was recorded.",
    )


def _chart(
    kind: str, values: Sequence[int], ticks: dict[int, str], unit: str, names: Sequence[str]
) -> tuple[str, Markup]:
    total = sum(values)
    most = f"; most at {names[values.index(max(values))]}: {max(values):,}" if total else ""
    about = f"{kind} by {unit}: {total:,} in all{most}. The table holds every figure."
    return f"{kind}: {total:,}", charts.columns(values, ticks, about)


def _hour(hour: int) -> str:
    return f"{hour % 12 or 12} {'AM' if hour < 12 else 'PM'}"
