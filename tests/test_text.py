"""Text as searches compare it."""

import pytest

from finance.text import WORD_LENGTH_MAX, WORDS_MAX, fold, words_of


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
