"""What an import says of its source, and of its rows."""

from collections.abc import Sequence

from rich.console import Console

from finance.database import Db
from finance.edge.hints import nearest
from finance.maintenance import cli
from finance.numbering import counters
from finance.payments.foreign_rows import Import
from finance.payments.imports import RowVerdict
from finance.payments.mapping import FieldMap
from finance.payments.model import payment_series
from finance.payments.survey import SeriesFound, Survey

NOT_READ_SHOWN_MAX = 20


def tell_fields(out: Console, run: Import, survey: Survey, *, named: Sequence[tuple[str, str]]) -> None:
    """Print what is read from which field, and how many rows have it; raises Stopped where none has one of `named`."""
    for option, theirs in named:
        if not _count(survey, theirs):
            meant = nearest(theirs, survey.theirs)
            hint = f"did you mean {meant}?" if meant else f"there are: {', '.join(sorted(survey.theirs)) or 'none'}."
            raise cli.Stopped(f"{option}: no row has a field {theirs!r}; {hint}")
    for ours, theirs in run.fields.theirs_by_ours.items():
        if _count(survey, theirs):
            out.print(f"  {ours} from {theirs}: {_share(survey, theirs)}", markup=False)
    for ours, value in run.fields.constants.items():
        out.print(f"  {ours} is {value}", markup=False)
    read = {_top(survey, theirs) for theirs in (*run.fields.theirs_by_ours.values(), *(name for _, name in named))}
    left = [name for name in survey.theirs if name not in read and name != "_id"]
    if left:
        shown = ", ".join(left[:NOT_READ_SHOWN_MAX]) + (", …" if len(left) > NOT_READ_SHOWN_MAX else "")
        out.print(f"  not read: {shown}".encode(errors="backslashreplace").decode(), markup=False)


def tell_series(out: Console, db: Db, series: Sequence[SeriesFound]) -> None:
    """Print how far each series counts, and which numbers a clock made."""
    for one in series:
        of_year = payment_series(one.tenant, one.year)
        after = of_year.format(max(one.last, counters.peek(db, of_year) or 0) + 1)
        counted = f"{one.counted:,} numbers from {of_year.format(one.first)} to {of_year.format(one.last)}"
        holes = f", {one.holes:,} missing" if one.holes else ""
        out.print(f"{one.tenant} {one.year}: {counted if one.counted else 'none'}{holes}; goes on with {after}")
        if one.clocks:
            more = ", …" if one.clocks > len(one.clocks_shown) else ""
            out.print(f"  {one.clocks:,} from a clock: {', '.join(one.clocks_shown)}{more}", markup=False)
    if any(one.clocks for one in series):
        out.print("They keep their numbers, and the series goes on below them: --last-number says otherwise.")


def tell_rows(out: Console, verdicts: Sequence[RowVerdict], *, applied: bool, all_of_them: bool) -> None:
    """Print a line for each row that isn't simply taken or unchanged, or for each."""
    for verdict in verdicts:
        if not all_of_them and verdict.verdict in ("imported", "unchanged"):
            continue
        word = "would be imported" if verdict.verdict == "imported" and not applied else verdict.verdict
        number = f" {verdict.payment_number}" if verdict.payment_number else ""
        said = "".join(f"\n    {problem}" for problem in verdict.problems)
        out.print(f"{cli.shown(verdict.place)}:{number} {word}{said}", markup=False, soft_wrap=True)


def tell_values_unmet(out: Console, fields: FieldMap) -> None:
    """Print which values of `--value` no row has: one that is misspelt does nothing."""
    for name, known in fields.values.items():
        for theirs in known:
            if (name, theirs) not in fields.values_met:
                out.print(f"--value {name}:{theirs}: no row that could be read has it.", markup=False)


def _top(survey: Survey, theirs: str) -> str:
    """Return the field in which a field of theirs is: user.name is in user, if no column is called so."""
    names = (theirs, theirs.lower(), theirs.split(".")[0], theirs.split(".")[0].lower())
    return next((name for name in names if name in survey.theirs), theirs)


def _count(survey: Survey, theirs: str) -> int:
    return survey.theirs[_top(survey, theirs)]


def _share(survey: Survey, theirs: str) -> str:
    return f"{100 * _count(survey, theirs) // survey.rows} %"
