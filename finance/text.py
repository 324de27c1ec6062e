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
WORDS_MAX = 12  # of one text, beside the whole of it: each is an entry in an index
WORD_LENGTH_MAX = 60
_SEPARATORS = ("Z", "P", "S")  # the categories of spaces, punctuation and symbols


def fold(text: str) -> str:
    """Return `text` without case and accents."""
    decomposed = unicodedata.normalize("NFKD", text.strip().casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def without_private(text: str) -> str:
    """Return `text` with "…" and the last two characters in the place of what could be a PAN, an account or a key."""
    return _PRIVATE.sub(lambda found: "…" + found[0][-2:], text)


def words_of(folded: str) -> list[str]:
    """Return a folded text, and how it goes on from each further word, for an index that finds words inside.

    "ada king lovelace" gives itself, "king lovelace" and "lovelace": what begins at a word of it begins one of these.
    """
    starts, after_separator = [], False
    for place, character in enumerate(folded):
        is_separator = unicodedata.category(character).startswith(_SEPARATORS)
        if after_separator and not is_separator:
            starts.append(place)
        after_separator = is_separator
    inside = (folded[start : start + WORD_LENGTH_MAX] for start in starts[:WORDS_MAX])
    return list(dict.fromkeys([folded, *inside]))


def beginning(folded: str) -> dict[str, str]:
    """Return the MongoDB condition on a field that begins so, be it a text or the list of `words_of` it.

    Not $gte and $lt: of a list, one text may be above the first and another below the second. For a regular expression
    of this shape MongoDB reads the same range of the index.
    """
    return {"$regex": f"^{re.escape(folded)}"}
