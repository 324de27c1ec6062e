"""The numbers on a customer's form, as those who issue them publish their formats.

Each `parse_…` returns the text as it is stored (capitals, no spaces), or raises ValueError saying what would be right.
No message repeats the value: these are personal data.
"""

import re
from decimal import Decimal

from email_validator import EmailNotValidError, validate_email
from stdnum import iban
from stdnum.exceptions import ValidationError as StdnumError

from finance.said import said

EMAIL_LENGTH_MAX = 254  # RFC 5321
_SPACING = re.compile(r"[ -]")

# Income Tax Department: five letters, four digits, a letter.
_PAN = re.compile(r"[A-Z]{5}\d{4}[A-Z]", re.ASCII)
# The same: four letters, five digits, a letter.
_TAN = re.compile(r"[A-Z]{4}\d{5}[A-Z]", re.ASCII)
# Reserve Bank of India: the bank, a zero, the branch.
_IFSC = re.compile(r"[A-Z]{4}0[A-Z0-9]{6}", re.ASCII)
# GST Network: state, the holder's PAN, entity, Z (or 1-9, A-J), check digit. Deductors (TDS, TCS) may be registered by
# their TAN instead of the PAN.
_GSTIN = re.compile(r"(\d{2})([A-Z]{5}\d{4}[A-Z])[1-9A-Z][Z1-9A-J][0-9A-Z]", re.ASCII)
_GSTIN_BY_TAN = re.compile(r"(\d{2})([A-Z]{4}\d{5}[A-Z])[1-9A-Z][CD][0-9A-Z]", re.ASCII)
_GST_STATES = frozenset([*(f"{state:02}" for state in range(1, 39)), "97", "99"])
_BASE_36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ACCOUNT_NUMBER = re.compile(r"[0-9A-Z]{5,34}", re.ASCII)
# World Customs Organization: chapter, heading, subheading, tariff item; services (SAC) have six digits.
_HSN_SAC = re.compile(r"\d{2}|\d{4}|\d{6}|\d{8}", re.ASCII)
_PHONE = re.compile(r"\+?[0-9][0-9 ()./-]{4,28}[0-9]", re.ASCII)
_PERCENT = re.compile(r"\d{1,3}(\.\d{1,3})?", re.ASCII)


def parse_pan(text: str) -> str:
    return _parse(text, _PAN, said("must be a PAN: five letters, four digits and a letter, such as AAPFU0939F."))


def parse_tan(text: str) -> str:
    return _parse(text, _TAN, said("must be a TAN: four letters, five digits and a letter, such as DELA12345B."))


def parse_ifsc(text: str) -> str:
    return _parse(
        text, _IFSC, said("must be an IFSC: four letters, a zero, six letters or digits, such as SBIN0000691.")
    )


def parse_account_number(text: str) -> str:
    return _parse(text, _ACCOUNT_NUMBER, said("must be 5 to 34 digits or letters; spaces and hyphens don't count."))


def parse_hsn_sac(text: str) -> str:
    return _parse(text, _HSN_SAC, said("must be an HSN code of 2, 4, 6 or 8 digits or a SAC of 6."))


def parse_gstin(text: str) -> str:
    gstin = _parse(text, re.compile(f"{_GSTIN.pattern}|{_GSTIN_BY_TAN.pattern}", re.ASCII), _GSTIN_HINT)
    if gstin[:2] not in _GST_STATES:
        raise ValueError(said("must be a GSTIN, and begin with a state's code: 01 to 38, 97 or 99."))
    if gstin[14] != gst_check_digit(gstin[:14]):
        raise ValueError(said("must be a GSTIN; its last character (the check digit) does not fit the others."))
    return gstin


def gst_check_digit(first_14: str) -> str:
    """Return the check digit that belongs to a GSTIN's first 14 characters (Luhn's method in base 36)."""
    total = 0
    for position, character in enumerate(first_14):
        quotient, remainder = divmod(_BASE_36.index(character) * (1 + position % 2), 36)
        total += quotient + remainder
    return _BASE_36[-total % 36]


def pan_in_gstin(gstin: str) -> str | None:
    """Return the PAN inside a valid GSTIN, None where the registration is by TAN."""
    match = _GSTIN.fullmatch(gstin)
    return match[2] if match else None


def parse_iban(text: str) -> str:
    try:
        return str(iban.validate(_compact(text)))
    except (StdnumError, ValueError):
        raise ValueError(said("must be an IBAN, with the check digits and the length of its country.")) from None


def parse_email(text: str) -> str:
    try:
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError:
        raise ValueError(said("must be an e-mail address, such as accounts@example.com.")) from None


def parse_phone(text: str) -> str:
    if _PHONE.fullmatch(text.strip()) is None:
        raise ValueError(
            said("must be a telephone number of 6 to 30 digits, spaces and ( ) . / -, such as +91 22 2493 1234.")
        )
    return text.strip()


def parse_percent(text: str) -> str:
    """Return a rate in percent without zeros that say nothing: "18.00" is "18"."""
    if _PERCENT.fullmatch(text) is None or Decimal(text) > 100:
        raise ValueError(said('must be a percentage from 0 to 100 with at most 3 decimals, such as "18" or "0.25".'))
    return f"{Decimal(text).normalize():f}"


_GSTIN_HINT = said("must be a GSTIN of 15 characters, such as 29AAGCB7383J1Z4.")


def _parse(text: str, pattern: re.Pattern[str], hint: str) -> str:
    compact = _compact(text)
    if pattern.fullmatch(compact) is None:
        raise ValueError(hint)
    return compact


def _compact(text: str) -> str:
    """Return `text` in capitals without spaces and hyphens. Only ASCII: "ı" would become an I."""
    return _SPACING.sub("", text).upper() if text.isascii() else ""
