"""Which characters a text may hold: names of every script, and nothing that shows as something else."""

import unicodedata

import pytest

from finance.edge.characters import character_problem, is_blank
from tests.clients import Client, a_payment

BIDI_CONTROL = [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]  # UAX 9, table 2


@pytest.mark.parametrize(
    "name",
    [
        "Ada Lovelace",
        "Société Générale – Zoë’s “Ltd.”",
        "می\u200cخواهم",  # Persian: ZWNJ
        "ක්\u200dරි",  # Sinhala: ZWJ
        "क्\u200cष क्\u200dष",  # Hindi: both
        "שלום בע״מ",
        "ᠨᠢ\u180eᠭᠡ",  # Mongolian vowel separator
        "葛\U000e0100城",  # an ideographic variation
        "ก\u200bข ភ\u200bា",  # Thai and Khmer words
        "👩\u200d👩\u200d👧 ❤\ufe0f",
        "e\u0301",
        "\U00020bb7野家",
    ],
)
def test_names_of_every_script_are_taken(name: str) -> None:
    assert character_problem(name) is None
    assert character_problem(name, lines=True) is None


@pytest.mark.parametrize("code", BIDI_CONTROL)
def test_what_turns_the_direction_is_refused_with_its_place(code: int) -> None:
    assert character_problem(f"Ada{chr(code)}x") == (
        f"must not hold characters that turn the direction of writing: character 4 is U+{code:04X}. "
        "If it was pasted, type it instead."
    )


@pytest.mark.parametrize("code", [0xA, 0xD, 0xB, 0xC, 0x85, 0x2028, 0x2029])
def test_a_line_break_of_any_kind_is_refused_in_a_single_line(code: int) -> None:
    assert character_problem(f"Ada{chr(code)}") == f"must be a single line: character 4 is a line break (U+{code:04X})."


@pytest.mark.parametrize("code", [0xAD, 0x200B, 0x2060, 0x2063, 0x206A, 0xFEFF, 0xFFF9, 0xE0001, 0xE0041])
def test_what_is_invisible_and_of_no_use_in_a_name_is_refused(code: int) -> None:
    assert "must not hold invisible characters: character 1 is U+" in str(character_problem(chr(code) + "Ada"))


@pytest.mark.parametrize("lines", [False, True])
@pytest.mark.parametrize("code", [0xFDD0, 0xFDEF, 0xFFFE, 0xFFFF, 0x1FFFE, 0x10FFFF])
def test_code_points_that_are_no_characters_are_refused(code: int, lines: bool) -> None:
    assert "which is none" in str(character_problem(f"Ada{chr(code)}", lines=lines))


@pytest.mark.parametrize("code", range(0x202A, 0x202F))
def test_longer_text_may_not_hold_overrides_and_embeddings_either(code: int) -> None:
    assert character_problem(f"one\ntwo{chr(code)}", lines=True)


@pytest.mark.parametrize(
    "text", ["one\r\n\ttwo", "\u2067שלום\u2069 (2)", "שלום\u200f!", "\ufeffpasted", "word\u00adword"]
)
def test_longer_text_may_hold_lines_isolates_and_marks(text: str) -> None:
    assert character_problem(text, lines=True) is None


def test_every_control_character_is_refused_but_tab_and_line_ends_in_longer_text() -> None:
    control = {chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == "Cc"}

    assert {c for c in control if character_problem(c)} == control
    assert {c for c in control if character_problem(c, lines=True)} == control - {"\t", "\n", "\r"}


@pytest.mark.parametrize("text", ["", "  \u3000", "\u200c", "\u3164", "\u2800 \ufe0f", "\u115f\u1160", "\u034f"])
def test_text_of_which_nothing_is_seen_is_blank(text: str) -> None:
    assert is_blank(text)
    assert not is_blank(f"{text}a")


def test_a_payment_of_before_is_shown_though_its_payer_would_be_refused_now(client: Client) -> None:
    client.post("/payments", json=a_payment())
    client.db.payments.update_one({}, {"$set": {"payer": "Ada\u202e", "note": "\ufffe"}})

    shown, edited = (
        client.get("/payments/PAY20210001").json,
        client.patch("/payments/PAY20210001", json={"note": "better"}).json,
    )

    assert (shown["payer"], shown["note"]) == ("Ada\u202e", "\ufffe")
    assert (edited["payer"], edited["note"]) == ("Ada\u202e", "better")
