"""Which collection is looked at, what its fields are called, and which series a document's fresh number comes from.

Our own collections say it themselves (`ours`). For one that other software filled (`foreign`) the caller names the
fields, and the series is read from the number: PAY20260006 is of the series PAY2026, at least four digits wide.
Its counter is `counters` {_id: "<collection>.<number field>:<scope>:PAY2026"} in the same database.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from bson import ObjectId, json_util
from pymongo.collection import Collection as MongoCollection

from finance.database import Db, Document, require_ours, standing_indexes
from finance.indexes import INDEXES, Index
from finance.maintenance import fields
from finance.maintenance.fields import Coverage
from finance.maintenance.kinds import MaintainedKind
from finance.maintenance.series import newest_accounted
from finance.numbering.kinds import NumberedKind
from finance.numbering.series import Series
from finance.ownership import DatabaseNotOurs, foreign_unique_indexes, has_foreign_documents

PREVIOUS_FIELD = "previous_numbers"
CREATED_FIELD = "createdAt"  # where none is named; without it the time in the id counts
FOREIGN_DIGITS_MIN = 4
FOREIGN_DIGITS_MAX = 9  # longer ones, without a year before them, are clocks (PAY1767225600123)
# A number wider than the series' own width is one of it only where the numbers lead there without a larger leap:
# PAY2026123456 among three hundred documents is a time of day. Fresh ones made after it would all be as long.
SEQUENCE_LEAP_MAX = 1_000

Progress = Callable[[int], None]
Clock = Callable[[], datetime]

# What a unique index of another software's numbers holds: those of any type, but not the documents without one, which
# old software leaves out or null. MongoDB takes no `$ne: null` here, and `$exists: true` would count null.
_OF_ANY_TYPE = ["string", "number", "object", "array", "binData", "objectId", "bool", "date"]

_ENDS_IN_DIGITS = re.compile(r"(.*?[^0-9])([0-9]{1,18})", re.ASCII | re.DOTALL)
_YEAR_FIRST = re.compile(r"((?:19|20)[0-9]{2})([0-9]{4,14})", re.ASCII)


@dataclass(frozen=True)
class Target:
    """Documents whose number must be unique within `scope_fields`. `unique_index` is what must stand in the end."""

    db: Db
    numbered: NumberedKind
    scope_fields: tuple[str, ...]
    created_field: str
    unique_index: Index
    earlier_index: Index | None = None  # what earlier versions built in its place, which protects less
    maintained: MaintainedKind | None = None  # where it is one of ours
    # Where an index makes the number unique in the whole collection, fresh ones are counted for all scopes together.
    counts_all_scopes: bool = False
    # Whether documents without a number are duplicates of each other, as they are for an index that is not partial.
    missing_is_a_number: bool = False
    coverage: Coverage | None = None  # of the named fields, where a caller named them

    @property
    def collection_name(self) -> str:
        return self.numbered.collection

    @property
    def collection(self) -> MongoCollection[Document]:
        return self.db[self.numbered.collection]

    @property
    def number_field(self) -> str:
        return self.numbered.number_field

    @property
    def is_ours(self) -> bool:
        return self.maintained is not None

    @property
    def read_fields(self) -> tuple[str, ...]:
        """What a plan needs of a document, beside its scope and number."""
        return (*self.maintained.series_fields, "number_seq", "history") if self.maintained else ()

    def as_document(self) -> Document:
        """Return what names this target in a stored run; `from_document` makes it again."""
        return {
            "collection": self.collection_name,
            "number_field": self.number_field,
            "scope": list(self.scope_fields),
            "created_field": self.created_field,
            "kind": self.numbered.name if self.is_ours else None,
        }


def ours(db: Db, kind: MaintainedKind) -> Target:
    """Return the target of one of our own collections; raises DatabaseNotOurs, with what to name instead."""
    require_not_foreign(db, kind.numbered.collection)
    require_ours(db)  # a repair writes beside it too
    numbered, keys = kind.numbered, (("tenant", 1), (kind.numbered.number_field, 1))
    return Target(
        db=db,
        numbered=numbered,
        scope_fields=("tenant",),
        created_field="created_at",
        unique_index=next(i for i in INDEXES if i.collection == numbered.collection and i.unique and i.keys == keys),
        maintained=kind,
        missing_is_a_number=True,
    )


def named(db: Db, *, collection: str, number_field: str, scope_fields: Sequence[str], created_field: str) -> Target:
    """Return the target that a caller's options name, as `foreign` does, with the coverage of each of its fields.

    Raises FieldUnknown for a collection that isn't there, and a field that no document has.
    """
    by_option = {"--number-field": [number_field], "--scope": scope_fields}
    if created_field != CREATED_FIELD:
        by_option["--created-field"] = [created_field]
    covered = fields.require_fields(db, collection, by_option=by_option)
    found = foreign(
        db, collection=collection, number_field=number_field, scope_fields=scope_fields, created_field=created_field
    )
    return replace(found, coverage=covered)


def foreign(db: Db, *, collection: str, number_field: str, scope_fields: Sequence[str], created_field: str) -> Target:
    """Return the target of a collection that other software filled. Documents without a number are no concern of it."""
    key = (*scope_fields, number_field)
    standing = db[collection].index_information().values()
    earlier = unique_index(collection, key, partial={number_field: {"$type": "string"}})
    return Target(
        db=db,
        numbered=foreign_kind(collection, number_field),
        scope_fields=tuple(scope_fields),
        created_field=created_field,
        unique_index=replace(
            earlier, name=f"{earlier.name}_of_any_type", partial={number_field: {"$type": _OF_ANY_TYPE}}
        ),
        earlier_index=earlier,
        counts_all_scopes=any(
            found.get("unique") and [name for name, _ in found["key"]] == [number_field] for found in standing
        ),
    )


def foreign_kind(collection: str, number_field: str) -> NumberedKind:
    return NumberedKind(f"{collection}.{number_field}", collection, number_field)


def unique_index(collection: str, fields: Sequence[str], *, partial: Document | None = None) -> Index:
    """Return the index that makes these fields unique together."""
    name = "_".join([*fields, "unique"]).replace(".", "_")
    return Index(collection, name, tuple((field, 1) for field in fields), unique=True, partial=partial)


def from_document(db: Db, document: Mapping[str, Any], kinds: Sequence[MaintainedKind]) -> Target:
    """Return the target that a stored run names."""
    for kind in kinds:
        if kind.numbered.name == document["kind"]:
            return ours(db, kind)
    return foreign(
        db,
        collection=document["collection"],
        number_field=document["number_field"],
        scope_fields=document["scope"],
        created_field=document["created_field"],
    )


def require_not_foreign(db: Db, collection: str, *, created: bool = True) -> None:
    """Raise DatabaseNotOurs where a collection is another software's, with the options that look at its documents.

    Without --created-field (`created`) where the command has none.
    """
    unique = foreign_unique_indexes(collection, standing_indexes(db, collection))
    if not unique and not has_foreign_documents(db, collection):
        return
    proposed = fields.propose(db, collection)
    unknown = "--number-field FIELD " + ("--created-field FIELD " if created else "") + "[--scope FIELDS]"
    options = proposed.options(created=created) if proposed else [unknown]
    said = (*(f"--collection {collection} {one}" for one in options), *(proposed.why if proposed else ()))
    raise DatabaseNotOurs(
        f"{db.name}.{collection} is another software's. Nothing was changed. To look at these documents name their "
        f"fields{', whichever is meant' if len(options) > 1 else ''}:"
        + "".join(f"\n  {line}" for line in said)
        + "\nFor our own, name our database in FINANCE_DATABASE or --database."
    )


def value_at(document: Mapping[str, Any], path: str) -> Any:
    """Return the value at a dotted path; None where there is none, as in an index."""
    value: Any = document
    for name in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def scope_of(target: Target, document: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(value_at(document, name) for name in target.scope_fields)


def series_or_obstacle(target: Target, document: Document) -> Series | str:
    """Return the series that a document's fresh number would be of, or why it can't get one."""
    if not _is_list_or_absent(document, PREVIOUS_FIELD):
        return _no_list(document, PREVIOUS_FIELD)
    if target.maintained is None:
        return _foreign_series(target, document)
    if not _is_list_or_absent(document, "history"):
        return _no_list(document, "history")
    series = target.maintained.series_of(document)
    return series if series is not None else f"no valid {', '.join(('tenant', *target.maintained.series_fields))}"


def newest_number(target: Target, series: Series) -> int:
    """Return the number after which fresh ones of the series go on: the largest that was counted."""
    if target.maintained is not None:
        return newest_accounted(target.db, target.maintained, series)
    return _newest_counted(target, series)


def _foreign_series(target: Target, document: Document) -> Series | str:
    number = value_at(document, target.number_field)
    if not isinstance(number, str):
        return f"the number is not a text ({type(number).__name__})"
    match = _ENDS_IN_DIGITS.fullmatch(number)
    if match is None:
        return "the number is not of the shape letters and digits, as PAY20260006"
    prefix, digits, digits_min = match[1], match[2], len(match[2])
    year = _YEAR_FIRST.fullmatch(digits)
    if year is not None:
        prefix, digits_min = prefix + year[1], FOREIGN_DIGITS_MIN
    elif len(digits) > FOREIGN_DIGITS_MAX:
        return "the number is a clock's, not a counted one"
    values = () if target.counts_all_scopes else scope_of(target, document)
    return Series(
        tenant=_scope_text(values),
        kind=target.numbered.name,
        prefix=prefix,
        digits_min=digits_min,
        period=prefix,
        document_filter=dict(zip(target.scope_fields, values, strict=False)),
    )


def _newest_counted(target: Target, series: Series) -> int:
    """Return the largest number of the series that was counted, by walking its range of the index once.

    In the order of texts, numbers of one width come in their own order. So for each width we see how far they go on
    from its first number; the widths then lead from one to the next, as 9999 leads to 10000.
    """
    # The character after "9" is ":", so these are all numbers that go on with a digit after the prefix.
    of_series = {
        **series.document_filter,
        target.number_field: {"$gte": f"{series.prefix}0", "$lt": f"{series.prefix}:"},
    }
    newest = 0
    reached_by_width = {width: 10 ** (width - 1) - 1 for width in range(series.digits_min + 1, 19)}
    for document in target.collection.find(of_series, {"_id": False, target.number_field: True}):
        number = value_at(document, target.number_field)
        # A list with such a text in it is in the range of the index too, and is no number.
        digits = number[len(series.prefix) :] if isinstance(number, str) else ""
        if re.fullmatch(r"[0-9]{1,18}", digits) is None:
            continue
        number_seq, width = int(digits), len(digits)
        if width <= series.digits_min:
            newest = max(newest, number_seq)
        elif number_seq - reached_by_width[width] <= SEQUENCE_LEAP_MAX:
            reached_by_width[width] = max(reached_by_width[width], number_seq)
    for width, reached in reached_by_width.items():
        if newest < 10 ** (width - 1) - SEQUENCE_LEAP_MAX or reached < 10 ** (width - 1):
            break
        newest = reached
    return newest


def _scope_text(values: Sequence[Any]) -> str:
    """Return scope values as a part of a counter's id."""
    if not values:
        return "*"
    plain = (value if isinstance(value, ObjectId) or _is_word(value) else json_util.dumps(value) for value in values)
    return ",".join(map(str, plain))


def _is_word(value: Any) -> bool:
    """Return whether a text can stand as it is: the text "5" is another scope than the number 5."""
    return isinstance(value, str) and not value.isdigit()


def _is_list_or_absent(document: Mapping[str, Any], name: str) -> bool:
    """Return whether MongoDB can add to this list: it makes one where the field is missing, and refuses null."""
    return name not in document or isinstance(document[name], list)


def _no_list(document: Mapping[str, Any], name: str) -> str:
    return f"{name} is null: remove it or make it []" if document[name] is None else f"{name} is not a list"
