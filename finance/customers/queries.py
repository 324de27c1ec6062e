"""Which customers a list or a search asks for."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, pre_load

from finance.customers import checks
from finance.customers.model import SORTS, STATUSES
from finance.customers.schemas import CustomerCode
from finance.edge.fields import Checked, Choice, Count, PageCursor, Text, WholeNumber
from finance.edge.filters import OF_EXPORTS, OF_LISTS, NameSearch
from finance.said import said
from finance.text import fold

PAGE_SIZE = 50
PAGE_SIZE_MAX = 200
IN_A_BODY_ONLY = ("pan_number", "gstin")  # addresses stay in logs and histories, and a GSTIN holds the PAN


class CustomerFiltersSchema(Schema):
    """The filters, the order and the place of one page."""

    fixed = OF_LISTS

    customer_name = NameSearch(
        200, metadata={"description": "How the name, or a word in it, begins; case and accents aside."}
    )
    customer_code = CustomerCode()
    customer_category = Text(60)
    status = Choice(STATUSES, name="CustomerStatus")
    sort = Choice(
        SORTS,
        name="CustomerSort",
        metadata={"description": "Default: customer_name with that filter, otherwise -created_at."},
    )
    cursor = PageCursor()

    @post_load
    def _choose_sort(self, query: dict[str, Any], **kwargs: object) -> dict[str, Any]:
        named = {name: value for name, value in query.items() if value is not None}
        return {"sort": "customer_name" if "customer_name" in named else "-created_at", "limit": PAGE_SIZE, **named}


class CustomerListSchema(CustomerFiltersSchema):
    """The same in an address."""

    limit = Count(1, PAGE_SIZE_MAX, load_default=PAGE_SIZE)

    @pre_load
    def _refuse_numbers(self, query: Mapping[str, str], **kwargs: object) -> Mapping[str, str]:
        hint = said("must not stand in an address: send it in the body of POST /customers/search.")
        refused = {name: [hint] for name in IN_A_BODY_ONLY if name in query}
        if refused:
            raise ValidationError(refused)
        return query


class CustomerExportSchema(CustomerListSchema):
    fixed = OF_EXPORTS

    class Meta:
        exclude = ("limit", "cursor")


class CustomerSearchSchema(CustomerFiltersSchema):
    """The same in a body, and the numbers that must not stand in an address. null and leaving out mean the same."""

    pan_number = Checked(checks.parse_pan, 40)
    gstin = Checked(checks.parse_gstin, 40)
    limit = WholeNumber(1, PAGE_SIZE_MAX, metadata={"default": PAGE_SIZE})

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        field_obj.allow_none = True


class CustomerLookUpSchema(Schema):
    """What somebody has typed of a name."""

    name = NameSearch(
        200,
        required=True,
        metadata={
            "description": "Words of the name, or how they begin, in any order; case and accents aside.",
            "example": "bharat tex",
        },
    )


def filters_of(query: Mapping[str, str]) -> dict[str, str]:
    """Return a loaded query as the store's filters."""
    filters = {name: value for name, value in query.items() if name not in ("sort", "limit", "cursor")}
    if "customer_name" in filters:
        filters["name_folded"] = fold(filters.pop("customer_name"))
    return filters
