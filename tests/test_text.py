"""Text as searches compare it; what is masked in what others may read, and what stays readable."""

import pytest

from finance.text import WORD_LENGTH_MAX, WORDS_MAX, fold, without_private, words_of
from tests.customers.forms import gstin, pan

KEY = f"fin_{'0a' * 8}_{'1b' * 32}"


@pytest.mark.parametrize(
    "private",
    [
        *(pan(1), pan(1).lower(), f"{pan(1)[:5]} {pan(1)[5:9]} {pan(1)[9:]}", gstin(pan(1)), "DELA12345B"),
        *("123456789012", "1234 5678 9012", "12345-67890", "DE89370400440532013000", "DE89 3704 0044 0532 0130 00"),
        *(KEY, f"Bearer {KEY}", f"'{pan(1)}'", f"PAN:{pan(1)},", f"x{pan(1)}"),
    ],
)
def test_what_could_be_a_number_of_a_person_is_masked(private: str) -> None:
    shown = without_private(f"before {private} after")

    assert private not in shown
    assert "…" in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")


@pytest.mark.parametrize(
    "text",
    [
        *("PAY20260006", "PAY202610000", "FAC-DKR1-202611-0001", "CUST-000001", "2026-11-21", "2026-11-21T16:17:11Z"),
        *(
            "1250.50",
            "customers 2026.csv",
            "Ada's laptop",
            "65f0abcd12345fabcd123456",
            "payments.payment_number_unique",
        ),
        *("20261121T161711-0a1b2c", "fin_", "bank_transfer"),
    ],
)
def test_what_names_our_own_things_stays_readable(text: str) -> None:
    assert without_private(text) == text


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("Ada Lovelace", ["lovelace"]),
        ("Ada King  Lovelace", ["king  lovelace", "lovelace"]),
        ("Société Générale S.A.", ["generale s.a.", "s.a.", "a."]),
        ("Patrick O'Brien-Smith", ["o'brien-smith", "brien-smith", "smith"]),
        ("(India) Ltd", ["india) ltd", "ltd"]),
        ("Zoë", []),
        ("  Zoë  ", []),
        ("& Söhne", ["sohne"]),
        ("bis bis bis", ["bis bis", "bis"]),
        ("株式会社 トヨタ", ["トヨタ"]),
        ("राम शर्मा", [fold("शर्मा")]),  # its vowel signs begin no words
        ("...", []),
        ("", []),
    ],
)
def test_a_text_is_known_by_itself_and_how_it_goes_on_from_each_further_word(text: str, inside: list[str]) -> None:
    assert words_of(fold(text)) == [fold(text), *inside]


def test_of_many_or_long_words_a_few_short_entries_are_kept() -> None:
    whole, *inside = words_of(fold(" ".join(f"{number:03}" for number in range(50)) + "x" * 1_000))

    assert len(whole) == 1_199
    assert len(inside) == WORDS_MAX
    assert {len(words) <= WORD_LENGTH_MAX for words in inside} == {True}
