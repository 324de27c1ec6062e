"""How the numbers of a tenant stand: every series with its last check. No number is read here, however many there are.

A series is known by its counter or its last check. One that has neither, because its counter was removed, the next
audit finds.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from finance.database import Db
from finance.maintenance.audit.stored import NumberCheck, find_checks
from finance.maintenance.kinds import AUDITED, MaintainedKind
from finance.numbering import counters
from finance.numbering.series import Series

SERIES_MAX = 5_000  # of one tenant and kind: 50 shops for eight years. Beyond it the page says that it is cut
PAGE_SIZE = 50
_ENDLESS = "all"  # the period of a shop whose numbers never begin again
_KIND_ORDER = [kind.numbered.name for kind in AUDITED]


@dataclass(frozen=True)
class SeriesState:
    """One series: its last check, None where there is none that can be read, and what its counter says now.

    `counter_seq` is the number that the counter gave last, None where it can't be read.
    """

    kind: str
    scope: str | None
    period: str | None
    check: NumberCheck | None
    counter_seq: int | None

    @property
    def given_since(self) -> int | None:
        """How many numbers the counter gave since the check; negative where somebody set it back; None if unknown."""
        if self.check is None or self.counter_seq is None:
            return None
        return self.counter_seq - self.check.counter_seq


@dataclass(frozen=True)
class Summary:
    """How many series there are, how many were checked, and in how many of these something is `wrong`: in `missing` of
    them a number that nothing explains.

    Each of them stood so at `as_of` or later. `is_cut` where there are more than are counted.
    """

    series: int
    checked: int
    wrong: int
    missing: int
    as_of: datetime | None
    newest_check: datetime | None
    is_cut: bool = False

    @property
    def unchecked(self) -> int:
        return self.series - self.checked

    @property
    def is_accounted_for(self) -> bool:
        return self.series > 0 and not self.wrong and not self.unchecked


@dataclass(frozen=True)
class Standing:
    """A page of series, the newest first, and the summary of all. `position` begins the next page, None at the end."""

    rows: list[SeriesState]
    summary: Summary
    begin: int
    position: int | None

    @property
    def newer(self) -> int:
        """The position at which the page before this one begins."""
        return max(0, self.begin - PAGE_SIZE)


@dataclass(frozen=True)
class _Known:
    kind: str
    scope: str | None
    period: str | None
    is_whole: bool | None = None  # None: not checked
    missing: int = 0
    checked_at: datetime | None = None

    @property
    def is_readable(self) -> bool:
        """Return whether this is what a check stores: one that is damaged is as if it weren't there."""
        names = all(part is None or isinstance(part, str) for part in (self.scope, self.period))
        says = (
            isinstance(self.is_whole, bool) and isinstance(self.missing, int) and isinstance(self.checked_at, datetime)
        )
        return names and says and self.kind in _KIND_ORDER

    @property
    def ids(self) -> list[str]:
        return [part for part in (self.scope, self.period) if part is not None]


def read_summary(db: Db, *, tenant: str) -> Summary:
    """Return how all series of a tenant stand, as far as they were checked."""
    return _summary(_known(db, tenant))


def list_standing(db: Db, *, tenant: str, begin: int = 0, limit: int = PAGE_SIZE) -> Standing:
    """Return a page of the series of a tenant from the position `begin`. What is wrong isn't looked for here."""
    known = _known(db, tenant)
    ordered = _newest_first(known.values())
    rows = ordered[begin : begin + limit]
    position = begin + limit if begin + limit < len(ordered) else None
    return Standing(_states(db, tenant, rows), _summary(known), begin, position)


def list_wrong(db: Db, *, tenant: str, limit: int = PAGE_SIZE) -> list[SeriesState]:
    """Return the series, at most `limit`, whose last check found a number that nothing explains."""
    wrong = [known for known in _known(db, tenant).values() if known.is_whole is False]
    return _states(db, tenant, _newest_first(wrong)[:limit])


