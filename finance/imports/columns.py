"""The names of columns: those of the API, and the titles that our own exports give them in each language."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, reduce

from finance.customers import files as customer_files
from finance.customers.columns import IDENTITIES, LISTS, column_names
from finance.edge.hints import nearest
from finance.imports.model import Kind
from finance.payments import files as payment_files
from finance.payments.mapping import METADATA, OURS, OWN_KEY
from finance.payments.sources import without_zone
from finance.said import said
from finance.tables.cells import UnreadableTable
from finance.text import fold
from finance.wording import LANGUAGES, column_title

REQUIRED = ("amount", "currency", "payer", "method")  # of payments; a customer is known by one of three
_SHOWN_MAX = 60
# What a list of customers calls otherwise than the form has it.
_IN_PARTS = {
    "tds_section": "tds.section",
    "payment_terms_days": "terms_conditions.payment_terms_days",
    "credit_limit": "terms_conditions.credit_limit",
    "currency": "terms_conditions.currency",
}


@dataclass(frozen=True)
class Columns:
    """Which of the columns of a file are read: `ours` by their name there, and the others with what may be meant."""

    ours: Mapping[str, str]
    not_read: tuple[tuple[str, str | None], ...]

    def has(self, name: str) -> bool:
        return name in self.ours.values()


def columns_of(kind: Kind, names: Sequence[str]) -> Columns:
    """Return what the columns of a file are; raises UnreadableTable where the file can't be of this kind."""
    known = names_known(kind)
    ours = {name: found for name in names if (found := _ours(kind, name, known)) is not None}
    _require_once(ours)
    exported = _exported(kind)
    not_read = tuple((name[:_SHOWN_MAX], _meant(name, ours, kind, exported)) for name in names if name not in ours)
    columns = Columns(ours, not_read)
    _require(columns, REQUIRED if kind == "payments" else ())
    if kind == "customers" and not any(columns.has(name) for name in IDENTITIES):
        _require(columns, IDENTITIES[-1:])
    return columns


def _ours(kind: Kind, name: str, known: Mapping[str, str]) -> str | None:
    if kind == "payments":
        if name.startswith(METADATA) and name != METADATA:
            return name
        return known.get(fold(without_zone(name)))
    head, _point, rest = name.partition(".")
    return name if rest and head in _parts() else known.get(fold(name))


@cache
def names_known(kind: Kind) -> Mapping[str, str]:
    """Return the columns that are read, by each folded name that they may have."""
    read = (*OURS, OWN_KEY) if kind == "payments" else tuple(column_names())
    called = {name: name for name in read if "." not in name} | (_IN_PARTS if kind == "customers" else {})
    titles = {fold(column_title(name, language)): ours for name, ours in called.items() for language in LANGUAGES}
    return titles | {fold(name): ours for name, ours in called.items()} | {fold(name): name for name in read}


@cache
def _parts() -> frozenset[str]:
    return frozenset(name.partition(".")[0] for name in column_names() if "." in name) | frozenset(LISTS)


@cache
def _exported(kind: Kind) -> frozenset[str]:
    """Return the names of the columns that our exports have and that nothing is read of."""
    table = payment_files.EXPORTED if kind == "payments" else customer_files.EXPORTED
    titles = (column_title(name, language) for name in table.columns for language in LANGUAGES)
    return frozenset(fold(name) for name in (*table.columns, *titles))


def _meant(name: str, ours: Mapping[str, str], kind: Kind, exported: frozenset[str]) -> str | None:
    """Return which column was probably meant, of those that the file hasn't."""
    if fold(without_zone(name)) in exported:
        return None
    wanted = OURS if kind == "payments" else tuple(column_names())
    return nearest(name, [one for one in wanted if one not in ours.values()])


def _require_once(ours: Mapping[str, str]) -> None:
    by_ours: dict[str, str] = {}
    for theirs, name in ours.items():
        if name in by_ours:
            raise UnreadableTable(
                said(
                    "The columns {one!r} and {other!r} are the same: keep one of them.",
                    one=by_ours[name],
                    other=theirs,
                )
            )
        by_ours[name] = theirs


def _require(columns: Columns, names: Iterable[str]) -> None:
    missing = [name for name in names if not columns.has(name)]
    if missing:
        problem = reduce(
            lambda before, text: said("{before} {text}", before=before, text=text), _missing(columns, missing)
        )
        raise UnreadableTable(said("The first line must name the columns. {problem}", problem=problem))


def _missing(columns: Columns, missing: Iterable[str]) -> Iterator[str]:
    for name in missing:
        near = [theirs for theirs, meant in columns.not_read if meant == name]
        if near:
            yield said("{name} is missing (is it {near!r}?).", name=name, near=near[0])
        else:
            yield said("{name} is missing.", name=name)
