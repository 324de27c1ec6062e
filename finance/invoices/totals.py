"""What an invoice comes to, each step rounded half up to the currency's decimals, as EN 16931 wants it.

1. Each line: quantity × price less its discount, reckoned exactly and rounded once (BT-131; BR-DEC-23).
2. The base of each rate is the sum of its rounded lines (BT-116; BR-S-08), so it is never rounded itself.
3. The tax of each rate is that base × the rate, rounded (BT-117; BR-CO-17).
4. The total without tax is the sum of the rounded lines (BT-106; BR-CO-10), the tax that of the rates (BR-CO-14).

So whoever adds up what stands on the invoice comes to its totals: 0.03 × 2.83 at 18 % is a line of 0.08 with a tax of
0.01. Rounded once at the end, as earlier versions did, it was a tax of 0.02. What they issued keeps its totals: stored
ones are never reckoned anew. The rules in brackets are those of EN 16931-1:2017, which writes two decimals; we take
those of the currency.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

from finance.errors import FieldError, Invalid
from finance.invoices import model
from finance.money import DECIMALS_BY_CURRENCY, MAJOR_DIGITS_MAX, format_amount
from finance.said import said


@dataclass(frozen=True)
class TaxOfRate:
    """What all lines of one rate (in percent) come to, in minor units."""

    rate: str
    net_minor: int
    tax_minor: int


@dataclass(frozen=True)
class Totals:
    """`line_nets_minor` in the order of the lines; `taxes` in that of the rates."""

    line_nets_minor: tuple[int, ...]
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
        raise Invalid.field(
            "lines", said("come to more than {digits} digits before the point.", digits=MAJOR_DIGITS_MAX)
        )
    _require_agreement(posted, totals, currency)
    lines = [
        cast(model.Line, {**line, "net": format_amount(net_minor, currency)})
        for line, net_minor in zip(posted["lines"], totals.line_nets_minor, strict=True)
    ]
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
    units = 10 ** DECIMALS_BY_CURRENCY[currency]
    nets = tuple(round_half_up(line_net(line) * units) for line in lines)
    net_by_rate: dict[str, int] = {}
    for line, net_minor in zip(lines, nets, strict=True):
        net_by_rate[line["tax_rate"]] = net_by_rate.get(line["tax_rate"], 0) + net_minor
    taxes = tuple(
        TaxOfRate(rate, net_minor, round_half_up(net_minor * Fraction(rate) / 100))
        for rate, net_minor in sorted(net_by_rate.items(), key=lambda entry: Fraction(entry[0]))
    )
    return Totals(nets, taxes, sum(nets), sum(tax.tax_minor for tax in taxes))


def line_net(line: Mapping[str, Any]) -> Fraction:
    """Return quantity × unit price less the discount, an amount ("5.00") or a share ("10%"); exact, not rounded."""
    gross = Fraction(line["quantity"]) * Fraction(line["unit_price"])
    discount = line.get("discount") or "0"
    if discount.endswith("%"):
        return gross * (100 - Fraction(discount[:-1])) / 100
    return gross - Fraction(discount)


def round_half_up(value: Fraction) -> int:
    """Return the nearest integer of a value that isn't negative; a half goes up."""
    return int((2 * value + 1) // 2)


def _require_agreement(posted: Mapping[str, Any], totals: Totals, currency: str) -> None:
    units = 10 ** DECIMALS_BY_CURRENCY[currency]
    computed = {"total_net": totals.net_minor, "total_tax": totals.tax_minor, "total": totals.total_minor}
    sent = posted.get("sent_totals", {})
    errors = [
        FieldError(
            said("does not agree with the lines, which come to {amount}.", amount=format_amount(minor, currency)),
            pointer=f"/{name}",
        )
        for name, minor in computed.items()
        if name in sent and sent[name] * units != minor
    ]
    if errors:
        raise Invalid(said("The totals do not agree with the lines."), errors=errors)
