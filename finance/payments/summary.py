"""What the payments of a list come to: exactly, per currency, direction, status and month.

A million payments take MongoDB some seconds to add up. So the totals of a month are kept, with how many payments it
had and how many of these were voided. Nothing else that they depend on can change: an amount, a currency, a direction
and a day never do, no payment is ever deleted, and a void is never taken back. While both counts are what they were,
which the keys of an index tell, the totals are too. Months with few payments are added up together, each time.
See docs/decisions/0009.
"""

import re
import sys
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from finance.database import Db, DriverError
from finance.errors import Unavailable
from finance.money import shown_amount
from finance.payments import store
from finance.said import said

# With these filters, the totals of a month are those of some of its groups.
KEPT_FILTERS = frozenset(("paid_from", "paid_to", "currency", "direction", "status"))
KEPT_MAX = 500  # months, of all tenants, in one process
KEPT_GROUPS_MAX = 100_000  # in all of them: what takes the memory, some 15 megabytes
KEPT_FOR = timedelta(hours=1)  # then also what somebody has changed by hand is seen
KEPT_COUNT_MIN = 1_000  # fewer are added up as quickly as they are counted
AT_ONCE = 256  # groups between two turns of the others: half a millisecond

_DAY = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])-\d{2}", re.ASCII)

# Month, currency, direction and status, each None where it is damaged; and whether there is a total.
Key = tuple[str | None, str | None, str | None, str | None, bool]
Sums = dict[Key, tuple[int, int]]  # count and total in minor units


class SummaryTakesTooLong(Unavailable):
    detail_default = said(
        "These are too many payments to be added up in the time that a request has. Ask again, "
        "what was added up by now is kept; or ask for fewer days."
    )


class Group(NamedTuple):
    """What some payments have in common, how many `payments` they are, and what they come to in minor units.

    None is the total of those whose amount can't be read, and whatever else of them isn't as it should be.
    """

    day: Any
    currency: Any
    direction: Any
    status: Any
    payments: int
    total_minor: int | None


@dataclass(frozen=True)
class Summary:
    """All that was answered as recorded before `as_of` is in it."""

    as_of: datetime
    data: list[dict[str, Any]]
    totals: list[dict[str, Any]]


@dataclass(frozen=True)
class _Month:
    by_day: tuple[Group, ...]
    sums: Sums
    count: int
    voided: int
    read_at: datetime


class Kept:
    """The months that this process has added up, those that were asked for last."""

    def __init__(self) -> None:
        self._months: OrderedDict[tuple[str, str], _Month] = OrderedDict()
        self._groups = 0

    def find(self, tenant: str, month: str, *, now: datetime) -> _Month | None:
        found = self._months.get((tenant, month))
        if found is None or now - found.read_at > KEPT_FOR:
            return None
        self._months.move_to_end((tenant, month))
        return found

    def keep(self, tenant: str, month: str, read: _Month) -> None:
        self._drop((tenant, month))
        if read.count < KEPT_COUNT_MIN:
            return
        self._months[tenant, month] = read
        self._groups += len(read.by_day)
        while len(self._months) > KEPT_MAX or self._groups > KEPT_GROUPS_MAX:
            self._drop(next(iter(self._months)))

    def _drop(self, key: tuple[str, str]) -> None:
        dropped = self._months.pop(key, None)
        self._groups -= len(dropped.by_day) if dropped else 0


def summarize(db: Db, kept: Kept, *, tenant: str, filters: Mapping[str, Any], now: datetime) -> Summary:
    """Return what the payments that the filters mean come to; raises SummaryTakesTooLong."""
    by_month: Sums = {}
    try:
        for part in _parts(db, kept, tenant, filters, now):
            _add(by_month, part.items())
    except DriverError as error:
        if error.timeout:
            raise SummaryTakesTooLong from error
        raise
    in_all: Sums = {}
    _add(in_all, (((None, *key[1:]), sums) for key, sums in by_month.items()))
    totals = [{name: value for name, value in row.items() if name != "month"} for row in _rows(in_all)]
    return Summary(now, _rows(by_month), totals)


def _parts(db: Db, kept: Kept, tenant: str, filters: Mapping[str, Any], now: datetime) -> Iterator[Sums]:
    """Yield what the payments come to, part by part; each payment is in one of them."""
    if not filters.keys() <= KEPT_FILTERS:
        yield _sums(_added_up(db, store.query_of(tenant, filters)))
        return
    if "paid_from" not in filters and "paid_to" not in filters:  # a day that is no text is in no month
        yield _sums(_added_up(db, store.query_of(tenant, filters) | {"paid_on": {"$not": {"$gte": ""}}}))
    wanted = _Wanted(filters)
    start: str | None = wanted.first
    while start is not None:
        # A month with many payments is kept; those before it have few, and are added up together.
        month = _crowded_month(db, tenant, start, wanted.before)
        if month is None or start < month:
            before = wanted.before if month is None else month
            groups = _of_days(_added_up(db, store.in_days(tenant, start, before)), start, before)
            yield _sums(filter(wanted.has, groups))
            start = month
        if month is not None:
            following = _following(month)
            yield _wanted_of_month(_month(db, kept, tenant, month, following, now), month, following, wanted)
            start = following if wanted.before is None or following < wanted.before else None


def _crowded_month(db: Db, tenant: str, start: str, before: str | None) -> str | None:
    """Return the month of the payment that more are before, from `start` on, than are added up quickly.

    None where there are not as many, or where that payment has no day.
    """
    day = store.find_day(db, store.in_days(tenant, start, before), skip=KEPT_COUNT_MIN)
    return _month_of(day)