def list_unchecked(db: Db, *, tenant: str, before: datetime, limit: int) -> list[SeriesState]:
    """Return the series that weren't checked since `before`, at most `limit`: those that have the fewest numbers first.

    Where all were, all of them.
    """
    known = _newest_first(_known(db, tenant).values())
    waiting = [one for one in known if one.checked_at is None or one.checked_at < before] or known
    return sorted(_states(db, tenant, waiting[:limit]), key=lambda state: state.counter_seq or 0)


def read_state(db: Db, series: Series) -> SeriesState:
    """Return how one series stands."""
    (state,) = _states(db, series.tenant, [_Known(series.kind, series.scope, series.period)])
    return state


def _known(db: Db, tenant: str) -> dict[str, _Known]:
    """Return every series by its counter's id. Indexes alone answer, and no more than SERIES_MAX of each kind."""
    found: dict[str, _Known] = {}
    for kind in AUDITED:
        for series in _with_counters(db, kind, tenant):
            found[series.counter_id] = _Known(series.kind, series.scope, series.period)
    fields = {"_id": False, **dict.fromkeys(("kind", "scope", "period", "is_whole", "missing", "checked_at"), True)}
    checks = db.number_checks.find({"tenant": tenant}, fields).sort([("period", -1), ("kind", -1), ("scope", -1)])
    for document in checks.limit(SERIES_MAX * len(AUDITED)):
        known = _Known(**document)
        if known.is_readable:
            found[":".join([known.kind, tenant, *known.ids])] = known
    return found


def _with_counters(db: Db, kind: MaintainedKind, tenant: str) -> Iterable[Series]:
    """Yield the series of a kind that have a counter: `payment:acme:…`, or `customer:acme` where it is the only one."""
    name = f"{kind.numbered.name}:{tenant}"
    begins_so = {"$gte": f"{name}:", "$lt": f"{name};"}
    ids = begins_so if kind.series_fields else {"$eq": name}
    for counter in db.counters.find({"_id": ids}, {"_id": True}).sort("_id", -1).limit(SERIES_MAX):
        series = kind.series_of_counter(counter["_id"].split(":")[1:])
        if series is not None:
            yield series


def _summary(known: dict[str, _Known]) -> Summary:
    checked = [one.checked_at for one in known.values() if one.checked_at is not None]
    return Summary(
        series=len(known),
        checked=len(checked),
        wrong=sum(one.is_whole is False for one in known.values()),
        missing=sum(one.is_whole is False and one.missing > 0 for one in known.values()),
        as_of=min(checked, default=None),
        newest_check=max(checked, default=None),
        is_cut=any(sum(one.kind == kind for one in known.values()) >= SERIES_MAX for kind in _KIND_ORDER),
    )


def _newest_first(known: Iterable[_Known]) -> list[_Known]:
    """Return series in the order of their periods: a year before its months, what has no end with the newest year."""
    listed = list(known)
    years = [one.period.removeprefix("FY") for one in listed if one.period and one.period != _ENDLESS]
    newest_year = max(years, default="9999")[:4]

    def place(one: _Known) -> str:
        period = (one.period or _ENDLESS).replace(_ENDLESS, newest_year).removeprefix("FY")
        return f"{period}~" if len(period) == len("2026") else period

    by_name = sorted(listed, key=lambda one: (_KIND_ORDER.index(one.kind), one.scope or ""))
    return sorted(by_name, key=place, reverse=True)


def _states(db: Db, tenant: str, rows: list[_Known]) -> list[SeriesState]:
    ids = [":".join([row.kind, tenant, *row.ids]) for row in rows]
    checks, seqs = find_checks(db, ids, tenant=tenant), counters.peek_each(db, ids)
    return [
        SeriesState(row.kind, row.scope, row.period, checks.get(counter_id), seqs[counter_id])
        for row, counter_id in zip(rows, ids, strict=True)
    ]
