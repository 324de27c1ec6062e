"""Which rule and which period number a document of a day: the same for invoices and credit notes (decision 0008).

A rule begins on a day and ends where the next one begins, also one that never begins again. It begins where no period
that has numbers is cut in two.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import cast

from finance.errors import FieldError, Invalid
from finance.said import said
from finance.shops.model import FORMAT_BY_KIND, ISSUE_AHEAD_DAYS_MAX, Period, Rule, format_of_period, period_of
from finance.shops.patterns import can_meet, pattern_of

# The newest day of the documents of a period, None where it has no numbers.
LastNumbered = Callable[[Period], date | None]

AHEAD = timedelta(days=ISSUE_AHEAD_DAYS_MAX)
# Where periods that would get the same numbers are looked for: further than a rule waits for its first period, and so
# far that each month and each half of a fiscal year is met twice.
_BEFORE, _AFTER = timedelta(days=550), timedelta(days=920)
_ONE_DAY = timedelta(days=1)


def numbering_on(rules: Sequence[Rule], day: date) -> tuple[Rule, Period]:
    """Return the rule and the period that number a document of this day."""
    rule = rules[_position_on(rules, day)]
    return rule, _period(rule, day)


def rules_after(rules: Sequence[Rule], rule: Rule, *, today: date, last_numbered: LastNumbered | None) -> list[Rule]:
    """Return the rules with `rule` as the newest; `last_numbered` is None where the shop has no numbers at all."""
    if last_numbered is None:
        return [rule]
    if _counts_alike(rules[-1], rule):
        return [*rules[:-1], _with_formats(rules[-1], rule)]
    begins_on = _beginning(rules, rule, today, last_numbered)
    kept = [earlier for earlier in rules if _begins_on(earlier) < begins_on]
    if kept and _counts_alike(kept[-1], rule):
        return [*kept[:-1], _with_formats(kept[-1], rule)]
    return [*kept, {**rule, "begins_on": begins_on.isoformat()}] if kept else [rule]


def with_beginnings(rules: Sequence[Rule], last_numbered: LastNumbered) -> list[Rule]:
    """Return rules that an earlier version stored, which say when they were replaced, with the day each begins on.

    A sequence that had numbers went on until its period ended; one that has no end goes on until a period of the next
    rule begins after its newest document.
    """
    complete = [rules[0]]
    for rule in rules[1:]:
        earlier = complete[-1]
        if "begins_on" not in rule:
            replaced_on = date.fromisoformat(earlier["replaced_on"])
            period = _period(earlier, replaced_on)
            last = last_numbered(period)
            begins_on = period.first_day if last is None else _day_after(period, rule, max(last, replaced_on))
            rule = {**rule, "begins_on": max(begins_on, _begins_on(earlier)).isoformat()}
        complete.append(rule)
    return complete


def find_repeated(shop: str, rules: Sequence[Rule], *, kind: str, today: date) -> tuple[Period, Period] | None:
    """Return two periods of a shop, the second of its newest rule, whose documents would get the same numbers."""
    newest, name = rules[-1], FORMAT_BY_KIND[kind]
    later = _written(shop, rules, newest, newest[name], today)
    for rule in rules:
        for formats in (*rule.get("former", []), *([] if rule is newest else [rule])):
            for period, pattern in _written(shop, rules, rule, formats[name], today):
                for after, written in later:
                    if period.label != after.label and can_meet(pattern, written):
                        return period, after
    return None


def require_no_repetition(shop: str, after: Sequence[Rule], *, today: date) -> None:
    """Raise Invalid where two periods of the shop would get the same numbers."""
    errors = []
    for kind, name in FORMAT_BY_KIND.items():
        repeated = find_repeated(shop, after, kind=kind, today=today)
        if repeated is not None:
            errors.append(FieldError(_repetition(*repeated, after[-1][name]), pointer=f"/{name}"))
    if errors:
        raise Invalid(errors=errors)


def patterns_of(shop: str, rules: Sequence[Rule]) -> set[tuple[str, str]]:
    """Return the kinds and patterns that the numbers of a shop are written in, or were."""
    return {
        (kind, pattern_of(formats[name], shop=shop, fiscal_year_start_month=rule["fiscal_year_start_month"]))
        for rule in rules
        for formats in (rule, *rule.get("former", []))
        for kind, name in FORMAT_BY_KIND.items()
    }


def _beginning(rules: Sequence[Rule], rule: Rule, today: date, last_numbered: LastNumbered) -> date:
    """Return the earliest day from which `rule` can number, looking at the periods from today's on."""
    begins_on: date | None = None
    day = today
    for _period_ahead in range(AHEAD.days):
        period = _span(rules, day)
        begins_on = begins_on or period.first_day
        last = last_numbered(period)
        if last is not None:
            begins_on = _day_after(period, rule, max(last, today))
        if period.last_day == date.max or period.last_day >= today + AHEAD:
            break
        day = period.last_day + _ONE_DAY
    assert begins_on is not None
    return begins_on


