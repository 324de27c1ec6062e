"""Names of fields that no form of ours has, where others stand: a list for a text, a text for a row."""

import pytest

from tests.clients import Client
from tests.web.browser import Browser
from tests.web.test_payments import record

SHAPES = ("{name}-0", "{name}-0-z", "{name}-z", "{name}-0-amount-0-z", "{name}-99999999999-amount")
FIELDS = {
    "allocate": ("/payments/{number}/allocate", ("allocations",)),
    "void": ("/payments/{number}/void", ("reason",)),
    "record": ("/payments/new", ("amount", "payer", "currency", "allocations")),
    "issue": ("/invoices/new", ("lines", "shop", "customer_code")),
    "customer": ("/customers/new", ("customer_name", "banking", "terms_conditions")),
    "shop": ("/shops/par/edit", ("issue_ahead_days", "max_length", "fiscal_year_start_month", "name")),
    "key": ("/keys/new", ("role", "name", "expires_on")),
}


@pytest.mark.parametrize("form", FIELDS)
def test_a_field_of_another_shape_is_refused_and_nothing_is_stored(client: Client, form: str) -> None:
    client.put_shop()
    number = record(client)
    address, names = FIELDS[form]
    address = address.format(number=number)
    browser = Browser(client).sign_in("admin")
    page = browser.get(address)
    sent = max(page.forms(), key=lambda each: len(each.fields())).fields()
    before = {name: client.db[name].count_documents({}) for name in ("payments", "invoices", "customers", "api_keys")}

    for name in names:
        kept = [(other, value) for other, value in sent if not (other == name or other.startswith(f"{name}-"))]
        for shape in SHAPES:
            answer = browser.post(address, [*kept, (shape.format(name=name), "x")])
            assert 200 <= answer.status < 500, (shape, answer.text)

    assert {name: client.db[name].count_documents({}) for name in before} == before
