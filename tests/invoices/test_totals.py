"""Invoices reckoned by hand; the reckoning stands beside each."""

from fractions import Fraction
from typing import Any

import pytest

from finance.errors import Invalid
from finance.invoices.totals import computed, line_net, round_half_up, totals_of
from tests.clients import Client


def line(quantity: str, unit_price: str, tax_rate: str = "0", discount: str | None = None) -> dict[str, Any]:
    return {"quantity": quantity, "unit_price": unit_price, "tax_rate": tax_rate, "discount": discount}


def reckoned(lines: list[dict[str, Any]], currency: str) -> dict[str, tuple[int, int]]:
    return {tax.rate: (tax.net_minor, tax.tax_minor) for tax in totals_of(lines, currency).taxes}


def test_mixed_rates_and_discounts_in_euros() -> None:
    lines = [
        line("3", "9.99", "20"),  # 29.97
        line("1.5", "10", "5.5", "10%"),  # 15 - 1.50 = 13.50
        line("2", "100", "20", "5.03"),  # 194.97
        line("1", "7.20", "0"),  # 7.20
    ]
    # 20 %: 224.94, tax 44.988 → 44.99; 5.5 %: 13.50, tax 0.7425 → 0.74
    assert reckoned(lines, "EUR") == {"0": (720, 0), "5.5": (1350, 74), "20": (22494, 4499)}
    totals = totals_of(lines, "EUR")
    assert (totals.net_minor, totals.tax_minor, totals.total_minor) == (24564, 4573, 29137)


def test_a_line_is_rounded_before_its_tax() -> None:
    # 0.0849 → 0.08; 18 % of 0.08 is 0.0144 → 0.01. Of the 0.0849 it would be 0.015282 → 0.02.
    assert reckoned([line("0.03", "2.83", "18")], "EUR") == {"18": (8, 1)}


def test_the_base_of_a_rate_is_the_sum_of_its_rounded_lines() -> None:
    # Three lines of 0.3333 → 0.33 each: 0.99, where the exact sum is 0.9999 → 1.00. Tax 0.198 → 0.20.
    assert reckoned([line("0.3333", "1", "20")] * 3, "EUR") == {"20": (99, 20)}
    # Two lines of 0.005 → 0.01 each: 0.02, exactly 0.01. Half of 0.02 is 0.01; half of 0.01, 0.005, would be 0.01 too.
    assert reckoned([line("0.5", "0.01", "50")] * 2, "EUR") == {"50": (2, 1)}


def test_what_stands_on_the_invoice_adds_up() -> None:
    lines = [line("0.3333", "1", "20"), line("1", "2.345", "20", "0.001"), line("3", "0.335", "5.5", "1%")]
    # 0.33; 2.344 → 2.34; 1.005 × 0.99 = 0.99495 → 0.99
    answered = computed({"lines": lines}, "EUR")
    assert [shown["net"] for shown in answered["lines"]] == ["0.33", "2.34", "0.99"]
    # 20 %: 2.67, tax 0.534 → 0.53; 5.5 %: 0.99, tax 0.05445 → 0.05
    assert answered["taxes"] == [
        {"rate": "5.5", "net_minor": 99, "tax_minor": 5},
        {"rate": "20", "net_minor": 267, "tax_minor": 53},
    ]
    assert (answered["net_minor"], answered["tax_minor"], answered["total_minor"]) == (366, 58, 424)


def test_tax_is_rounded_once_per_rate_and_not_per_line() -> None:
    # Three lines of 0.10 at 15 %: 0.015 each would be 0.02 × 3 = 0.06; the sum is 0.30 × 15 % = 0.045 → 0.05.
    assert reckoned([line("1", "0.10", "15")] * 3, "EUR") == {"15": (30, 5)}


def test_totals_that_are_sent_are_compared_with_the_rounded_ones() -> None:
    posted = {"lines": [line("0.03", "2.83", "18")], "sent_totals": {"total_tax": Fraction("0.01")}}
    assert computed(posted, "EUR")["tax_minor"] == 1
    with pytest.raises(Invalid) as refused:
        computed(posted | {"sent_totals": {"total_tax": Fraction("0.02")}}, "EUR")
    assert [(error.pointer, "0.01" in error.detail) for error in refused.value.errors] == [("/total_tax", True)]


