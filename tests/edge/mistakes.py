"""Mistakes that are easily made: a request, where it is wrong, and the sentence that says what would be right."""

from typing import Any

from tests.clients import LINES, a_payment

Row = tuple[str, str, Any, str, str]
INVOICE = {"shop": "par", "customer_name": "Zoë", "lines": LINES}

NAMES: list[Row] = [
    ("POST", "/payments", a_payment(payr="Ada"), "/payr", "is not a field here; did you mean payer?"),
    ("POST", "/payments", a_payment(paymentMethod="card"), "/paymentMethod", "did you mean method?"),
    ("POST", "/payments", a_payment(customerCode="C"), "/customerCode", "did you mean customer_code?"),
    ("POST", "/payments", a_payment(zebra="C"), "/zebra", "is not a field here; possible: reference, note, metadata"),
    ("POST", "/payments", a_payment(**{"\u202e": "C"}), "/\u202e", "is not a field here; possible: reference"),
    ("POST", "/payments", a_payment(**{"x" * 101: "C"}), "", "holds a field that is none here; its name has 101"),
    (
        "POST",
        "/payments",
        a_payment(allocations=[{"invoice": "F", "amount": "1"}]),
        "/allocations/0/invoice",
        "did you mean invoice_number?",
    ),
    ("PUT", "/shops/par", {"time_zone": "Europe/Paris"}, "/time_zone", "did you mean timezone?"),
    ("POST", "/customers", {"name": "Ada"}, "/name", "did you mean customer_name?"),
    ("POST", "/customers", {"tds": {"aplicable": True}}, "/tds/aplicable", "did you mean applicable?"),
    ("POST", "/customers", {"banking": [{"ifcs": "S"}]}, "/banking/0/ifcs", "did you mean ifsc?"),
    ("POST", "/invoices", {"lines": [{"price": "1"}]}, "/lines/0/price", "did you mean unit_price?"),
    ("GET", "/payments?payr=Ada", None, "payr", "is not a parameter here; did you mean payer?"),
    ("GET", "/payments?q=ada", None, "q", "is not a parameter here; payer finds a name"),
    ("GET", "/payments?zebra=ada", None, "zebra", "is not a parameter here; possible: paid_from, paid_to, status"),
    ("GET", "/payments?paid_on=2026-11-21", None, "paid_on", "paid_from and paid_to say from which day to which"),
    ("GET", "/payments/export.csv?amount=5", None, "amount", "min_amount and max_amount, with currency"),
    ("GET", "/payments?to=2026-11-21", None, "to", "did you mean paid_to?"),
    (
        "GET",
        "/payments?page=2",
        None,
        "page",
        "a list goes on with cursor, which is the next_cursor of the page before.",
    ),
    ("GET", "/customers?pan_number=AAPFU0939F", None, "pan_number", "send it in the body of POST /customers/search."),
    ("GET", "/audit-events?page=2", None, "page", "a list goes on with cursor"),
    ("GET", "/customers?per_page=2", None, "per_page", "limit says how many rows a page has."),
    ("GET", "/invoices?order=desc", None, "order", "sort says it, with - in front of it for the descending order."),
    ("GET", "/payments/export.csv?limit=5", None, "limit", "an export has every row of its filters."),
    ("GET", "/invoices/export.xlsx?page=5", None, "page", "an export has every row of its filters."),
    ("POST", "/payments", a_payment(idempotency_key="k"), "/idempotency_key", "is sent as the header Idempotency-Key"),
    ("GET", "/shops?page=2", None, "page", "is not a parameter of this operation; it takes none."),
]


VOID_IT = "can't be changed; void the payment and record it again."
FIXED: list[Row] = [
    ("PATCH", "/payments/PAY20210001", {"amount": "5"}, "/amount", VOID_IT),
    ("PATCH", "/payments/PAY20210001", {"paid_on": "2021-03-02"}, "/paid_on", VOID_IT),
    ("PATCH", "/payments/PAY20210001", {"allocations": []}, "/allocations", VOID_IT),
    ("PATCH", "/payments/PAY20210001", {"status": "voided"}, "/status", "POST /payments/{payment_number}/void"),
    ("PATCH", "/payments/PAY20210001", {"payment_number": "P"}, "/payment_number", "given by the server; leave it out"),
    ("POST", "/payments", a_payment(id="5"), "/id", "is given by the server; leave it out."),
    ("POST", "/payments", a_payment(status="recorded"), "/status", "is given by the server"),
    (
        "POST",
        "/invoices",
        INVOICE | {"invoice_number": "F"},
        "/invoice_number",
        "is given by the server; leave it out.",
    ),
    ("PUT", "/customers/A", {"customer_name": "Ada", "customer_code": "B"}, "/customer_code", "codes never change"),
    ("PUT", "/customers/A", {"customer_name": "Ada", "status": "inactive"}, "/status", "/deactivate and …/activate"),
    (
        "PUT",
        "/customers/A",
        {"customer_name": "Ada", "version": 1},
        "/version",
        "is given by the server; leave it out.",
    ),
    ("PUT", "/shops/par", {"shop": "lyon"}, "/shop", "is in the address and never changes; leave it out."),
]