def _day_after(period: Period, rule: Rule, last: date) -> date:
    """Return the day on which `rule` follows a period that has numbers, the newest of the day `last`."""
    if period.last_day < date.max:
        return period.last_day + _ONE_DAY
    following = _period(rule, last)
    return following.last_day + _ONE_DAY if following.last_day < date.max else last + _ONE_DAY


def _span(rules: Sequence[Rule], day: date) -> Period:
    """Return the period of this day, from where its rule begins to where the next one does."""
    position = _position_on(rules, day)
    period = _period(rules[position], day)
    last_day = period.last_day
    if position + 1 < len(rules):
        last_day = min(last_day, _begins_on(rules[position + 1]) - _ONE_DAY)
    return replace(period, first_day=max(period.first_day, _begins_on(rules[position])), last_day=last_day)


def _written(shop: str, rules: Sequence[Rule], rule: Rule, number_format: str, today: date) -> list[tuple[Period, str]]:
    """Return the periods of a rule, as far as they are near, each with the pattern of its numbers."""
    following = rules[rules.index(rule) + 1 :]
    last_day = min([today + _AFTER, *(_begins_on(one) - _ONE_DAY for one in following)])
    return [
        (period, pattern_of(format_of_period(number_format, shop=shop, period=period), shop=shop))
        for period in _periods(rule, max(today - _BEFORE, _begins_on(rule)), last_day)
    ]


def _periods(rule: Rule, day: date, last_day: date) -> Iterator[Period]:
    while day <= last_day:
        period = _period(rule, day)
        yield period
        if period.last_day == date.max:
            return
        day = period.last_day + _ONE_DAY


def _period(rule: Rule, day: date) -> Period:
    return period_of(day, reset=rule["reset"], fiscal_year_start_month=rule["fiscal_year_start_month"])


def _position_on(rules: Sequence[Rule], day: date) -> int:
    begun = [position for position, rule in enumerate(rules) if _begins_on(rule) <= day]
    return begun[-1] if begun else 0


def _begins_on(rule: Rule) -> date:
    return date.fromisoformat(rule["begins_on"]) if "begins_on" in rule else date.min


def _counts_alike(one: Rule, other: Rule) -> bool:
    """Return whether both have the same periods; where numbers never begin again, there is no fiscal year."""
    if one["reset"] != other["reset"]:
        return False
    return one["reset"] == "never" or one["fiscal_year_start_month"] == other["fiscal_year_start_month"]


def _with_formats(standing: Rule, rule: Rule) -> Rule:
    """Return `rule` in the place of a standing one of the same periods, and what that one wrote as a former format."""
    names = tuple(FORMAT_BY_KIND.values())
    was, former = [{name: standing[name] for name in names}], standing.get("former", [])
    if was == [{name: rule[name] for name in names}]:
        was = []
    kept = {name: value for name, value in standing.items() if name in ("begins_on", "at_once")}
    changed = {**rule, **kept, "former": [*former, *(one for one in was if one not in former)]}
    return cast(Rule, changed)


def _repetition(period: Period, later: Period, number_format: str) -> str:
    instead = said("another text before {number}")
    if "{year}" in number_format and later.parts.get("fiscal_year") != later.parts.get("year"):
        instead = said("{{fiscal_year}}, which is {now}, in the place of {{year}}", now=later.parts["fiscal_year"])
    when: str = later.label
    if later.last_day < date.max:
        when = said("{period} ({first} to {last})", period=when, first=later.first_day, last=later.last_day)
    return said(
        "would write the numbers of {period} once more in {when}; write {instead}.",
        period=period.label,
        when=when,
        instead=instead,
    )
