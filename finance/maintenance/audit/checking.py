"""One series is checked while somebody waits for it: as the audit does, within a few seconds, and stored."""

import time
from datetime import timedelta

from finance import database
from finance.asked import Asked
from finance.database import Db, DriverError
from finance.errors import NotFound, Unavailable
from finance.maintenance.audit.series import GRACE_S, audit_series, count_causes
from finance.maintenance.audit.stored import NumberCheck, check_of, store_checks
from finance.maintenance.audit.walk import Walk
from finance.maintenance.kinds import AUDITED, MaintainedKind
from finance.maintenance.series import find_one_series
from finance.numbering.series import Series

CHECK_S = 6.5  # of the 8 s that a request has; what is left is for storing the check and showing it
COMMAND = "scripts/audit_numbers.py"


class SeriesNotFound(NotFound):
    detail_default = "No number was given in this series yet."


class CheckTooLong(Unavailable):
    """The series has more numbers than can be read while somebody waits."""

    extra_members = {"command": "What checks this series, however long it takes."}

    def __init__(self, series: Series) -> None:
        command = command_for(series.counter_id)
        super().__init__(
            "This series has more numbers than can be checked while you wait, and the last check stands as it is. "
            f"Whoever runs the service checks it with {command}",
            extra={"command": command},
        )


def command_for(counter_id: str, *options: str) -> str:
    """Return the command that checks this series alone."""
    return " ".join((COMMAND, "--series", counter_id, *options))


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


def _let_others_run(_read: int) -> None:
    """Let the other requests of this process have their turn: in our workers they are greenlets of one thread."""
    time.sleep(0)