OUTGOING = "must be greater than zero; money that goes out is direction: outgoing."
SEPARATED = 'such as "1250.50"; no comma, and nothing between thousands.'
OWN_FIELD = "the currency has a field of its own."
AMOUNTS: list[Row] = [
    *[("POST", "/payments", a_payment(amount=amount), "/amount", OUTGOING) for amount in ("-5", -5, "−5", -0.5)],
    *[("POST", "/payments", a_payment(amount=amount), "/amount", "must be greater than zero.") for amount in ("0", 0)],
    *[
        ("POST", "/payments", a_payment(amount=amount), "/amount", SEPARATED)
        for amount in ("1,250.50", "1 250,50", "1.250,50", "1250,50", "1\u202f250.50", "1'250.50", "1,00,000", "1_000")
    ],
    *[
        ("POST", "/payments", a_payment(amount=amount), "/amount", OWN_FIELD)
        for amount in ("€5", "5 EUR", "$1,250.50", "Rs. 500", "1.250,50 €")
    ],
    ("POST", "/payments", a_payment(amount="1e3"), "/amount", "not with an exponent."),
    (
        "POST",
        "/payments",
        a_payment(amount="abc"),
        "/amount",
        'must be digits with a point before the decimals, such as "1250.50".',
    ),
    (
        "POST",
        "/payments",
        a_payment(amount=True),
        "/amount",
        'must be an amount as a text of digits, such as "1250.50".',
    ),
    (
        "POST",
        "/payments",
        a_payment(amount="1.250"),
        "/amount",
        "must have at most 2 decimals: EUR has no smaller unit",
    ),
    ("POST", "/payments", a_payment(amount="1.5", currency="JPY"), "/amount", "must have no decimals: JPY has no"),
    (
        "POST",
        "/payments",
        a_payment(allocations=[{"invoice_number": "F", "amount": "-1"}]),
        "/allocations/0/amount",
        "must be greater than zero.",
    ),
    (
        "POST",
        "/customers",
        {"customer_name": "A", "terms_conditions": {"credit_limit": "-1", "currency": "EUR"}},
        "/terms_conditions/credit_limit",
        "must not be negative.",
    ),
    ("POST", "/invoices", {"lines": [{"unit_price": "-1"}]}, "/lines/0/unit_price", "must not be negative."),
    ("POST", "/invoices", {"lines": [{"quantity": -1}]}, "/lines/0/quantity", "must not be negative."),
    ("POST", "/invoices", {"lines": [{"tax_rate": "20%"}]}, "/lines/0/tax_rate", 'such as "12.5"; without %.'),
    ("POST", "/invoices", {"lines": [{"unit_price": "1,5"}]}, "/lines/0/unit_price", 'such as "12.5"; no comma'),
]

A_REQUEST_EACH = "A filter takes one value; send a request for each."
LISTS: list[Row] = [
    ("GET", "/payments?method=card,cash", None, "method", A_REQUEST_EACH),
    ("GET", "/payments?currency=EUR,USD", None, "currency", A_REQUEST_EACH),
    ("GET", "/payments?customer_code=A,B", None, "customer_code", A_REQUEST_EACH),
    ("GET", "/payments?method=card&method=cash", None, "method", "must be given once; send a request for each value."),
    ("GET", "/payments?status=void", None, "status", "must be one of: recorded, voided; did you mean voided?"),
    ("GET", "/payments?method=Card", None, "method", "did you mean card?"),
    ("GET", "/payments?currency=eur", None, "currency", "in capitals, such as EUR; did you mean EUR?"),
    ("GET", "/payments?currency=Euro", None, "currency", "must be an ISO 4217 code in capitals, such as EUR."),
    (
        "GET",
        "/payments?sort=total",
        None,
        "sort",
        "must be one of: payment_number, -payment_number, paid_on, -paid_on",
    ),
    ("GET", "/payments?sort=-createdAt", None, "sort", "did you mean -created_at?"),
    ("GET", "/payments?limit=500", None, "limit", "must be a whole number from 1 to 200."),
    ("GET", "/payments?min_amount=5", None, "min_amount", "needs the parameter currency beside it."),
    ("GET", "/payments?currency=EUR&min_amount=1,5", None, "min_amount", SEPARATED),
    ("GET", "/payments?paid_from=01/02/2026", None, "paid_from", "written YYYY-MM-DD"),
    ("GET", "/payments?paid_from=2026-02-01&paid_to=2026-01-31", None, "paid_from", "must not be after paid_to."),
    ("GET", "/payments?paid_from=2026-02-01&paid_to=2026-01-31", None, "paid_to", "must not be before paid_from."),
    ("GET", "/payments/export.csv?paid_from=2026-02-01&paid_to=2026-01-31", None, "paid_to", "not be before paid_from"),
    ("GET", "/payments?currency=EUR&min_amount=10&max_amount=9.99", None, "max_amount", "not be less than min_amount."),
    ("GET", "/payments?currency=EUR&min_amount=10&max_amount=9.99", None, "min_amount", "not be more than max_amount."),
    ("GET", "/invoices?issued_from=2026-02-01&issued_to=2026-01-31", None, "issued_to", "not be before issued_from."),
    ("GET", "/invoices?due_from=2026-02-01&due_to=2026-01-31", None, "due_from", "must not be after due_to."),
    (
        "GET",
        "/credit-notes?issued_from=2026-02-01&issued_to=2026-01-31",
        None,
        "issued_from",
        "not be after issued_to.",
    ),
    ("GET", "/invoices?status=unpaid", None, "status", "must be one of: issued, partly_paid, paid, cancelled."),
    ("GET", "/customers?status=actve", None, "status", "did you mean active?"),
]


