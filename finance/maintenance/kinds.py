"""What carries numbers here: one `MaintainedKind` a collection. A new kind is added to `KINDS` in a few lines."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from finance.customers import model as customers
from finance.database import Document
from finance.indexes import INDEXES, Index
from finance.invoices import model as invoices
from finance.numbering.kinds import NumberedKind
from finance.numbering.series import SLUG, Series
from finance.payments import model as payments
from finance.shops import model as shops

_PERIOD = re.compile(r"\d{4}-\d{2}|(?:FY)?\d{4}|all", re.ASCII)
_YEAR = re.compile(r"\d{4}", re.ASCII)
# The filter of an index that leaves out only the documents without a number.
NUMBERED_ONLY: Document = {"number_seq": {"$gt": 0}}


@dataclass(frozen=True)
class MaintainedKind:
    """A numbered kind, and how its series are told from stored documents and counters.

    `series_fields` are the stored fields that, beside the tenant, tell one series from another; an index on
    (tenant, *series_fields, number_seq, …) gives the numbers in their order. `series_of` takes a stored document,
    `series_of_counter` what stands in a counter's id behind the kind. Both return None for what is no series of ours.
    """

    numbered: NumberedKind
    series_fields: tuple[str, ...]
    series_of: Callable[[Document], Series | None]
    series_of_counter: Callable[[Sequence[str]], Series | None]
    voided_filter: Document
    renumberable: bool = False  # nothing else names its numbers, so a repair may change them
    has_gaps: bool = False  # a number may be left unused; where none may, a lost one is never tolerated
    # People may choose the numbers too, in no order: those beyond the counter say nothing of the others.
    chosen_by_hand: bool = False
    codes: str | None = None  # the collection of numbers that were handed out, and may never be used

    @property
    def order_index(self) -> Index:
        """The first index of the list that has the numbers of a series in order."""
        order = ("tenant", *self.series_fields, "number_seq")
        for index in INDEXES:
            fields = tuple(field for field, _direction in index.keys)
            whole = index.partial is None or index.partial == NUMBERED_ONLY
            if index.collection == self.numbered.collection and whole and fields[: len(order)] == order:
                return index
        raise LookupError(f"no index of {self.numbered.collection} begins with {', '.join(order)}")


def _payment_series(tenant: Any, year: Any) -> Series | None:
    if not isinstance(tenant, str) or not isinstance(year, int) or SLUG.fullmatch(tenant) is None:
        return None
    return payments.payment_series(tenant, year)


def _customer_series(tenant: Any) -> Series | None:
    if not isinstance(tenant, str) or SLUG.fullmatch(tenant) is None:
        return None
    return customers.customer_series(tenant)


def shop_series(kind: str, tenant: Any, shop: Any, period: Any, number_format: Any = None) -> Series | None:
    """Return a series of invoices or credit notes; where no format is known, written as by default."""
    if not all(isinstance(part, str) for part in (tenant, shop, period)):
        return None
    if SLUG.fullmatch(tenant) is None or SLUG.fullmatch(shop) is None or _PERIOD.fullmatch(period) is None:
        return None
    prefix = "FAC" if kind == invoices.KIND else "AV"
    written = number_format or f"{prefix}-{shop.upper()}-{period.replace('-', '')}-{{number:04}}"
    return shops.series_of(kind, tenant=tenant, shop=shop, period=period, number_format=written)


def _of_shops(numbered: NumberedKind, voided_filter: Document) -> MaintainedKind:
    """Return the kind of what shops number: each document says how its series is written, a counter doesn't."""
    fields, kind = ("tenant", "shop", "period", "number_format"), numbered.name
    return MaintainedKind(
        numbered,
        series_fields=("shop", "period"),
        series_of=lambda document: shop_series(kind, *map(document.get, fields)),
        series_of_counter=lambda ids: shop_series(kind, ids[0], ids[1].lower(), ids[2]) if len(ids) == 3 else None,
        voided_filter=voided_filter,
    )


KINDS: tuple[MaintainedKind, ...] = (
    MaintainedKind(
        payments.NUMBERED,
        series_fields=("number_year",),
        series_of=lambda payment: _payment_series(payment.get("tenant"), payment.get("number_year")),
        series_of_counter=lambda ids: (
            _payment_series(ids[0], int(ids[1])) if len(ids) == 2 and _YEAR.fullmatch(ids[1]) else None
        ),
        voided_filter={"status": "voided"},
        renumberable=True,
        has_gaps=True,
    ),
    _of_shops(invoices.NUMBERED, {"status": "cancelled"}),
    _of_shops(invoices.CREDIT_NOTES_NUMBERED, {"status": "voided"}),  # none ever is
)

CUSTOMERS = MaintainedKind(
    NumberedKind(customers.KIND, "customers", "customer_code"),
    series_fields=(),
    series_of=lambda customer: _customer_series(customer.get("tenant")),
    series_of_counter=lambda ids: _customer_series(ids[0]) if len(ids) == 1 else None,
    voided_filter={"status": "inactive"},
    has_gaps=True,
    chosen_by_hand=True,
    codes="customer_codes",
)
AUDITED: tuple[MaintainedKind, ...] = (*KINDS, CUSTOMERS)
