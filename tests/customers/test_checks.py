"""The numbers on a form, with values that their issuers (or libraries of such numbers) published."""

import pytest
from stdnum import luhn
from stdnum.in_ import gstin as stdnum_gstin

from finance.customers import checks

BASE_36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _gstin(first_14: str) -> str:
    """Return a GSTIN whose check digit another implementation has worked out."""
    return first_14 + luhn.calc_check_digit(first_14, alphabet=BASE_36)


VALID = [
    # Income Tax Department, "Know your PAN"; python-stdnum.
    (checks.parse_pan, "AFZPK7190K", "AFZPK7190K"),
    (checks.parse_pan, "acupa7085r", "ACUPA7085R"),
    (checks.parse_pan, "AAPFU 0939F", "AAPFU0939F"),
    # python-stdnum; registrations that companies print on their invoices.
    (checks.parse_gstin, "27AAPFU0939F1ZV", "27AAPFU0939F1ZV"),
    (checks.parse_gstin, "29aagcb7383j1z4", "29AAGCB7383J1Z4"),
    (checks.parse_gstin, "29AACCF0683K1ZD", "29AACCF0683K1ZD"),
    (checks.parse_gstin, "37AADCS0472N1Z1", "37AADCS0472N1Z1"),
    # Ladakh, other territory, centre jurisdiction; a collector (TCS), a deductor (TDS) by PAN and one by TAN.
    (checks.parse_gstin, _gstin("38AAACT2727Q1Z"), _gstin("38AAACT2727Q1Z")),
    (checks.parse_gstin, _gstin("97AAACT2727Q1Z"), _gstin("97AAACT2727Q1Z")),
    (checks.parse_gstin, _gstin("99AAACT2727Q1Z"), _gstin("99AAACT2727Q1Z")),
    (checks.parse_gstin, _gstin("29AAICA3918J1C"), _gstin("29AAICA3918J1C")),
    (checks.parse_gstin, _gstin("29AAICA3918J1D"), _gstin("29AAICA3918J1D")),
    (checks.parse_gstin, _gstin("27PDES03028F1D"), _gstin("27PDES03028F1D")),
    # Income Tax Department's form 49B; Wikipedia.
    (checks.parse_tan, "PDES03028F", "PDES03028F"),
    (checks.parse_tan, "delm12345l", "DELM12345L"),
    # Reserve Bank of India: State Bank of India, HDFC Bank, and its own for GST payments.
    (checks.parse_ifsc, "SBIN0000691", "SBIN0000691"),
    (checks.parse_ifsc, "hdfc0000123", "HDFC0000123"),
    (checks.parse_ifsc, "RBIS0GSTPMT", "RBIS0GSTPMT"),
    # SWIFT's IBAN registry.
    (checks.parse_iban, "GB82 WEST 1234 5698 7654 32", "GB82WEST12345698765432"),
    (checks.parse_iban, "DE89 3704 0044 0532 0130 00", "DE89370400440532013000"),
    (checks.parse_iban, "fr1420041010050500013m02606", "FR1420041010050500013M02606"),
    (checks.parse_iban, "NO93 8601 1117 947", "NO9386011117947"),
    # RFC 5322, RFC 6531.
    (checks.parse_email, "john.q.public@example.com", "john.q.public@example.com"),
    (checks.parse_email, "o'brien+invoices@sub.EXAMPLE.co.in", "o'brien+invoices@sub.example.co.in"),
    (checks.parse_email, "user@bücher.example", "user@bücher.example"),
    # World Customs Organization: chapter, heading, subheading, tariff item; a service.
    (checks.parse_hsn_sac, "72", "72"),
    (checks.parse_hsn_sac, "7208", "7208"),
    (checks.parse_hsn_sac, "720810", "720810"),
    (checks.parse_hsn_sac, "72081000", "72081000"),
    (checks.parse_hsn_sac, "998314", "998314"),
    (checks.parse_account_number, "3000 1234 5678 9", "3000123456789"),
    (checks.parse_phone, "+91 22 2493 1234", "+91 22 2493 1234"),
    (checks.parse_phone, " 022 2493-1234 ", "022 2493-1234"),
    (checks.parse_percent, "18.00", "18"),
    (checks.parse_percent, "0.25", "0.25"),
    (checks.parse_percent, "0", "0"),
    (checks.parse_percent, "100", "100"),
    (checks.parse_percent, "020", "20"),
]

