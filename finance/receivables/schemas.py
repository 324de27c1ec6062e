"""What statements and the ageing are asked with."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, validates_schema

from finance.edge.fields import Count, CurrencyCode, Day, PageCursor
from finance.edge.filters import OF_EXPORTS, OF_LISTS
from finance.said import said

PAGE_SIZE = 50
PAGE_SIZE_MAX = 500  # a printed statement, or a page of an ageing

_ONE_CURRENCY = "Needed where there are several."


class StatementExportSchema(Schema):
    """The days of a statement, both inclusive."""

    fixed = OF_EXPORTS

    first = Day(data_key="from", metadata={"description": "The first day. Default: that of the first document."})
    last = Day(data_key="to", metadata={"description": "The last day. Default: today."})
    currency = CurrencyCode(metadata={"description": _ONE_CURRENCY})

    @validates_schema
    def _check(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        if "first" in data and "last" in data and data["first"] > data["last"]:
            raise ValidationError({"from": [said("must not be after to.")], "to": [said("must not be before from.")]})


class StatementSchema(StatementExportSchema):
    fixed = OF_LISTS

    limit = Count(1, PAGE_SIZE_MAX, load_default=PAGE_SIZE)
    cursor = PageCursor()


class AgeingExportSchema(Schema):
    fixed = OF_EXPORTS

    as_of = Day(metadata={"description": "At the end of which day. Default: today."})
    currency = CurrencyCode(metadata={"description": _ONE_CURRENCY})


class AgeingSchema(AgeingExportSchema):
    fixed = OF_LISTS

    limit = Count(1, PAGE_SIZE_MAX, metadata={"description": "Rows of a page; without it all rows are answered."})
    cursor = PageCursor()

    @validates_schema
    def _check(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        if "cursor" in data and "limit" not in data:
            raise ValidationError({"cursor": [said("needs the parameter limit beside it.")]})
