"""A payment said in words: what it is, and what becomes of what it pays once it is voided."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from finance.web.formats import day, money_text
from finance.web.languages import _
from finance.web.words import method_word

_BY_CUSTOMER = Markup('<bdi>{}</bdi> (<a href="/customers/{}" class="code">{}</a>)')


def sentence_of(shown: Mapping[str, Any]) -> Markup:
    """Return what stands behind the amount of a payment: in, by card, paid on 20 Nov 2026 by Ada Lovelace."""
    outgoing = shown["direction"] == "outgoing"
    text = (
        _("out, %(method)s, paid on %(day)s to %(payer)s")
        if outgoing
        else _("in, %(method)s, paid on %(day)s by %(payer)s")
    )
    payer, code = shown["payer"] or "–", shown["customer_code"]
    named = _BY_CUSTOMER.format(payer, code, code) if isinstance(code, str) else Markup("<bdi>{}</bdi>").format(payer)
    return Markup(text) % {"method": _by(shown["method"]), "day": day(shown["paid_on"]), "payer": named}


def voiding_of(shown: Mapping[str, Any]) -> str:
    """Return the question before a payment is voided, with what becomes of the one that it pays."""
    given, number = shown["allocations"], shown["payment_number"]
    if not given:
        return _(
            "Void %(number)s? It stays in the list as voided, and its number is never given again. "
            "This can’t be undone.",
            number=number,
        )
    if len(given) > 1:
        return _(
            "Void %(number)s? It stays in the list as voided, its number is never given again, and what it pays "
            "is open again. This can’t be undone.",
            number=number,
        )
    return _(
        "Void %(number)s? It stays in the list as voided, its number is never given again, and %(becomes)s. "
        "This can’t be undone.",
        number=number,
        becomes=becomes(given[0], shown["currency"]),
    )


def becomes(given: Mapping[str, Any], currency: Any) -> str:
    """Return what becomes of an invoice or a credit note that is no longer paid."""
    amount = money_text(given["amount"], currency)
    if given["invoice_number"]:
        return _("%(number)s becomes outstanding by %(amount)s", number=given["invoice_number"], amount=amount)
    return _("%(number)s has %(amount)s to give again", number=given["credit_note_number"], amount=amount)


def _by(method: Any) -> str:
    by_method = {
        "bank_transfer": _("by bank transfer"),
        "card": _("by card"),
        "cash": _("in cash"),
        "cheque": _("by cheque"),
        "direct_debit": _("by direct debit"),
        "upi": _("by UPI"),
        "other": _("in another way"),
    }
    return by_method[method] if isinstance(method, str) and method in by_method else method_word(method)