INVALID = [
    (checks.parse_pan, "AFZPK719K"),
    (checks.parse_pan, "AFZPK71900K"),
    (checks.parse_pan, "AFZ1K7190K"),
    (checks.parse_pan, "ABMPA32111"),  # python-stdnum
    (checks.parse_pan, "AFZPK７１９０K"),
    (checks.parse_pan, "AFZPK7190ı"),
    (checks.parse_pan, "AFZPK7190K\n"),
    (checks.parse_gstin, "27AAPFU0939F1ZO"),  # python-stdnum: the check digit
    (checks.parse_gstin, "27AAPFU0939F1ZA"),
    (checks.parse_gstin, "369296450896540"),  # python-stdnum: the shape
    (checks.parse_gstin, "27AAPFU0939F0ZV"),
    (checks.parse_gstin, "27AAPFU0939F1Z"),
    (checks.parse_gstin, _gstin("39AAPFU0939F1Z")),  # no such state
    (checks.parse_gstin, _gstin("00AAPFU0939F1Z")),
    (checks.parse_gstin, _gstin("27PDES03028F1Z")),  # by TAN, and neither a deductor nor a collector
    (checks.parse_gstin, "27ΑAPFU0939F1ZV"),  # a Greek Alpha
    (checks.parse_tan, "PDE503028F"),
    (checks.parse_tan, "PDES3028F"),
    (checks.parse_tan, "PDES03028"),
    (checks.parse_tan, "AFZPK7190K"),  # a PAN
    (checks.parse_ifsc, "SBIN1000691"),
    (checks.parse_ifsc, "SBI0000691"),
    (checks.parse_ifsc, "SBIN00006911"),
    (checks.parse_ifsc, "SB1N0000691"),
    (checks.parse_iban, "GB82WEST12345698765431"),
    (checks.parse_iban, "DE8937040044053201300"),
    (checks.parse_iban, "XX82WEST12345698765432"),
    (checks.parse_iban, ""),
    (checks.parse_email, "john.q.public"),
    (checks.parse_email, "john@public@example.com"),
    (checks.parse_email, "john@localhost"),
    (checks.parse_email, "john q@example.com"),
    (checks.parse_email, "john@example..com"),
    (checks.parse_hsn_sac, "7"),
    (checks.parse_hsn_sac, "720"),
    (checks.parse_hsn_sac, "720810000"),
    (checks.parse_account_number, "1234"),
    (checks.parse_account_number, "3000/1234"),
    (checks.parse_account_number, "3" * 35),
    (checks.parse_phone, "12345"),
    (checks.parse_phone, "call me"),
    (checks.parse_phone, "+91;ext=5"),
    (checks.parse_percent, "-1"),
    (checks.parse_percent, "100.001"),
    (checks.parse_percent, "0.0001"),
    (checks.parse_percent, "1e2"),
    (checks.parse_percent, "１"),
]


@pytest.mark.parametrize(("parse", "text", "stored"), VALID)
def test_a_published_number_is_taken(parse, text: str, stored: str) -> None:
    assert parse(text) == stored


@pytest.mark.parametrize(("parse", "text"), INVALID)
def test_what_is_none_is_refused_without_being_repeated(parse, text: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse(text)

    assert not text or text not in str(refused.value)


def test_every_gstin_that_stdnum_takes_is_taken() -> None:
    by_state = [_gstin(f"{state:02}AAACT2727Q{entity}Z") for state in range(1, 38) for entity in "129AZ"]

    assert all(stdnum_gstin.is_valid(gstin) for gstin in by_state)
    assert [checks.parse_gstin(gstin) for gstin in by_state] == by_state


def test_one_wrong_character_in_a_gstin_is_always_found() -> None:
    gstin = "27AAPFU0939F1ZV"
    for place in range(15):
        for character in BASE_36.replace(gstin[place], ""):
            with pytest.raises(ValueError):
                checks.parse_gstin(gstin[:place] + character + gstin[place + 1 :])


def test_the_pan_in_a_gstin_is_found_and_a_tan_is_not_one() -> None:
    assert checks.pan_in_gstin("27AAPFU0939F1ZV") == "AAPFU0939F"
    assert checks.pan_in_gstin(_gstin("27PDES03028F1D")) is None
