"""The last check of each series, one document a series in `number_checks`: what pages show, with the time of it.

The numbers themselves are only read by who checks them. Of two checks of one series the later one stays, whichever of
them is stored last.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Literal, get_args, get_origin

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from finance.asked import Asked
from finance.damaged import documents_in
from finance.database import DUPLICATE_KEY, Db, DriverError, deadline
from finance.maintenance.audit import checks
from finance.maintenance.audit.checks import Finding
from finance.maintenance.audit.series import SeriesAudit
from finance.numbering.series import Series

MISSING_KEPT_MAX = 100  # ranges; the counts are of all
DUPLICATES_KEPT_MAX = 20
LATE_KEPT_MAX = 20
REASONS_KEPT_MAX = 50
WRITE_BATCH = 100
STORE_S = 30.0  # an audit doesn't wait longer for a database that takes no writes

Counter = Literal["agrees", "behind", "beyond"]
COUNTERS: tuple[Counter, ...] = get_args(Counter)


@dataclass(frozen=True)
class Range:
    """Numbers side by side, as they are written. A leap of missing ones is never recorded number by number."""

    first: str
    last: str
    count: int
    is_leap: bool = False


@dataclass(frozen=True)
class Reason:
    """How many recorded gaps have a reason."""

    reason: str
    count: int


@dataclass(frozen=True)
class NumberCheck:
    """What one check found in a series, which stood so at `checked_at` or later.

    `accounted_seq` is the newest number that a document has or a gap explains. The counter is `behind` where it would
    give numbers again that are in use (`counter_again` of them), `beyond` where it has given numbers that are neither
    stored nor explained. `late` are recorded gaps whose documents have come. `unused_codes` were handed out for a
    form, `chosen` are documents whose code somebody chose beyond the counter: customers only.
    """

    tenant: str
    kind: str
    scope: str | None
    period: str | None
    first: str | None
    newest: str | None
    newest_seq: int
    accounted_seq: int
    stored: int
    voided: int
    recorded_gaps: int
    reasons: tuple[Reason, ...]
    unused_codes: int
    chosen: int
    missing: int
    missing_ranges: tuple[Range, ...]
    on_their_way: int
    duplicates: int
    duplicate_numbers: tuple[str, ...]
    late: int
    late_ranges: tuple[Range, ...]
    counter: Counter
    counter_seq: int
    counter_again: int
    is_whole: bool
    checked_at: datetime
    took_s: float
    grace_s: float
    by: str
    by_name: str | None

    @property
    def counter_id(self) -> str:
        return ":".join(part for part in (self.kind, self.tenant, self.scope, self.period) if part is not None)

    @property
    def explained(self) -> int:
        """How many numbers have no document, and a reason for that."""
        return self.recorded_gaps + self.unused_codes


def check_of(found: SeriesAudit, asked: Asked, *, grace_s: float) -> NumberCheck:
    """Return what an audit found in a series as it is stored: by whom, and as of when."""
    series, lost = found.series, found.findings.get(checks.UNEXPLAINED, [])
    left = [one for one in lost if one.is_leap] if found.recorded_now else lost
    duplicates, late = (found.findings.get(what, []) for what in (checks.DUPLICATES, checks.RECORDED_AND_STORED))
    late = late if found.counts[checks.RECORDED_AND_STORED] else []
    return NumberCheck(
        **series.identity,  # type: ignore[arg-type]  # a tenant and a kind there always are
        first=_written(series, found.first),
        newest=_written(series, found.newest),
        newest_seq=found.newest or 0,
        accounted_seq=found.newest_accounted,
        stored=found.documents,
        voided=found.voided,
        recorded_gaps=found.recorded_gaps,
        reasons=tuple(Reason(*one) for one in found.gaps_by_cause.most_common(REASONS_KEPT_MAX)),
        unused_codes=found.unused_codes,
        chosen=found.beyond_counter,
        missing=found.counts[checks.UNEXPLAINED],
        missing_ranges=tuple(_range(series, one) for one in left[:MISSING_KEPT_MAX]),
        on_their_way=found.counts[checks.ON_THEIR_WAY],
        duplicates=found.counts[checks.DUPLICATES],
        duplicate_numbers=tuple(series.format(one.first) for one in duplicates[:DUPLICATES_KEPT_MAX]),
        late=found.counts[checks.RECORDED_AND_STORED],
        late_ranges=tuple(_range(series, one) for one in late[:LATE_KEPT_MAX]),
        counter=_counter(found),
        counter_seq=found.counter,
        counter_again=found.counts[checks.COUNTER_BEHIND],
        is_whole=found.is_accounted_for,
        checked_at=found.at or asked.now,
        took_s=round(found.took_s, 3),
        grace_s=grace_s,
        by=asked.by,
        by_name=asked.by_name,
    )


def store_checks(db: Db, made: Iterable[NumberCheck]) -> None:
    """Store the checks, each where no later one of its series is stored. Safe to repeat, and to run twice at once."""
    remaining = iter(made)
    while batch := list(islice(remaining, WRITE_BATCH)):
        try:
            db.number_checks.bulk_write([_storing(check) for check in batch], ordered=False)
        except BulkWriteError as error:
            # An upsert whose filter doesn't match tries to insert: a later check of this series is stored.
            refused = error.details["writeErrors"]
            if error.details["writeConcernErrors"] or any(each["code"] != DUPLICATE_KEY for each in refused):
                raise


@dataclass
class Storing:
    """Stores what an audit finds as it goes on. Where that fails, `failure` says why, and the audit goes on without."""

    db: Db
    asked: Asked
    grace_s: float
    failure: Exception | None = None

    def through(self, found: Iterable[SeriesAudit]) -> Iterator[SeriesAudit]:
        """Yield each series as it was found; it is stored when it has been, a number of them at a time."""
        waiting: list[NumberCheck] = []
        for series in found:
            waiting.append(check_of(series, self.asked, grace_s=self.grace_s))
            if len(waiting) >= WRITE_BATCH:
                self._store(waiting)
                waiting = []
            yield series
        self._store(waiting)

    def _store(self, made: list[NumberCheck]) -> None:
        if self.failure is not None or not made:
            return
        try:
            with deadline(STORE_S):
                store_checks(self.db, made)
        except DriverError as error:
            self.failure = error


def find_checks(db: Db, counter_ids: Iterable[str], *, tenant: str) -> dict[str, NumberCheck]:
    """Return the last check of each of these series, by its counter's id; one that can't be read isn't among them."""
    wanted = {"tenant": tenant, "_id": {"$in": list(counter_ids)}}
    found = ((str(document["_id"]), read_check(document)) for document in db.number_checks.find(wanted))
    return {counter_id: check for counter_id, check in found if check is not None and check.counter_id == counter_id}


