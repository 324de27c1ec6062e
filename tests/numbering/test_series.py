import pytest

from finance.numbering.series import Series, require_slug

PAYMENTS = Series(tenant="acme", kind="payment", prefix="PAY2026", digits_min=4, period="2026")
INVOICES = Series(
    tenant="acme", kind="invoice", prefix="FAC-DKR1-202611-", digits_min=4, scope="DKR1", period="2026-11"
)
CUSTOMERS = Series(tenant="acme", kind="customer", prefix="CUST-", digits_min=6)


@pytest.mark.parametrize(
    ("series", "counter_id"),
    [(PAYMENTS, "payment:acme:2026"), (INVOICES, "invoice:acme:DKR1:2026-11"), (CUSTOMERS, "customer:acme")],
)
def test_a_series_has_one_counter(series: Series, counter_id: str) -> None:
    assert series.counter_id == counter_id


@pytest.mark.parametrize(
    ("series", "number_seq", "number"),
    [
        (PAYMENTS, 1, "PAY20260001"),
        (PAYMENTS, 9999, "PAY20269999"),
        (PAYMENTS, 10_000, "PAY202610000"),
        (INVOICES, 1, "FAC-DKR1-202611-0001"),
        (INVOICES, 12_345, "FAC-DKR1-202611-12345"),
        (CUSTOMERS, 123, "CUST-000123"),
    ],
)
def test_a_number_is_written_and_read_back(series: Series, number_seq: int, number: str) -> None:
    assert series.format(number_seq) == number
    assert series.parse(number) == number_seq


@pytest.mark.parametrize(
    "number",
    [
        "",
        "PAY2026",  # no digits
        "PAY20260000",  # numbers begin at 1
        "PAY2026001",  # too short
        "PAY202600001",  # too long for its value
        "PAY20250001",  # another year's
        "pay20260001",
        " PAY20260001",
        "PAY20260001\n",
        "PAY2026-001",
        "PAY2026+001",
        "PAY2026000１",  # a full-width digit
        "PAY2026" + "9" * 19,  # beyond any counter
        "PAY20260001-3",
    ],
)
def test_what_the_series_never_writes_is_not_its_number(number: str) -> None:
    assert PAYMENTS.parse(number) is None


def test_a_series_is_known_by_its_parts_and_not_by_how_its_documents_are_found() -> None:
    found_otherwise = Series(**{**vars(PAYMENTS), "document_filter": {"number_year": 2026}})
    another_tenants = Series(**{**vars(PAYMENTS), "tenant": "globex"})

    assert {PAYMENTS: "here"}[found_otherwise] == "here"
    assert another_tenants != PAYMENTS


@pytest.mark.parametrize(
    ("text", "slug"), [("acme", "acme"), ("DKR1", "dkr1"), ("7-eleven", "7-eleven"), ("a" * 40, "a" * 40)]
)
def test_a_slug_is_taken_in_lower_case(text: str, slug: str) -> None:
    assert require_slug(text) == slug


@pytest.mark.parametrize("text", ["", "-acme", "acme:2026", "ac me", "acme\n", "acmé", "a_b", "a" * 41])
def test_what_could_run_into_another_part_is_no_slug(text: str) -> None:
    with pytest.raises(ValueError, match="must be 1 to 40"):
        require_slug(text)
