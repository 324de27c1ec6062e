"""What an import is told in pairs, such as `--field payer=user`: each said once, so that none is overruled unseen."""

from collections.abc import Sequence
from datetime import date

from finance.maintenance import cli
from finance.payments.survey import place_of


def pair(option: str, text: str) -> tuple[str, str]:
    """Return both sides of OURS=THEIRS; raises Stopped."""
    ours, equals, theirs = text.partition("=")
    if not text.isprintable():
        raise cli.Stopped(f"{option} must be text in UTF-8, in one line.")
    if not (ours and equals):
        raise cli.Stopped(f"{option} {text!r} must have an = in it; --help shows how it is written.")
    return ours, theirs


def pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    """Return {ours: theirs}; raises Stopped."""
    found: dict[str, str] = {}
    for text in texts:
        ours, theirs = pair(option, text)
        _require_new(option, text, ours, is_new=ours not in found)
        found[ours] = theirs
    return found


def values(texts: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return {field: {theirs: ours}} of FIELD:THEIRS=OURS; raises Stopped."""
    found: dict[str, dict[str, str]] = {}
    for text in texts:
        field, colon, rest = text.partition(":")
        if not colon:
            raise cli.Stopped(f"--value {text!r} must be as method:CASH=cash.")
        theirs, ours = pair("--value", rest)
        of_field = found.setdefault(field, {})
        _require_new("--value", text, f"{field}:{theirs}", is_new=theirs not in of_field)
        of_field[theirs] = ours
    return found


def limits(numbers: Sequence[str], *, today: date) -> dict[int, int]:
    """Return the last number of each year; raises Stopped."""
    found: dict[int, int] = {}
    for number in numbers:
        place = place_of(number, today=today)
        if place is None:
            raise cli.Stopped(f"--last-number {number!r} must be a number such as PAY20260999.")
        _require_new("--last-number", number, str(place.year), is_new=place.year not in found)
        found[place.year] = place.number_seq
    return found


def _require_new(option: str, text: str, what: str, *, is_new: bool) -> None:
    if not is_new:
        raise cli.Stopped(f"{option} {text!r}: {what} is named before. Name it once.")
