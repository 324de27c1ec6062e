"""Amounts and days as their readers write them; and amounts read exactly, or refused with both readings."""

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from flask import Flask
from pymongo import MongoClient

from finance.app import create_app
from finance.config import Config
from finance.database import Db
from finance.money import DECIMALS_BY_CURRENCY
from finance.web import formats
from finance.web.formats import UnclearAmount
from tests.clients import ENCRYPTION_KEY

# Those whose marks or groups differ: comma, 3–2–2, spaces of two kinds, ’, a point between thousands.
TAGS = ("en", "en-GB", "en-IN", "en-ZA", "en-CH", "en-DE", "fr", "fr-FR", "fr-CA", "fr-CH", "fr-LU")

Reading = Callable[[str], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def app() -> Flask:
    """The app on a database that is asked for nothing."""
    nowhere: Db = MongoClient("mongodb://127.0.0.1:1/", connect=False)["finance"]
    return create_app(Config(encryption_keys=(ENCRYPTION_KEY,)), db=nowhere)


@pytest.fixture
def reading_as(app: Flask) -> Reading:
    """Be a reader with this tag: `with reading_as("fr-CA"):`."""

    @contextmanager
    def reading(tag: str) -> Iterator[None]:
        with app.test_request_context("/", headers={"Accept-Language": tag}):
            yield

    return reading


@pytest.mark.parametrize(
    ("tag", "currency", "value", "shown"),
    [
        ("en", "EUR", "1234567.50", "1,234,567.50"),
        ("en-GB", "EUR", "0.05", "0.05"),
        ("en-IN", "INR", "1234567.50", "12,34,567.50"),
        ("en-IN", "INR", "1234567890123.45", "12,34,56,78,90,123.45"),
        ("fr", "EUR", "1234567.50", "1\u202f234\u202f567,50"),
        ("fr-FR", "EUR", "999.00", "999,00"),
        ("fr-CA", "EUR", "1234567.50", "1\u00a0234\u00a0567,50"),
        ("en-DE", "EUR", "1234567.50", "1.234.567,50"),
        ("en", "JPY", "1234567", "1,234,567"),
        ("fr", "KWD", "1250.125", "1\u202f250,125"),
        ("en", "IQD", "1250.125", "1,250.125"),
        ("en", "RSD", "1250.50", "1,250.50"),
        ("en", "EUR", "99999999999999999999999999.99", "99,999,999,999,999,999,999,999,999.99"),
        ("en", "EUR", "12.505", "12.505"),  # an older system's: shown as it is stored, not rounded
        ("en", "JPY", "12.50", "12.50"),
        ("en", None, "1250.5", "1,250.5"),
        ("en", ["EUR"], "1250.5", "1,250.5"),
        ("en", "EUR", None, "–"),
        ("en", "EUR", "NaN", "NaN"),
        ("en", "EUR", "much", "much"),
    ],
)
def test_an_amount_is_grouped_for_its_reader_with_the_decimals_of_its_currency(
    reading_as: Reading, tag: str, currency: str, value: str, shown: str
) -> None:
    with reading_as(tag):
        assert formats.amount(value, currency) == shown


def test_an_amount_in_a_cell_has_its_exact_value_and_its_currency_behind_it(reading_as: Reading) -> None:
    with reading_as("fr"):
        cell = formats.money("1250.50", "EUR")
        hostile = formats.money("<b>", "<i>")

    assert cell == '<data class="money" value="1250.50">1\u202f250,50<span class="cur">\u00a0EUR</span></data>'
    assert "<b>" not in hostile
    assert "<i>" not in hostile


@pytest.mark.parametrize(
    ("tag", "typed", "read"),
    [
        ("en", "1250.5", "1250.5"),
        ("en", "1,250.50", "1250.50"),
        ("en", " 1 250.50 ", "1250.50"),
        ("en", "1,250", "1250"),
        ("en", "1,234,567", "1234567"),
        ("en-IN", "12,34,567.50", "1234567.50"),
        ("en-IN", "1,250", "1250"),
        ("fr", "1 250,50", "1250.50"),
        ("fr", "1\u202f250,50", "1250.50"),
        ("fr", "1\u00a0250,50", "1250.50"),
        ("fr", "1250.50", "1250.50"),  # the French don't group by a point
        ("fr", "1250,5", "1250.5"),
        ("fr-LU", "1.250,50", "1250.50"),
        ("en-DE", "1.250", "1250"),
        ("en-CH", "1’250.50", "1250.50"),
        ("en-CH", "1'250.50", "1250.50"),
        ("en", "-5", "-5"),  # what to do about that, the API says
        ("en", "", ""),
    ],
)
def test_an_amount_is_read_as_its_reader_writes_it(reading_as: Reading, tag: str, typed: str, read: str) -> None:
    with reading_as(tag):
        assert formats.read_amount(typed) == read


@pytest.mark.parametrize(
    ("tag", "typed", "readings"),
    [
        ("en", "12,50", ("1250", "12.50")),
        ("en", "1250,50", ("125050", "1250.50")),
        ("en", "12,5000", ("125000", "12.5000")),
        ("en-DE", "12.50", ("1250", "12,50")),
        ("fr-LU", "12.50", ("1250", "12,50")),
    ],
)
def test_an_amount_that_has_two_readings_is_refused_with_both(
    reading_as: Reading, tag: str, typed: str, readings: tuple[str, str]
) -> None:
    with reading_as(tag):
        with pytest.raises(UnclearAmount) as refused:
            formats.read_amount(typed)
        example = formats.example_amount()
        words = str(refused.value).replace("peut se lire", "as").replace(" ou ", " or as ").replace("can be read ", "")

    assert words.startswith(f"as {readings[0]} or as {readings[1]}. ")
    assert words.endswith(f"{example}.")


@pytest.mark.parametrize(
    ("tag", "typed"),
    [
        ("en", "1.250,50"),
        ("en", "1,234,56"),
        ("en", "1.2.3"),
        ("en", ",5,"),
        ("fr", ",5"),
        ("en", "5."),
        ("en", "0,5"),
        ("en", "１２５０"),
        ("en", "12 EUR"),
        ("fr", "1e3"),
        ("en", "١٢"),
        ("en-IN", "1,234,567.50"),
        ("fr", "1.250,50"),
        ("fr", "1,250.50"),
        ("fr", "1,2,3"),
        ("en-DE", "1,250.50"),
    ],
)
def test_an_amount_that_has_no_reading_is_refused_with_how_to_write_it(
    reading_as: Reading, tag: str, typed: str
) -> None:
    with reading_as(tag):
        with pytest.raises(UnclearAmount) as refused:
            formats.read_amount(typed)
        assert formats.example_amount() in str(refused.value)
        assert " or as " not in str(refused.value)
        assert " ou " not in str(refused.value)


@pytest.mark.parametrize("tag", TAGS)
def test_what_is_written_is_read_back_exactly(reading_as: Reading, tag: str) -> None:
    chance = random.Random(tag)
    with reading_as(tag):
        for currency in ("EUR", "JPY", "KWD", "IQD", "INR"):
            decimals = DECIMALS_BY_CURRENCY[currency]
            for digits in range(1, 19):
                value = f"{Decimal(chance.randrange(10**digits)).scaleb(-decimals):f}"
                assert formats.read_amount(formats.amount(value, currency)) == value, (value, currency)


@pytest.mark.parametrize("tag", TAGS)
def test_no_amount_is_ever_read_as_another(reading_as: Reading, tag: str) -> None:
    """Whatever is typed has the digits that are read, in their order, and a mark in the place of a mark."""
    chance = random.Random(tag)
    with reading_as(tag):
        for _attempt in range(2_000):
            typed = "".join(chance.choices("0123456789.,  ’'\u202f\u00a0", k=chance.randrange(1, 12)))
            try:
                read = formats.read_amount(typed)
            except UnclearAmount:
                continue
            assert [sign for sign in read if sign.isdigit()] == [sign for sign in typed if sign.isdigit()]
            if read.count(".") == 1 and read.replace(".", "").isdigit():
                after = read.rpartition(".")[2]
                before_them = [sign for sign in typed if sign.isdigit() or sign in ".,"][: -len(after) or None]
                assert before_them[-1] in ".,"


def test_days_and_instants_are_never_all_digits(reading_as: Reading) -> None:
    at = datetime(2026, 11, 3, 9, 5, tzinfo=UTC)
    with reading_as("en-GB"):
        assert formats.day("2026-11-03") == '<time datetime="2026-11-03">3 Nov 2026</time>'
        assert formats.instant(at) == '<time datetime="2026-11-03T09:05:00Z">3 Nov 2026 09:05</time>'
        assert formats.month_text("2026-11") == "November 2026"
    with reading_as("fr-CA"):
        assert formats.day_text(date(2026, 11, 3)) == "3 nov. 2026"
        assert formats.month_text("2026-11") == "novembre 2026"


@pytest.mark.parametrize("odd", [None, 5, "never", "2026-13-01", ["2026"], {"a": 1}, "<b>"])
def test_what_an_older_system_stored_is_shown_as_it_is(reading_as: Reading, odd: object) -> None:
    with reading_as("en"):
        for shown in (formats.day(odd), formats.instant(odd), formats.day_text(odd), formats.number(odd)):
            assert "<b>" not in formats.escape(shown)
        assert formats.day_text(odd) == ("–" if odd is None else str(odd))
