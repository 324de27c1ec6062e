"""What the filters of all lists share."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, validates_schema

from finance.edge.fields import Text
from finance.said import said
from finance.text import fold

_PAGE = said("is not a parameter here; a list goes on with cursor, which is the next_cursor of the page before.")
_SIZE = said("is not a parameter here; limit says how many rows a page has.")
_ORDER = said("is not a parameter here; sort says it, with - in front of it for the descending order.")
_WHOLE = said("is not a parameter here; an export has every row of its filters.")
# What other services' lists are asked with.
OF_LISTS = (
    dict.fromkeys(("page", "page_number", "offset", "skip", "after", "starting_after"), _PAGE)
    | dict.fromkeys(("per_page", "page_size", "pagesize", "size", "count"), _SIZE)
    | dict.fromkeys(("order", "order_by", "sort_by", "sort_order", "ordering"), _ORDER)
)
OF_EXPORTS = OF_LISTS | dict.fromkeys(("page", "offset", "per_page", "page_size", "limit", "cursor"), _WHOLE)


class NameSearch(Text):
    """How a name, or a word in it, begins. What is nothing but accents would find everything."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not fold(text):
            raise ValidationError(said("must hold a letter, a digit or a sign, and not accents alone."))
        return text


class FiltersSchema(Schema):
    """The filters of a list. Of each range of days, as `paid_from` and `paid_to`, the first must not be after the last.

    Such a list would be empty, and its reader would believe that there is nothing.
    """

    @validates_schema
    def _check_ranges(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        for name, first in data.items():
            other = f"{name.removesuffix('_from')}_to"
            if name.endswith("_from") and other in data and first > data[other]:
                raise ValidationError(
                    {
                        name: [said("must not be after {other}.", other=other)],
                        other: [said("must not be before {name}.", name=name)],
                    }
                )
