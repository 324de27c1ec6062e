"""Sequences go on here, one after the other: what is done, what is done already, and what is named and left."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console

from finance.asked import Asked
from finance.database import Db, Document
from finance.events import record_event
from finance.maintenance import cli
from finance.maintenance.lease import Lease
from finance.maintenance.migrate.sequences import Taken
from finance.maintenance.migrate.takeover import take_over
from finance.shops import service as shops

BATCH = 100


@dataclass
class Continued:
    """What became of the sequences. `gaps` counts the numbers that were explained by this run."""

    going_on: dict[str, int] = field(default_factory=dict)  # that go on after this number now, or would
    before: dict[str, int] = field(default_factory=dict)  # that did so already
    refused: list[Taken] = field(default_factory=list)
    gaps: int = 0
    applied: bool = False

    @property
    def is_right(self) -> bool:
        return not self.refused and (self.applied or not self.going_on)

    def as_json(self) -> Document:
        refused = [{"sequence": one.theirs, "problem": one.problem} for one in self.refused]
        return {"go_on": self.going_on, "went_on_before": self.before, "gaps": self.gaps, "refused": refused}


def go_on(
    db: Db,
    taken: Sequence[Taken],
    *,
    asked: Asked,
    of: tuple[str, str],
    of_database: str,
    held: Lease | None,
    show_all: bool,
    out: Console,
) -> Continued:
    """Let each sequence go on in our database `db`, or say which would, and return what became of them.

    `of` and `of_database` say where they come from, for the event. Without a lease that is held nothing is done.
    """
    done = Continued(applied=held is not None)
    new: list[Taken] = []
    for one in taken:
        if one.series is None:
            done.refused.append(one)
        elif one.goes_on:
            done.before[one.series.counter_id] = one.last
        else:
            new.append(one)
            done.going_on[one.series.counter_id] = one.last
    if done.applied and new:
        about = {"database": of_database, "sequences": len(new)}
        record_event(db, asked, action="sequences_taken_over", of=of, details=about)
    with cli.progress_bar(out, "taking over", len(new)) as progress:
        for at in range(0, len(new) if held is not None else 0, BATCH):
            assert held is not None
            held.require()
            batch = {one.series: one.last for one in new[at : at + BATCH] if one.series is not None}
            for shop in sorted({series.document_filter["shop"] for series in batch}):
                shops.claim_taken_over(db, tenant=asked.tenant, shop=shop, now=asked.now)
            done.gaps += take_over(db, batch, now=asked.now)
            progress(at + len(batch))
    _print(done, show_all, out)
    return done


def _print(done: Continued, show_all: bool, out: Console) -> None:
    words = "goes on" if done.applied else "would go on"
    for counter_id, last in done.going_on.items():
        out.print(f"{counter_id} {words} after {last:,}", markup=False)
    for counter_id, last in done.before.items() if show_all else ():
        out.print(f"{counter_id} goes on after {last:,} already", markup=False)
    for one in done.refused:
        out.print(f"not taken over: {cli.shown(one.theirs)}: {one.problem}", markup=False)
    out.print(
        f"{len(done.going_on):,} sequences {'go' if done.applied else 'would go'} on, {len(done.before):,} did so "
        f"already, {len(done.refused):,} are left; {done.gaps:,} numbers explained."
    )
