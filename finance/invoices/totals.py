"""What an invoice comes to: exactly, and rounded half up once per tax rate, to the currency's smallest unit.

Lines are not rounded. For each rate the exact sum of its lines is rounded to its net, and the exact tax on that exact
sum to its tax; the totals are the sums of these.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

from finance.errors import FieldError, Invalid
from finance.invoices import model
from finance.money import DECIMALS_BY_CURRENCY, MAJOR_DIGITS_MAX, format_amount


@dataclass(frozen=True)
class TaxOfRate:
    """What all lines of one rate (in percent) come to, in minor units."""

    rate: str
    net_minor: int
    tax_minor: int


@dataclass(frozen=True)
class Totals:
    taxes: tuple[TaxOfRate, ...]
    net_minor: int
    tax_minor: int

    @property
    def total_minor(self) -> int:
        return self.net_minor + self.tax_minor


def computed(posted: Mapping[str, Any], currency: str) -> model.Totals:
    """Return currency, lines and totals as they are stored; raises Invalid where totals sent with them don't agree."""
    totals = totals_of(posted["lines"], currency)
    if totals.total_minor >= 10 ** (MAJOR_DIGITS_MAX + DECIMALS_BY_CURRENCY[currency]):
        raise Invalid.field("lines", f"come to more than {MAJOR_DIGITS_MAX} digits before the point.")
    _require_agreement(posted, totals, currency)
    lines = [cast(model.Line, {**line, "net": exact_text(line_net(line), currency)}) for line in posted["lines"]]
    taxes = [model.Tax(rate=t.rate, net_minor=t.net_minor, tax_minor=t.tax_minor) for t in totals.taxes]
    return {
        "currency": currency,
        "lines": lines,
        "taxes": taxes,
        "net_minor": totals.net_minor,
        "tax_minor": totals.tax_minor,
        "total_minor": totals.total_minor,
    }


def totals_of(lines: Sequence[Mapping[str, Any]], currency: str) -> Totals:
    """Return the totals of lines of decimal texts: quantity, unit_price, tax_rate (percent) and perhaps discount."""
    net_by_rate: dict[str, Fraction] = {}
    for line in lines:
        net_by_rate[line["tax_rate"]] = net_by_rate.get(line["tax_rate"], Fraction(0)) + line_net(line)
    units = 10 ** DECIMALS_BY_CURRENCY[currency]
    taxes = tuple(
        TaxOfRate(rate, round_half_up(net * units), round_half_up(net * Fraction(rate) / 100 * units))
        for rate, net in sorted(net_by_rate.items(), key=lambda entry: Fraction(entry[0]))
    )
    return Totals(taxes, sum(tax.net_minor for tax in taxes), sum(tax.tax_minor for tax in taxes))


def line_net(line: Mapping[str, Any]) -> Fraction:
    """Return quantity × unit price less the discount, which is an amount ("5.00") or a share ("10%")."""
    gross = Fraction(line["quantity"]) * Fraction(line["unit_price"])
    discount = line.get("discount") or "0"
    if discount.endswith("%"):
        return gross * (100 - Fraction(discount[:-1])) / 100
    return gross - Fraction(discount)


def round_half_up(value: Fraction) -> int:
    """Return the nearest integer of a value that isn't negative; a half goes up."""
    return int((2 * value + 1) // 2)


def exact_text(value: Fraction, currency: str) -> str:
    """Return all decimals of a value that has finitely many, and at least those of the currency."""
    decimals = DECIMALS_BY_CURRENCY[currency]
    while (value * 10**decimals).denominator != 1:
        decimals += 1
    digits = str(int(value * 10**decimals)).rjust(decimals + 1, "0")
    return f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits


def _require_agreement(posted: Mapping[str, Any], totals: Totals, currency: str) -> None:
    units = 10 ** DECIMALS_BY_CURRENCY[currency]
    computed = {"total_net": totals.net_minor, "total_tax": totals.tax_minor, "total": totals.total_minor}
    sent = posted.get("sent_totals", {})
    errors = [
        FieldError(
            f"does not agree with the lines, which come to {format_amount(minor, currency)}.", pointer=f"/{name}"
        )
        for name, minor in computed.items()
        if name in sent and sent[name] * units != minor
    ]
    if errors:
        raise Invalid("The totals do not agree with the lines.", errors=errors)
