"""How a reader wants a file: its language, the separators of a CSV file, whether its texts keep their form in Excel."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from zoneinfo import ZoneInfo

from flask import g, request
from marshmallow import Schema

from finance.edge.arguments import Arguments
from finance.edge.fields import Choice
from finance.said import said
from finance.wording import LANGUAGES, Language

_DELIMITERS = {",": ",", ";": ";", "\t": "\t", "tab": "\t"}
_TRUTH = ("true", "false")


class WorkbookOptionsSchema(Schema):
    """What may be said of every file, beside its filters."""

    language = Choice(LANGUAGES, name="Language", metadata={"description": "Of titles. Default: Accept-Language."})


class CsvOptionsSchema(Schema):
    """What may be said of a CSV file, beside its filters."""

    language = Choice(
        LANGUAGES, name="Language", metadata={"description": "Of the titles. Default: the names in the API."}
    )
    delimiter = Choice(
        tuple(_DELIMITERS),
        right=said("must be , or ; or a tab (%09, or the word tab)"),
        load_default=",",
        metadata={"description": "What stands between cells."},
    )
    decimal = Choice((".", ","), load_default=".", metadata={"description": "What stands before decimals."})
    text = Choice(
        ("plain", "excel"),
        load_default="plain",
        metadata={
            "description": 'excel: times without their offset, and 00123 as ="00123", so that Excel keeps its zeros.'
        },
    )
    closing_line = Choice(
        _TRUTH, load_default="false", metadata={"description": "Ends the file with its rows and their SHA-256."}
    )


@dataclass(frozen=True)
class FileOptions:
    """How a file is wanted. `named_language` is None where the titles are the names in the API."""

    language: Language = "en"
    named_language: Language | None = None
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    delimiter: str = ","
    decimal: str = "."
    for_excel: bool = False
    closing_line: bool = False


SCHEMA_BY_FORMAT: Mapping[str, Schema] = {"csv": CsvOptionsSchema(), "xlsx": WorkbookOptionsSchema()}
_ARGUMENTS = {name: Arguments(schema, location="query") for name, schema in SCHEMA_BY_FORMAT.items()}


def leave_options(file_format: str) -> None:
    """Leave the filters alone to who reads this request's query next."""
    g.taken_parameters = SCHEMA_BY_FORMAT[file_format].fields.keys()


def load_options(file_format: str, *, zone: ZoneInfo) -> FileOptions:
    """Return what this request says of its file; raises Invalid."""
    said = _ARGUMENTS[file_format].load_only(SCHEMA_BY_FORMAT[file_format].fields.keys(), request.args.to_dict())
    named: Language | None = said.get("language")
    return FileOptions(
        language=named or accepted_language(),
        named_language=named,
        zone=zone,
        delimiter=_DELIMITERS[said.get("delimiter", ",")],
        decimal=said.get("decimal", "."),
        for_excel=said.get("text") == "excel",
        closing_line=said.get("closing_line") == "true",
    )


def accepted_language() -> Language:
    """Return the language that this request's reader has; English where it isn't said."""
    return cast(Language, request.accept_languages.best_match(LANGUAGES, LANGUAGES[0]))


def filters_said() -> dict[str, str]:
    """Return what this request says of which rows it wants, as it was sent."""
    taken: Any = g.get("taken_parameters", ())
    sent = {name: value for name, value in request.args.to_dict().items() if name not in taken}
    return {**{name: str(value) for name, value in (request.view_args or {}).items()}, **sent}
