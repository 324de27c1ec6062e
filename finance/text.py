"""Text as searches compare it."""

import re
import unicodedata

WORDS_MAX = 12  # of one text, beside the whole of it: each is an entry in an index
WORD_LENGTH_MAX = 60
_SEPARATORS = ("Z", "P", "S")  # the categories of spaces, punctuation and symbols


def fold(text: str) -> str:
    """Return `text` without case and accents."""
    decomposed = unicodedata.normalize("NFKD", text.strip().casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


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