def _wanted_of_month(read: _Month, month: str, following: str, wanted: "_Wanted") -> Sums:
    if wanted.first < month and (wanted.before is None or following <= wanted.before):
        return {key: sums for key, sums in read.sums.items() if wanted.has_rest(key[1:4])}
    return _sums(filter(wanted.has, read.by_day))


def _month(db: Db, kept: Kept, tenant: str, month: str, following: str, now: datetime) -> _Month:
    """Return the totals of a month: those that are kept where nothing has changed since."""
    days = {"$gte": month, "$lt": following}
    found = kept.find(tenant, month, now=now)
    if found is not None and (found.count, found.voided) == (
        store.count_of_days(db, tenant=tenant, days=days),
        store.count_of_days(db, tenant=tenant, days=days, status="voided"),
    ):
        return found
    groups = list(_added_up(db, store.in_days(tenant, month, following)))
    voided = sum(group.payments for group in groups if group.status == "voided")
    by_day = tuple(_of_days(groups, month, following))
    read = _Month(by_day, _sums(by_day), sum(group.payments for group in groups), voided, now)
    kept.keep(tenant, month, read)
    return read


def _added_up(db: Db, query: Mapping[str, Any]) -> Iterator[Group]:
    for place, found in enumerate(store.group_totals(db, dict(query))):
        if place % AT_ONCE == 0:
            time.sleep(0)  # lets others run
        key = found["_id"]
        day, currency, direction, status = (_once(key.get(name)) for name in ("day", "currency", "direction", "status"))
        yield Group(day, currency, direction, status, payments=found["count"], total_minor=found["total"])


def _once(value: Any) -> Any:
    """Return a text as it is already in memory: thousands of groups have the same few."""
    return sys.intern(value) if isinstance(value, str) else value


def _of_days(groups: Iterable[Group], first: str, before: str | None) -> Iterator[Group]:
    """Leave out what is of other days too, and counted there: of a damaged payment with several, the first counts."""
    for group in groups:
        day = _text_of(group.day)
        if day is not None and first <= day and (before is None or day < before):
            yield group


class _Wanted:
    """What the filters mean of a group; the days from `first` on, and those before `before`, where one is given."""

    def __init__(self, filters: Mapping[str, Any]) -> None:
        self._rest = [filters.get(name) for name in ("currency", "direction", "status")]
        self.first: str = filters.get("paid_from", "")
        self.before: str | None = f"{filters['paid_to']}\0" if "paid_to" in filters else None

    def has(self, group: Group) -> bool:
        day = _text_of(group.day) or ""
        in_days = self.first <= day and (self.before is None or day < self.before)
        return in_days and self.has_rest(group[1:4])

    def has_rest(self, names: Iterable[Any]) -> bool:
        return all(wanted is None or wanted == name for wanted, name in zip(self._rest, names, strict=True))


def _text_of(day: Any) -> str | None:
    if isinstance(day, list):
        return min((each for each in day if isinstance(each, str)), default=None)
    return _text(day)


def _month_of(day: Any) -> str | None:
    return day[:7] if isinstance(day, str) and _DAY.fullmatch(day) else None


def _following(month: str) -> str:
    """Return the month after: what begins with this one, and no other day, comes before it."""
    year, number = int(month[:4]), int(month[5:])
    return f"{year + 1:04}-01" if number == 12 and year < 9999 else f"{year:04}-{number + 1:02}"


def _sums(groups: Iterable[Group]) -> Sums:
    """Return what groups come to by month; what can't be read has a sum of its own."""
    sums: Sums = {}
    months: dict[Any, str | None] = {}
    is_money: dict[str | None, bool] = {}
    for place, (day, *names, count, total) in enumerate(groups):
        if place % AT_ONCE == 0:
            time.sleep(0)  # lets others run
        day = _text(day)
        if day not in months:
            months[day] = _month_of(day)
        currency, direction, status = (_text(name) for name in names)
        if currency not in is_money:
            is_money[currency] = shown_amount(0, currency) is not None
        key = (months[day], currency, direction, status, total is not None and is_money[currency])
        before = sums.get(key, (0, 0))
        sums[key] = (before[0] + count, before[1] + (total or 0))
    return sums


def _add(sums: Sums, added: Iterable[tuple[Key, tuple[int, int]]]) -> None:
    for place, (key, (count, total)) in enumerate(added):
        if place % AT_ONCE == AT_ONCE - 1:
            time.sleep(0)  # lets others run
        before = sums.get(key, (0, 0))
        sums[key] = (before[0] + count, before[1] + total)


def _rows(sums: Sums) -> list[dict[str, Any]]:
    """Return a row for each sum; what can't be read has one without a total."""
    rows = []
    for place, key in enumerate(sorted(sums, key=lambda key: [(part is None, part or "") for part in _sorted_by(key)])):
        if place % AT_ONCE == AT_ONCE - 1:
            time.sleep(0)  # lets others run
        month, currency, direction, status, is_readable = key
        count, total = sums[key]
        row = {"currency": currency, "direction": direction, "status": status, "month": month, "count": count}
        rows.append({**row, "total": shown_amount(total, currency) if is_readable else None})
    return rows


def _sorted_by(key: Key) -> tuple[str | None, ...]:
    return (*key[:4], "" if key[4] else None)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