def test_a_half_is_rounded_up() -> None:
    assert reckoned([line("1", "0.50", "1")], "EUR") == {"1": (50, 1)}  # 0.005 → 0.01
    assert reckoned([line("1", "2.50", "1")], "EUR") == {"1": (250, 3)}  # 0.025 → 0.03, to even it were 0.02
    assert reckoned([line("1", "0.49", "1")], "EUR") == {"1": (49, 0)}  # 0.0049


def test_yen_have_no_smaller_unit() -> None:
    lines = [
        line("3", "333", "10"),  # 999, tax 99.9 → 100
        line("1", "1234", "8", "15%"),  # 1234 × 0.85 = 1048.9 → 1049
        line("3", "0.5", "8"),  # 1.5 → 2; 8 %: 1051, tax 84.08 → 84
        line("7", "15.5", "0"),  # 108.5 → 109
        line("1", "100", "0", "0.5"),  # 99.5 → 100
    ]
    assert reckoned(lines, "JPY") == {"0": (209, 0), "8": (1051, 84), "10": (999, 100)}
    assert totals_of(lines, "JPY").total_minor == 209 + 1051 + 84 + 999 + 100
    assert [shown["net"] for shown in computed({"lines": lines}, "JPY")["lines"]] == ["999", "1049", "2", "109", "100"]


def test_kuwaiti_dinars_have_a_thousand_fils() -> None:
    lines = [
        line("2.5", "1.234", "5"),  # 3.085, tax 0.15425 → 0.154
        line("1", "0.0005", "0"),  # half a fils → 0.001
        line("12", "0.875", "5", "0.250"),  # 10.5 - 0.25 = 10.25
        line("0.3333", "0.1", "5", "12.5%"),  # 0.03333 × 0.875 = 0.02916375 → 0.029
    ]
    # 5 %: 3.085 + 10.25 + 0.029 = 13.364, tax 0.6682 → 0.668
    assert reckoned(lines, "KWD") == {"0": (1, 0), "5": (13364, 668)}
    assert totals_of(lines, "KWD").total_minor == 14033


def test_what_a_float_gets_wrong() -> None:
    assert reckoned([line("1", "1.15", "50")], "EUR") == {"50": (115, 58)}  # 0.575; as floats 0.57
    assert reckoned([line("3", "0.1")], "EUR") == {"0": (30, 0)}
    assert reckoned([line("999999999.999999", "9999999999999.999999")], "EUR")["0"][0] == (
        (999999999999999 * 9999999999999999999 * 100 + 5 * 10**11) // 10**12
    )


def test_a_share_taken_off_is_exact() -> None:
    assert line_net(line("1", "0.07", discount="33.3333%")) == Fraction("0.04666669")
    assert reckoned([line("1", "0.07", discount="33.3333%")], "EUR") == {"0": (5, 0)}


def test_an_invoice_of_an_earlier_version_keeps_its_totals_and_so_does_its_credit_note(client: Client) -> None:
    client.put_shop()
    rounded_once = [{"description": "Tea", "quantity": "0.03", "unit_price": "2.83", "tax_rate": "18"}]
    number = client.issue(lines=rounded_once, key="k").json["invoice_number"]
    assert (client.invoice(number)["total_tax"], client.invoice(number)["total"]) == ("0.01", "0.09")
    before = {"tax_minor": 2, "total_minor": 10, "free_minor": 10, "taxes.0.tax_minor": 2, "lines.0.net": "0.0849"}
    client.db.invoices.update_one({}, {"$set": before})

    repeated = client.issue(lines=rounded_once, key="k").json
    note = client.post(f"/invoices/{number}/cancel", json={"reason": "wrong"}).json["credit_note_number"]

    for shown in (repeated, client.invoice(number), client.get(f"/credit-notes/{note}").json):
        assert (shown["total_tax"], shown["total"], shown["lines"][0]["net"]) == ("0.02", "0.10", "0.0849")
        assert shown["taxes"] == [{"rate": "18", "net": "0.08", "tax": "0.02"}]


@pytest.mark.parametrize(("value", "rounded"), [("0", 0), ("0.4999", 0), ("0.5", 1), ("1.5", 2), ("2.5", 3)])
def test_rounding_half_up(value: str, rounded: int) -> None:
    assert round_half_up(Fraction(value)) == rounded
