"""A long list of objects in a body: read and judged row by row, so that others have their turn in between.

A body of thousands of rows is larger than others may be, and takes a tenth of a second to judge. So no more than a few
rows are read at a time, each from a piece of the text that is no longer than a row may be.
"""

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NoReturn

import orjson
from flask import Response
from marshmallow import Schema, ValidationError

from finance.edge import hints
from finance.edge.arguments import refuse
from finance.edge.bodies import as_text, not_json, parse_json, parse_value, read_body, require_object
from finance.edge.items import ERRORS_MAX, Items, count_messages
from finance.edge.loading import Loader
from finance.edge.replies import Reply, as_json
from finance.errors import Invalid, NotParseable
from finance.said import said

AT_ONCE = 8  # rows between two turns of the others: a quarter of a millisecond
SMALL_BYTES = 32 * 1024  # a body that is read at once, as all others are
# A row is first looked for in a short piece: copying a long one for each would take longer than to read it.
ROW_CHARACTERS = (2_048, 256 * 1024)
CHUNK_BYTES = 64 * 1024

_SPACE = re.compile(r"[ \t\n\r]*+")


class Rows:
    """Loads a body `{"<name>": [row, …]}` by a schema whose only field is such a list; `bytes_max` is its own limit."""

    def __init__(self, schema: Schema, *, bytes_max: int) -> None:
        self._schema = schema
        [(self._name, items)] = schema.load_fields.items()
        row_schema = hints.schema_of(items)
        if not isinstance(items, Items) or row_schema is None:
            raise TypeError(f"{self._name} is no list of objects")
        self._items = items
        self._loader = Loader(row_schema)
        self._bytes_max = bytes_max

    def load(self) -> list[Any]:
        """Return the rows of the body, loaded; raises Invalid, and what reading a body raises."""
        raw = read_body(bytes_max=self._bytes_max)
        rows = self._rows_of_small(raw) if len(raw) <= SMALL_BYTES else self._rows_of_large(as_text(raw))
        loaded: list[Any] = []
        errors: dict[int, Any] = {}
        collected = 0
        for position, row in enumerate(rows):
            try:
                loaded.append(self._load_row(row))
            except ValidationError as refused:
                errors[position] = refused.messages
                collected += count_messages(refused.messages)
                if collected >= ERRORS_MAX:
                    break
            if position % AT_ONCE == AT_ONCE - 1:
                time.sleep(0)  # lets others run
        if errors:
            self._refuse({self._name: errors})
        return loaded

    def _load_row(self, row: Any) -> Any:
        return self._loader.load(row) if isinstance(row, dict) else self._items.inner.deserialize(row)

    def _rows_of_small(self, raw: bytes) -> list[Any]:
        body = require_object(parse_json(raw))
        if set(body) != {self._name}:
            unknown = {name: hints.UNKNOWN for name in body if name != self._name}
            self._refuse(unknown or {self._name: [said("is required.")]})
        self._check_length(body[self._name])
        return list(body[self._name])

    def _rows_of_large(self, text: str) -> Iterator[Any]:
        """Yield the rows of a body, each when it is its turn."""
        reader = _Reader(text)
        reader.take("{")
        if reader.sign() == "}":
            self._refuse({self._name: [said("is required.")]})
        name = reader.name()
        if name != self._name:
            self._refuse({name: hints.UNKNOWN})
        if reader.sign() != "[":
            self._check_length(reader.value())
        reader.take("[")
        count = 0
        while reader.sign() != "]" or count:
            if count == self._items.length_max:
                self._check_length([None] * (count + 1))
            yield self._read_row(reader, count)
            count += 1
            if reader.sign() == "]":
                break
            reader.take(",")
        self._check_length([None] * count)
        reader.take("]")
        if reader.sign() == ",":
            reader.take(",")
            self._refuse_second(reader.name())
        reader.take("}")
        reader.end()

    def _read_row(self, reader: "_Reader", position: int) -> Any:
        try:
            return reader.value()
        except Invalid as refused:
            here = f"/{self._name}/{position}"
            errors = [replace(error, pointer=f"{here}{error.pointer}") for error in refused.errors]
            raise Invalid(refused.detail, errors=errors) from None

    def _refuse_second(self, name: str) -> NoReturn:
        if name == self._name:
            raise NotParseable(said("The member {name!r} stands twice in one object.", name=name))
        self._refuse({name: hints.UNKNOWN})

    def _check_length(self, value: Any) -> None:
        try:
            self._items.check_length(value)
        except ValidationError as refused:
            self._refuse({self._name: refused.messages})

    def _refuse(self, messages: Mapping[str, Any]) -> NoReturn:
        refuse(ValidationError(dict(messages)), self._schema, location="json")


class _Reader:
    """Reads a text sign by sign and value by value."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def sign(self) -> str:
        """Return the next character that is no space; "" at the end."""
        self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]  # also matches nothing
        return self._text[self._at : self._at + 1]

    def take(self, sign: str) -> None:
        if self.sign() != sign:
            raise self._not_json(f"Expecting '{sign}'", self._at)
        self._at += 1

    def end(self) -> None:
        if self.sign():
            raise self._not_json("Extra data", self._at)

    def name(self) -> str:
        """Return the name of the member that begins here, and go on to its value."""
        if self.sign() != '"':
            raise self._not_json("Expecting property name enclosed in double quotes", self._at)
        name = str(self.value())
        self.take(":")
        return name

    def value(self) -> Any:
        """Return the value that begins here. It costs no more than the longest row, whatever comes after it."""
        self.sign()
        for characters in ROW_CHARACTERS:
            piece = self._text[self._at : self._at + characters]
            try:
                value, length = parse_value(piece)
            except json.JSONDecodeError as error:
                if len(piece) < characters:  # it ends with the text
                    raise self._not_json(error.msg, self._at + error.pos) from None
                continue
            self._at += length
            return value
        raise self._not_json("no JSON, or longer than a row may be", self._at)

    def _not_json(self, message: str, at: int) -> NotParseable:
        return not_json(self._text, json.JSONDecodeError(message, self._text, at))


def rows_reply(
    rows: Iterable[Mapping[str, Any]],
    dump: Callable[[Any], Mapping[str, Any]],
    *,
    status: int,
    replayed: bool,
) -> Response:
    """Return all rows as JSON. It leaves in pieces, each of which a slow client has its own time to take."""
    encoded: list[orjson.Fragment] = []
    for position, row in enumerate(rows):
        encoded.append(orjson.Fragment(as_json(dump(row))))
        if position % AT_ONCE == AT_ONCE - 1:
            time.sleep(0)  # lets others run
    body = as_json({"data": encoded})
    headers = [("Idempotent-Replayed", "true")] if replayed else []
    answer = Reply(body, status=status, content_type="application/json", headers=headers)
    answer.response = [body[start : start + CHUNK_BYTES] for start in range(0, len(body), CHUNK_BYTES)]
    return answer
