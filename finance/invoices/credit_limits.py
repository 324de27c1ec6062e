"""How much of a customer's invoices may be outstanding before an invoice has to be confirmed."""

from finance.customers.buyers import CreditLimit
from finance.database import Db
from finance.errors import Conflict
from finance.invoices import store
from finance.money import format_amount
from finance.said import said


class OverCreditLimit(Conflict):
    detail_default = said("With this invoice more would be outstanding than the customer's credit limit allows.")
    extra_members = {
        "credit_limit": "The customer's, in the currency of the invoice.",
        "outstanding": "What is outstanding of the customer in that currency, without this invoice.",
    }


def require_within_limit(
    db: Db, *, tenant: str, customer_code: str, limit: CreditLimit | None, currency: str, total_minor: int
) -> None:
    """Raise OverCreditLimit where the customer would owe more than its limit in this currency.

    What a payment is claiming at this moment counts as paid. The limit warns whoever issues: two invoices at the same
    moment may each be within it and both be issued. To rule that out every invoice of a customer would have to wait for
    the one before it, for a limit that a confirmation lifts anyway.
    """
    if limit is None or limit.currency != currency or total_minor == 0:
        return
    outstanding_minor = store.outstanding_of_customer(db, tenant=tenant, customer_code=customer_code, currency=currency)
    if outstanding_minor + total_minor <= limit.amount_minor:
        return
    outstanding, allowed, total = (
        format_amount(minor, currency) for minor in (outstanding_minor, limit.amount_minor, total_minor)
    )
    raise OverCreditLimit(
        said(
            "{outstanding} {currency} is outstanding of {customer_code}, and this invoice comes to "
            "{total}: more than its credit limit of {allowed}. If it is to be issued all the same, "
            "send it again with ?confirm_over_limit=true.",
            outstanding=outstanding,
            currency=currency,
            customer_code=customer_code,
            total=total,
            allowed=allowed,
        ),
        extra={"credit_limit": allowed, "outstanding": outstanding},
    )
