"""Text as searches compare it, and as those may see it who may not see everything."""

import re
import unicodedata

# What could be a tax number, an account or an API key: a whole key; the shape of a PAN or TAN, in capitals inside other
# text too (a GSTIN holds one); of an IBAN; and nine or more digits on their own.
_PRIVATE = re.compile(
    r"fin_[0-9a-f]{16}_[0-9a-f]+"
    r"|[A-Z]{4,5}[0-9]{4,5}[A-Z]"
    r"|(?<![A-Za-z0-9])(?:"
    r"[A-Za-z]{4,5}[ -]?[0-9]{4,5}[ -]?[A-Za-z]"
    r"|[A-Za-z]{2}[0-9]{2}(?:[ -]?[A-Za-z0-9]{4}){2,7}(?:[ -]?[A-Za-z0-9]{1,3})?"
    r"|[0-9]{9,}"
    r"|(?<!-)[0-9](?:[ -]?[0-9]){8,}"  # in groups, but for those at the end of a number of ours
    r")(?![A-Za-z0-9])",
    re.ASCII,
)


def fold(text: str) -> str:
    """Return `text` without case and accents."""
    decomposed = unicodedata.normalize("NFKD", text.strip().casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def without_private(text: str) -> str:
    """Return `text` with "…" and the last two characters in the place of what could be a PAN, an account or a key."""
    return _PRIVATE.sub(lambda found: "…" + found[0][-2:], text)
