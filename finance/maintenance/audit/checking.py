"""One series is checked while somebody waits for it: as the audit does, within a few seconds, and stored."""

import time
from dataclasses import dataclass, replace
from datetime import timedelta

from finance import database
from finance.asked import Asked
from finance.database import Db, DriverError
from finance.errors import NotFound, Unavailable
from finance.maintenance.audit.mending import command_for
from finance.maintenance.audit.series import GRACE_S, audit_series, count_causes
from finance.maintenance.audit.standing import list_unchecked
from finance.maintenance.audit.stored import NumberCheck, check_of, store_checks
from finance.maintenance.audit.walk import Walk
from finance.maintenance.kinds import AUDITED, MaintainedKind
from finance.maintenance.series import find_one_series
from finance.numbering.series import Series
from finance.said import said

AT_ONCE_MAX = 500  # series that one call looks at
JUST_NOW = timedelta(minutes=5)
CHECK_S = 6.5  # of the 8 s that a request has; what is left is for storing the check and showing it


class SeriesNotFound(NotFound):
    detail_default = said("There is no number in this series yet.")


class CheckTooLong(Unavailable):
    """The series has more numbers than can be read while somebody waits."""

    extra_members = {"command": "What checks this series, however long it takes."}

    def __init__(self, series: Series) -> None:
        command = command_for(series.counter_id)
        super().__init__(
            said(
                "This series has more numbers than can be checked while you wait, and the last check stands as it is. "
                "Whoever runs the service checks it with {command}",
                command=command,
            ),
            extra={"command": command},
        )


def get_series(
    db: Db, *, tenant: str, kind: str, scope: str | None, period: str | None
) -> tuple[MaintainedKind, Series]:
    """Return a series of a tenant; raises SeriesNotFound."""
    for maintained in AUDITED:
        if maintained.numbered.name == kind:
            ids = [part for part in (tenant, scope, period) if part is not None]
            series = find_one_series(db, maintained, ids)
            if series is not None:
                return maintained, series
    raise SeriesNotFound


def check_series(
    db: Db,
    asked: Asked,
    *,
    kind: str,
    scope: str | None,
    period: str | None,
    grace_s: float = GRACE_S,
    within_s: float = CHECK_S,
) -> NumberCheck:
    """Check a series of the tenant that asks, store what was found, and return it.

    `asked.now` goes by the server's clock, as reservations do. Raises SeriesNotFound, CheckTooLong (then nothing is
    stored) and DatabaseNotOurs.
    """
    maintained, series = get_series(db, tenant=asked.tenant, kind=kind, scope=scope, period=period)
    database.require_ours(db)
    old_before = asked.now - timedelta(seconds=grace_s)
    walk = Walk(db, maintained, series, old_before=old_before, at=asked.now, progress=_let_others_run)
    try:
        with database.deadline(within_s):
            found = audit_series(walk)
            count_causes(db, found)
    except DriverError as error:
        if not error.timeout:
            raise
        raise CheckTooLong(series) from error
    check = check_of(found, asked, grace_s=grace_s)
    store_checks(db, [check])
    return check


@dataclass(frozen=True)
class Checked:
    """What came of checking all series of a tenant: how many were checked, and how many there was no time for."""

    done: int
    left: int


def check_all_series(db: Db, asked: Asked, *, within_s: float = CHECK_S) -> Checked:
    """Check the series of a tenant as far as the time goes, and store what was found.

    Those that were checked just now come last, and large ones after small ones: what a second call has left to do is
    what takes long.
    """
    series = list_unchecked(db, tenant=asked.tenant, before=asked.now - JUST_NOW, limit=AT_ONCE_MAX)
    ends_s, done = time.monotonic() + within_s, 0
    for state in series:
        left_s = ends_s - time.monotonic()
        now = asked.now + timedelta(seconds=within_s - left_s)
        try:
            check_series(
                db,
                replace(asked, now=now),
                kind=state.kind,
                scope=state.scope,
                period=state.period,
                within_s=max(left_s, 0.001),
            )
        except CheckTooLong:
            break
        except SeriesNotFound:  # removed since: its last check stands
            continue
        done += 1
    return Checked(done, len(series) - done)


def _let_others_run(_read: int) -> None:
    """Let the other requests of this process have their turn: in our workers they are greenlets of one thread."""
    time.sleep(0)
