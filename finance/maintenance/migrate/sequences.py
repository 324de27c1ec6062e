"""The sequences of an older system, as its collection or a CSV of its table has them: `sequencefacture(boutique_id,
annee, mois, dernier_numero)`. Each leads to a series here, or is named with what is wrong with it.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from finance.database import Db
from finance.errors import Invalid
from finance.invoices.model import KIND
from finance.maintenance import cli
from finance.maintenance.kinds import shop_series
from finance.maintenance.migrate.numbers import whole
from finance.maintenance.migrate.takeover import find_taken_over
from finance.numbering.series import SLUG, Series
from finance.shops import service as shops
from finance.shops.model import Shop
from finance.shops.rules import numbering_on

LAST_NUMBER_MAX = 10_000_000
YEARS = range(2000, 2101)
BYTES_MAX = 100_000_000

Values = tuple[Any, Any, Any, Any]  # of the shop, the year, the month and the last number
Fields = tuple[str, str, str, str]  # what these are called there


class SequencesUnreadable(Invalid):
    """The file holds no sequences, or the map of shops isn't one."""


@dataclass(frozen=True)
class Taken:
    """One sequence as the older system kept it: the series it goes on as, or what is wrong with it."""

    theirs: str
    series: Series | None = None
    last: int = 0
    problem: str = ""
    shop: str = ""  # as it is called there
    goes_on: bool = False  # after `last` already
    nameless_shop: str | None = None  # a shop that has no name here until one is given


def parse_shop_map(text: str) -> dict[str, str]:
    """Return `6=dkr1,7=abj` as a mapping; raises ValueError where two shops would be one, or a name can't be one."""
    pairs = [tuple(part.strip() for part in pair.partition("=")) for pair in text.split(",") if pair.strip()]
    found = {theirs: ours.lower() for theirs, _sign, ours in pairs if theirs and SLUG.fullmatch(ours.lower())}
    if not pairs or len(found) < len(pairs) or len(set(found.values())) < len(found):
        raise ValueError("must be THEIRS=OURS, separated by commas, each shop once, as 6=dkr1,7=abj")
    return found


def read_collection(db: Db, collection: str, fields: Fields) -> Iterator[Values]:
    for document in db[collection].find({}, dict.fromkeys(fields, True)).sort("_id", 1):
        yield tuple(document.get(name) for name in fields)  # type: ignore[misc]


def read_csv(path: Path, fields: Fields) -> Iterator[Values]:
    """Yield the rows of a table that MySQL wrote: with commas, semicolons or tabs, with the names of its columns or,
    where it has just these four, without them. Raises SequencesUnreadable.
    """
    try:
        text = path.read_bytes()[:BYTES_MAX].decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SequencesUnreadable(f"{path.name} isn't text in UTF-8.") from None
    first_line = text.partition("\n")[0]
    delimiter = max(",;\t", key=first_line.count)
    rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
    names = [name.strip() for name in rows[0]] if rows else []
    if set(fields) <= set(names):
        columns, rows = [names.index(name) for name in fields], rows[1:]
    elif len(names) == len(fields) and all(whole(name) is not None for name in names[1:]):
        columns = [0, 1, 2, 3]
    else:
        raise SequencesUnreadable(
            f"{path.name} must have the columns {', '.join(fields)}, or these four in this order without their names."
        )
    for row in rows:
        yield tuple(row[column].strip() if column < len(row) else None for column in columns)  # type: ignore[misc]


def read_sequences(
    db: Db, values: Iterable[Values], *, fields: Fields, tenant: str, shop_map: Mapping[str, str]
) -> list[Taken]:
    """Return what becomes of each sequence in our database `db`, one a series: the largest of several counts."""
    by_series: dict[str, Taken] = {}
    refused: list[Taken] = []
    for one in values:
        taken = _judge(one, _theirs(fields, one), tenant, shop_map)
        if taken.series is None:
            refused.append(taken)
            continue
        known = by_series.get(taken.series.counter_id)
        if known is None or (not known.problem and (taken.problem or taken.last > known.last)):
            by_series[taken.series.counter_id] = taken
    now = cli.server_clock(db)()
    return [*_against_ours(db, tenant, by_series.values(), now), *refused]


def shops_of(taken: Iterable[Taken]) -> set[str]:
    """Return the shops of these sequences, as they are called there."""
    return {one.shop for one in taken}


def _theirs(fields: Fields, values: Values) -> str:
    return " ".join(f"{name}={value}" for name, value in zip(fields, values, strict=True))


def _judge(values: Values, theirs: str, tenant: str, shop_map: Mapping[str, str]) -> Taken:
    shop, (year, month, last) = values[0], map(whole, values[1:])
    plain = shop.strip() if isinstance(shop, str) else str(whole(shop) or "")
    if plain not in shop_map and plain and (shop_map or whole(shop) is not None):
        return Taken(theirs, problem=f"shop {plain} has no name here", nameless_shop=plain)
    slug = shop_map.get(plain, plain.lower())
    if SLUG.fullmatch(slug) is None:
        return Taken(theirs, problem="its shop isn't a name of a-z, 0-9 and -", shop=plain)
    if year not in YEARS or month not in range(1, 13):
        return Taken(theirs, problem="its year and month aren't numbers that can be", shop=plain)
    series = shop_series(KIND, tenant, slug, f"{year:04d}-{month:02d}")
    if last is None or not 0 <= last <= LAST_NUMBER_MAX:
        problem = f"its last number isn't a whole one from 0 to {LAST_NUMBER_MAX:,}"
        return Taken(theirs, series, problem=problem, shop=plain)
    return Taken(theirs, series, last, shop=plain)


def _against_ours(db: Db, tenant: str, of_series: Iterable[Taken], now: datetime) -> Iterator[Taken]:
    """Yield what is taken over, was taken over, or why it can't be: a shop counts otherwise, or gave numbers here."""
    found = list(of_series)
    before = find_taken_over(db, [one.series for one in found if one.series is not None])
    names = {one.series.document_filter["shop"] for one in found if one.series is not None}
    here = {name: shops.find_shop(db, tenant=tenant, shop=name) for name in sorted(names)}
    in_the_way = {name: shops.find_in_the_way(db, tenant=tenant, shop=name, now=now) for name in sorted(names)}
    for one in found:
        assert one.series is not None
        if not one.problem and before[one.series] >= one.last:
            yield replace(one, goes_on=True)
            continue
        name = one.series.document_filter["shop"]
        problem = one.problem or _find_obstacle(db, one.series, one.last, here[name], in_the_way[name])
        yield replace(one, series=None, problem=problem) if problem else one


def _find_obstacle(db: Db, series: Series, last: int, here: Shop | None, in_the_way: str | None) -> str:
    shop, period = series.document_filter["shop"], series.document_filter["period"]
    if here is not None and here["rules"]:
        rule, _period = numbering_on(here["rules"], date.fromisoformat(f"{period}-01"))
        if rule["reset"] != "month":
            return f"{shop} doesn't count by month here: set its reset to month first"
    if in_the_way is not None:
        return f"{in_the_way} writes the same numbers here: change its formats first"
    issued_here = {"tenant": series.tenant, **series.document_filter, "number_seq": {"$gte": 1, "$lte": last}}
    if db.invoices.find_one(issued_here, {"_id": True}) is not None:
        return "invoices of this shop and month have such numbers here already"
    return ""
