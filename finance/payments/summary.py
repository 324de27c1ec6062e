"""What the payments of a list come to: exactly, per currency, direction, status and month.

A million payments take MongoDB some seconds to add up. So the totals of a month are kept, with how many payments it
had and how many of these were voided. Nothing else that they depend on can change: an amount, a currency, a direction
and a day never do, no payment is ever deleted, and a void is never taken back. While both counts are what they were,
which the keys of an index tell, the totals are too. See docs/decisions/0009.
"""

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from finance.database import Db, Document, DriverError
from finance.errors import Unavailable
from finance.money import shown_amount
from finance.payments import store

# With these filters, the totals of a month are those of some of its groups.
KEPT_FILTERS = frozenset(("paid_from", "paid_to", "currency", "direction", "status"))
KEPT_MAX = 500  # months, of all tenants, in one process
KEPT_FOR = timedelta(hours=1)  # then also what somebody has changed by hand is seen
KEPT_COUNT_MIN = 1_000  # fewer are added up as quickly as they are counted
MONTHS_MAX = 1_200

_DAY = re.compile(r"(\d{4})-(\d{2})-\d{2}", re.ASCII)


class SummaryTakesTooLong(Unavailable):
    detail_default = (
        "These are too many payments to be added up in the time that a request has. "
        "Ask again, what was added up by now is kept; or ask for fewer days."
    )


@dataclass(frozen=True)
class Group:
    """What some payments have in common, how many they are, and what they come to in minor units.

    None is the total of those whose amount can't be read, and whatever else of them isn't as it should be.
    """

    day: Any
    currency: Any
    direction: Any
    status: Any
    count: int
    total_minor: int | None


@dataclass(frozen=True)
class Summary:
    """All that was answered as recorded before `as_of` is in it."""

    as_of: datetime
    data: list[dict[str, Any]]
    totals: list[dict[str, Any]]


@dataclass(frozen=True)
class _Month:
    groups: tuple[Group, ...]
    count: int
    voided: int
    read_at: datetime


class Kept:
    """The months that this process has added up, those that were asked for last."""

    def __init__(self) -> None:
        self._months: OrderedDict[tuple[str, str], _Month] = OrderedDict()

    def find(self, tenant: str, month: str, *, now: datetime) -> _Month | None:
        found = self._months.get((tenant, month))
        if found is None or now - found.read_at > KEPT_FOR:
            return None
        self._months.move_to_end((tenant, month))
        return found

    def keep(self, tenant: str, month: str, read: _Month) -> None:
        if read.count < KEPT_COUNT_MIN:
            self._months.pop((tenant, month), None)
            return
        self._months[tenant, month] = read
        while len(self._months) > KEPT_MAX:
            self._months.popitem(last=False)


def summarize(db: Db, kept: Kept, *, tenant: str, filters: Mapping[str, Any], now: datetime) -> Summary:
    """Return what the payments that the filters mean come to; raises SummaryTakesTooLong."""
    try:
        groups = list(_groups(db, kept, tenant, filters, now))
    except DriverError as error:
        if error.timeout:
            raise SummaryTakesTooLong from error
        raise
    by_month = [_in_month(group) for group in groups]
    in_all = [replace(group, day=None) for group in groups]
    totals = [{name: value for name, value in row.items() if name != "month"} for row in _rows(in_all)]
    return Summary(now, _rows(by_month), totals)


def _groups(db: Db, kept: Kept, tenant: str, filters: Mapping[str, Any], now: datetime) -> Iterator[Group]:
    """Yield the groups that the payments fall into, month by month where that is possible."""
    whole = store.query_of(tenant, filters)
    if not filters.keys() <= KEPT_FILTERS:
        yield from _added_up(db, whole)
        return
    days = store.find_first_and_last_day(db, tenant=tenant, filters=filters)
    months = _months_of(*days) if days else []
    if months is None:
        yield from _added_up(db, whole)
        return
    for month, following in months:
        yield from filter(_wanted(filters), _month(db, kept, tenant, month, following, now).groups)
    if "paid_from" not in filters and "paid_to" not in filters:  # a day that is no text is in no month
        yield from _added_up(db, whole | {"paid_on": {"$not": {"$gte": ""}}})


