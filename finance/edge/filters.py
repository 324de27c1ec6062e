"""What the filters of all lists share."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, validates_schema


class FiltersSchema(Schema):
    """The filters of a list. Of each range of days, as `paid_from` and `paid_to`, the first must not be after the last.

    Such a list would be empty, and its reader would believe that there is nothing.
    """

    @validates_schema
    def _check_ranges(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        for name, first in data.items():
            other = f"{name.removesuffix('_from')}_to"
            if name.endswith("_from") and other in data and first > data[other]:
                raise ValidationError({name: [f"must not be after {other}."], other: [f"must not be before {name}."]})