def read_check(document: Mapping[str, Any]) -> NumberCheck | None:
    """Return a stored check; None where it is damaged: then the series counts as not checked."""
    given: dict[str, Any] = {name: document.get(name) for name in NumberCheck.__annotations__}
    if not all(isinstance(given[name], kinds) for name, kinds in _TYPES.items()) or given["counter"] not in COUNTERS:
        return None
    try:
        given["reasons"] = tuple(Reason(**one) for one in documents_in(given["reasons"]))
        for name in ("missing_ranges", "late_ranges"):
            given[name] = tuple(Range(**one) for one in documents_in(given[name]))
    except TypeError:  # other fields than theirs
        return None
    given["duplicate_numbers"] = tuple(map(str, given["duplicate_numbers"]))
    return NumberCheck(**given)


def _types_of(annotation: Any) -> tuple[type, ...]:
    """Return the types in which MongoDB gives back what has this annotation."""
    if annotation is float:
        return (float, int)
    if get_origin(annotation) is tuple:
        return (list,)
    if get_origin(annotation) is Literal:
        return (str,)
    return get_args(annotation) or (annotation,)


_TYPES = {name: _types_of(annotation) for name, annotation in NumberCheck.__annotations__.items()}


def _storing(check: NumberCheck) -> UpdateOne:
    values = asdict(check)
    no_later = {"checked_at": {"$not": {"$gte": check.checked_at}}}  # one that is no instant is none
    earlier = {"_id": check.counter_id, "tenant": values.pop("tenant"), **no_later}
    return UpdateOne(earlier, {"$set": values}, upsert=True)


def _counter(found: SeriesAudit) -> Counter:
    if found.counts[checks.COUNTER_BEHIND]:
        return "behind"
    open_ahead = found.counts[checks.UNEXPLAINED] + found.counts[checks.ON_THEIR_WAY]
    return "beyond" if found.counter_ahead and open_ahead else "agrees"


def _range(series: Series, finding: Finding) -> Range:
    return Range(series.format(finding.first), series.format(finding.last), finding.count, finding.is_leap)


def _written(series: Series, number_seq: int | None) -> str | None:
    return None if number_seq is None else series.format(number_seq)