def _month(db: Db, kept: Kept, tenant: str, month: str, following: str, now: datetime) -> _Month:
    """Return the totals of a month: those that are kept where nothing has changed since."""
    days = {"$gte": month, "$lt": following}
    found = kept.find(tenant, month, now=now)
    if found is not None and (found.count, found.voided) == (
        store.count_of_days(db, tenant=tenant, days=days),
        store.count_of_days(db, tenant=tenant, days=days, status="voided"),
    ):
        return found
    groups = tuple(_added_up(db, {"tenant": tenant, "paid_on": days}))
    voided = sum(group.count for group in groups if group.status == "voided")
    read = _Month(groups, sum(group.count for group in groups), voided, now)
    kept.keep(tenant, month, read)
    return read


def _added_up(db: Db, query: Document) -> Iterator[Group]:
    for found in store.group_totals(db, query):
        key = found["_id"]
        day, currency, direction, status = (key.get(name) for name in ("day", "currency", "direction", "status"))
        yield Group(day, currency, direction, status, count=found["count"], total_minor=found["total"])


def _months_of(first: str, last: str) -> list[tuple[str, str]] | None:
    """Return each month from that of the first day to that of the last, with the one after it.

    Every text from the first to the last lies in one of them. None where one of the two is no day, or where they are
    too many.
    """
    ends = [_DAY.fullmatch(day) for day in (first, last)]
    if ends[0] is None or ends[1] is None:
        return None
    numbers = [int(end[1]) * 12 + int(end[2]) - 1 for end in ends if end is not None]
    if not all(1 <= int(end[2]) <= 12 for end in ends if end is not None) or numbers[1] - numbers[0] >= MONTHS_MAX:
        return None
    names = [f"{number // 12:04}-{number % 12 + 1:02}" for number in range(numbers[0], numbers[1] + 2)]
    return list(pairwise(names))


class _wanted:  # noqa: N801  read as `filter(_wanted(filters), …)`
    def __init__(self, filters: Mapping[str, Any]) -> None:
        self._equal = [(name, filters[name]) for name in ("currency", "direction", "status") if name in filters]
        self._first, self._last = filters.get("paid_from"), filters.get("paid_to")

    def __call__(self, group: Group) -> bool:
        return (
            all(getattr(group, name) == value for name, value in self._equal)
            and (self._first is None or group.day >= self._first)
            and (self._last is None or group.day <= self._last)
        )


def _in_month(group: Group) -> Group:
    is_day = isinstance(group.day, str) and _DAY.fullmatch(group.day) is not None
    return replace(group, day=group.day[:7] if is_day else None)


def _rows(groups: Iterable[Group]) -> list[dict[str, Any]]:
    """Return a row for all groups that differ in the day alone; what can't be read has a row, without a total."""
    counts: dict[tuple[str | None, ...], int] = {}
    totals: dict[tuple[str | None, ...], int | None] = {}
    for group in groups:
        shown = [_text(value) for value in (group.day, group.currency, group.direction, group.status)]
        is_readable = group.total_minor is not None and shown_amount(group.total_minor, group.currency) is not None
        key = (*shown, "" if is_readable else None)
        counts[key] = counts.get(key, 0) + group.count
        totals[key] = (totals.get(key) or 0) + (group.total_minor or 0) if is_readable else None
    rows = []
    for key in sorted(counts, key=lambda key: [(part is None, part or "") for part in key]):
        month, currency, direction, status, _readable = key
        row = {"currency": currency, "direction": direction, "status": status, "month": month, "count": counts[key]}
        rows.append({**row, "total": shown_amount(totals[key], currency)})
    return rows


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
