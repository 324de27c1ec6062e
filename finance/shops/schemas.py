"""Shops as they are set up and answered."""

from collections.abc import Mapping

from marshmallow import Schema, ValidationError, fields, validates

from finance.config import is_timezone
from finance.edge.answers import HistoryEntrySchema, KeyId, KeyName
from finance.edge.fields import AnswerSchema, Choice, CurrencyCode, Text, WholeNumber
from finance.edge.hints import given_by_server
from finance.errors import Invalid
from finance.history import shown as shown_history
from finance.numbering.series import require_slug
from finance.said import said
from finance.shops.model import (
    FORMAT_LENGTH_MAX,
    INVOICE_FORMAT,
    ISSUE_AHEAD_DAYS,
    ISSUE_AHEAD_DAYS_MAX,
    MAX_LENGTH,
    MAX_LENGTH_LARGEST,
    RESETS,
    Shop,
)


class ShopSettingsSchema(Schema):
    """A shop as set up."""

    fixed = {
        "shop": said("is in the address and never changes; leave it out."),
        **given_by_server("history", "created_at", "created_by"),
    }
    name = Text(200, required=True)
    timezone = Text(60, required=True, metadata={"example": "Africa/Dakar"})
    currency = CurrencyCode(required=True)
    invoice_format = Text(
        FORMAT_LENGTH_MAX,
        load_default=INVOICE_FORMAT,
        metadata={"description": "{shop} {year} {month} {fiscal_year} {number:04}"},
    )
    credit_note_format = Text(
        FORMAT_LENGTH_MAX, allow_none=True, metadata={"description": "Default: AV- in the place of FAC-."}
    )
    reset = Choice(RESETS, name="SequenceReset", load_default="month")
    max_length = WholeNumber(5, MAX_LENGTH_LARGEST, load_default=MAX_LENGTH)
    fiscal_year_start_month = WholeNumber(1, 12, load_default=1)
    issue_ahead_days = WholeNumber(
        0,
        ISSUE_AHEAD_DAYS_MAX,
        load_default=ISSUE_AHEAD_DAYS,
        metadata={
            "description": "How many days ahead of today accountants may date an invoice; clients may name tomorrow at "
            "most. Until such a day comes, its sequence takes no invoice of an earlier one."
        },
    )

    @validates("timezone")
    def _check_timezone(self, value: str, **kwargs: object) -> None:
        if not is_timezone(value):
            raise ValidationError(said("must be an IANA time zone, such as Europe/Paris."))


class ShopSchema(AnswerSchema):
    """A shop as answered."""

    shop = fields.String(metadata={"example": "dkr1"})
    name = fields.String()
    timezone = fields.String()
    currency = fields.String()
    max_length = fields.Integer()
    history = fields.List(fields.Nested(HistoryEntrySchema))
    created_at = fields.DateTime()
    created_by = KeyId()
    created_by_name = KeyName()
    invoice_format = fields.String()
    credit_note_format = fields.String()
    reset = Choice(RESETS, name="SequenceReset")
    fiscal_year_start_month = fields.Integer()
    issue_ahead_days = fields.Integer()
    applies_from = fields.Date(
        allow_none=True,
        metadata={
            "description": "The first day that is numbered in this way, where documents before it are numbered in "
            "another: no period that has numbers is cut in two."
        },
    )


class ShopListSchema(AnswerSchema):
    data = fields.List(fields.Nested(ShopSchema))


_ANSWERED = tuple(ShopSchema().fields)


def shop_slug(text: str) -> str:
    """Return the shop's name as it is stored; raises Invalid where it can't be one."""
    try:
        return require_slug(text)
    except ValueError:
        raise Invalid.parameter(
            "shop", said("must be 1 to 40 of a-z, 0-9 and -, beginning with a letter or a digit.")
        ) from None


def dump_shop(shop: Shop) -> dict[str, object]:
    """Return a stored shop as it is answered, with the newest of its rules."""
    newest: Mapping[str, object] = shop["rules"][-1] if shop["rules"] else {}
    shown = {"history": shown_history(shop.get("history")), "applies_from": newest.get("begins_on")}
    known: Mapping[str, object] = {**shop, **newest, **shown}
    return {name: known.get(name) for name in _ANSWERED}
