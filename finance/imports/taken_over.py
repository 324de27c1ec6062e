"""Rows with a payment number: taken over with it, by the same code as `scripts/import_payments.py`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any

from finance.asked import Asked
from finance.database import Db
from finance.errors import Invalid
from finance.imports.model import Import as Upload
from finance.imports.model import Verdict
from finance.imports.new_payments import shown_of
from finance.imports.reading import File, line_of
from finance.maintenance.gaps import explain_missing
from finance.maintenance.kinds import KINDS
from finance.maintenance.lease import Lease, held
from finance.numbering.reasons import ISSUED_BY_OLDER_SYSTEM
from finance.payments import imports
from finance.payments.foreign_rows import Import, Tenants
from finance.payments.imports import RowVerdict, survey_of
from finance.payments.mapping import FieldMap
from finance.payments.model import KIND, payment_series
from finance.payments.sources import Source, SourceRow
from finance.payments.survey import SeriesFound, Survey
from finance.said import said

OF_FILES = "payments"  # the name under which the scripts know rows of a file again
HOLES_MAX = 10_000  # each becomes a gap that is explained
PAYMENTS = next(kind for kind in KINDS if kind.numbered.name == KIND)
_VERDICTS: Mapping[str, Verdict] = {
    "imported": "taken_over",
    "unchanged": "unchanged",
    "differs": "differs",
    "twice": "twice",
    "later": "refused",
    "refused": "refused",
}


class TooManyHoles(Invalid):
    """The numbers of a file count so far that a mistake is likelier."""


@dataclass(frozen=True)
class Found:
    """A row as it was judged."""

    line: int
    verdict: Verdict
    number: str | None
    problems: tuple[str, ...]
    shown: Mapping[str, str]


@dataclass(frozen=True)
class TakeOver:
    """The numbered rows of a file, what was found in them, and how far their series count."""

    run: Import
    survey: Survey
    series: list[SeriesFound]
    shown: dict[int, dict[str, str]]

    def judge(self) -> Iterator[list[Found]]:
        """Yield the verdicts, some hundred at a time; nothing is stored."""
        for verdicts in imports.import_rows(self.run, self.survey, apply=False):
            yield [self._found(verdict) for verdict in verdicts]

    def store(self, lines: set[int]) -> Iterator[list[Found]]:
        """Store the rows of these lines, and yield what became of them."""
        source = replace(self.run.source, read=lambda: (r for r in self.run.source.read() if line_of(r.place) in lines))
        for verdicts in imports.import_rows(replace(self.run, source=source), self.survey, apply=True):
            yield [self._found(verdict) for verdict in verdicts]

    def go_on_after(self) -> None:
        """Let each series go on after its last number, before the first row is stored."""
        imports.go_on_after(self.run, self.series)

    def explain_holes(self) -> None:
        """Record why nothing has the numbers that nothing has, so that the audit accounts for them."""
        for one in self.series:
            series = payment_series(one.tenant, one.year)
            explain_missing(
                self.run.db, PAYMENTS, series, last=one.last, reason=ISSUED_BY_OLDER_SYSTEM, now=self.run.asked.now
            )

    def _found(self, verdict: RowVerdict) -> Found:
        line = line_of(verdict.place)
        judged, problems = _VERDICTS[verdict.verdict], verdict.problems
        if verdict.given_to is not None:  # its number is that of a payment here: is it this one?
            judged = "differs" if verdict.given_to else "unchanged"
            problems = (_differs(verdict),) if verdict.given_to else ()
        return Found(line, judged, verdict.payment_number, problems, self.shown.pop(line, {}))


def has_number(row: SourceRow) -> bool:
    """Return whether a row says which number it has."""
    cell = row.values.get("payment_number")
    return cell is not None and (cell.kind != "text" or bool(cell.text.strip()))


def take_over(db: Db, asked: Asked, upload: Upload, file: File, *, fields: FieldMap, timezone: tzinfo) -> TakeOver:
    """Return what is to be taken over of a file; raises TooManyHoles."""
    shown: dict[int, dict[str, str]] = {}

    def read() -> Iterator[SourceRow]:
        for row in file.payments():
            if has_number(row):
                shown[line_of(row.place)] = shown_of(fields, row.values)
                yield row

    source = Source(OF_FILES, upload["name"], read, is_file=True)
    run = Import(db, asked, source, Tenants(asked.tenant), fields, asked.now.astimezone(timezone).date())
    survey, series = survey_of(run, limits={})
    shown.clear()
    for one in series:
        if one.holes > HOLES_MAX:
            written = payment_series(one.tenant, one.year).format(one.last)
            raise TooManyHoles(
                said(
                    "{holes} numbers up to {written} would have no payment. If that number is right, whoever runs the "
                    "service imports the file: docs/import.md.",
                    holes=one.holes,
                    written=written,
                )
            )
    return TakeOver(run, survey, series, shown)


def dump_series(take: TakeOver) -> list[dict[str, Any]]:
    """Return how far the numbers count, as it is kept with the upload."""
    return [
        {"year": one.year, "last": payment_series(one.tenant, one.year).format(one.last), "holes": one.holes}
        | {"counted": one.counted, "clocks": one.clocks}
        for one in take.series
    ]


@contextmanager
def alone(db: Db, upload: Upload) -> Iterator[Lease]:
    """Be the only import, repair or migration of payments meanwhile; raises LeaseHeld, which says who is at work."""
    by = upload.get("stored_by", {}).get("by_name") or upload["key_id"]
    with held(db, PAYMENTS.numbered.collection, doing=f"an import of {upload['name']}", by=str(by)) as lease:
        yield lease


def _differs(verdict: RowVerdict) -> str:
    names = ", ".join(name.removesuffix("_minor") for name in verdict.given_to or ())
    return said("{number} is another here ({names}), and stays as it is.", number=verdict.payment_number, names=names)