KINDS: list[Row] = [
    ("POST", "/payments", a_payment(reference=5), "/reference", "must be a text in double quotes."),
    ("POST", "/payments", a_payment(metadata={"a": 5}), "/metadata/a", "must be a text in double quotes."),
    ("POST", "/payments", a_payment(allocations=["F"]), "/allocations/0", "must be an object."),
    ("POST", "/payments", a_payment(allocations="F"), "/allocations", "must be a list."),
    ("POST", "/payments", a_payment(allocations=[None]), "/allocations/0", "must not be null."),
    ("POST", "/customers", {"banking": {}}, "/banking", "must be a list."),
    ("POST", "/customers", {"tds": []}, "/tds", "must be an object."),
    (
        "POST",
        "/customers",
        {"tds": {"applicable": "true"}},
        "/tds/applicable",
        "must be true or false, without quotes.",
    ),
    (
        "POST",
        "/customers",
        {"terms_conditions": {"payment_terms_days": "30"}},
        "/terms_conditions/payment_terms_days",
        "must be a whole number from 0 to 3650 without quotes.",
    ),
    ("PUT", "/customers/-", {"customer_name": "Ada"}, "customer_code", "must be 1 to 40 of A-Z, 0-9"),
]

NO_PAYMENT = "is not a payment number such as PAY20260001."
ADDRESSES: list[tuple[str, str, int, str]] = [
    ("GET", "/payments/bulk", 405, f"'bulk' {NO_PAYMENT} Possible at this address: POST."),
    ("GET", "/payments/export.cvs", 404, f"'export.cvs' {NO_PAYMENT} Did you mean /api/v1/payments/export.csv?"),
    ("GET", "/payments/PAY20219999", 404, "There is no payment with this number."),
    ("GET", "/payments/AFZPK7190K", 404, f"This {NO_PAYMENT}"),
    ("GET", "/payments/pay20210001", 404, f"This {NO_PAYMENT}"),
    ("GET", "/payments/%E2%80%AEfoo", 404, f"This {NO_PAYMENT}"),
    ("PATCH", "/payments/foo", 404, f"'foo' {NO_PAYMENT}"),
    ("GET", "/invoices/foo", 404, "'foo' is not an invoice number such as FAC-DKR1-202611-0001."),
    ("GET", "/invoices/exprot.xlsx", 404, "Did you mean /api/v1/invoices/export.xlsx?"),
    ("GET", "/credit-notes/foo", 404, "'foo' is not a credit note number such as AV-DKR1-202611-0001."),
    ("GET", "/customers/foo", 404, "'foo' is not the code of a customer, such as CUST-000123."),
    (
        "GET",
        "/customers/codes",
        405,
        "'codes' is not the code of a customer, such as CUST-000123. Possible at this address: POST.",
    ),
    ("GET", "/shops/foo", 404, "There is no shop of this name; GET /api/v1/shops lists them."),
    ("GET", "/paymets", 404, "There is nothing at this address. Did you mean /api/v1/payments?"),
    ("GET", "/payments/", 404, "There is nothing at this address. Did you mean /api/v1/payments?"),
    ("POST", "/payments/PAY1/voids", 404, "Did you mean /api/v1/payments/{payment_number}/void?"),
    (
        "POST",
        "/invoices/F-1/void",
        404,
        "There is nothing at this address. /api/v1/invoices/{invoice_number} takes GET, and below it "
        "POST /api/v1/invoices/{invoice_number}/cancel, POST /api/v1/invoices/{invoice_number}/credit-notes.",
    ),
    ("GET", "/zebra/1/2", 404, "There is nothing at this address."),
    ("GET", "/zebra", 404, "There is nothing at this address."),
    (
        "DELETE",
        "/payments/PAY1",
        405,
        "Possible: GET, PATCH, and below it POST /api/v1/payments/{payment_number}/void, "
        "POST /api/v1/payments/{payment_number}/allocations, POST /api/v1/payments/{payment_number}/release.",
    ),
    (
        "PUT",
        "/invoices/F-1",
        405,
        "Possible: GET, and below it POST /api/v1/invoices/{invoice_number}/cancel, "
        "POST /api/v1/invoices/{invoice_number}/credit-notes.",
    ),
    ("GET", "/payments/PAY1/void", 405, "Possible: POST."),
    ("PATCH", "/payments/export.csv", 405, "Possible at this address: GET."),
]
