"""Text as searches compare it, and as those may see it who may not see everything."""

import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence

_KEY = r"fin_[0-9a-f]{16}_[0-9a-f]"
# What could be a tax number, an account or an API key: a whole key; a GSTIN; the shape of a PAN or TAN, in capitals
# inside other text too; of an IBAN; and nine or more digits on their own. One point among digits is that of an amount.
_PRIVATE = re.compile(
    rf"(?i:{_KEY}+)"
    r"|[0-9]{2}[ .-]?[A-Za-z]{5}[ .-]?[0-9]{4}[ .-]?[A-Za-z][ .-]?[0-9A-Za-z][ .-]?[Zz][ .-]?[0-9A-Za-z]"
    r"|[A-Z]{4,5}[0-9]{4,5}[A-Z]"
    r"|(?<![A-Za-z0-9])(?:"
    r"(?:[A-Za-z]{4,5}|[A-Za-z](?:[ .-][A-Za-z]){3,4})[ .-]?[0-9](?:[ .-]?[0-9]){3,4}[ .-]?[A-Za-z]"
    r"|[A-Za-z]{2}[0-9]{2}(?:[ -]?[A-Za-z0-9]{4}){2,7}(?:[ -]?[A-Za-z0-9]{1,3})?"
    r"|[0-9]{9,}"
    # In groups, but for those at the end of a number of ours.
    r"|(?<!-)(?![0-9]++\.[0-9]++(?!\.[0-9]))[0-9](?:[ .-]?[0-9]){8,}"
    r")(?![A-Za-z0-9])",
    re.ASCII,
)
_WHOLE_KEY = re.compile(f"{_KEY}{{64}}", re.ASCII | re.IGNORECASE)
_UNSEEN_OR_ABOVE = ("Cf", "Mn", "Me", "Cc")  # what can stand inside a number and leave it readable
WORDS_MAX = 12  # of one text, beside the whole of it: each is an entry in an index
WORD_LENGTH_MAX = 60
_SEPARATORS = ("Z", "P", "S")  # the categories of spaces, punctuation and symbols
_ASCII_SEPARATORS = re.compile(r"[ -/:-@\[-`{-~]+")  # those of them in ASCII


def fold(text: str) -> str:
    """Return `text` without case and accents."""
    if text.isascii():
        return text.strip().lower()
    decomposed = unicodedata.normalize("NFKD", text.strip().casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def without_private(text: str) -> str:
    """Return `text` with "…" and the last two characters in the place of what could be a PAN, an account or a key.

    What is compared is the text in plain characters: digits of other scripts, wide letters and what isn't seen hide
    nothing. What isn't masked stays as it was written.
    """
    plain, places = _plain(text)
    shown, end = [], 0
    for found in _PRIVATE.finditer(plain):
        shown += [text[end : places[found.start()]], "…", found[0][-2:]]
        end = places[found.end() - 1] + 1
    return "".join([*shown, text[end:]])


def holds_key(text: str) -> bool:
    """Return whether a whole API key stands in a text, in whichever letters."""
    return _WHOLE_KEY.search(_plain(text)[0]) is not None


def _plain(text: str) -> tuple[str, Sequence[int]]:
    """Return the text in plain characters, and for each of them the place in `text` that it comes from."""
    if text.isascii() and text.isprintable():
        return text, range(len(text))
    plain: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        meant = _plain_character(character)
        plain += meant
        places += [place] * len(meant)
    return "".join(plain), places


def _plain_character(character: str) -> str:
    """Return what a character is read as: nothing where it isn't seen."""
    category = unicodedata.category(character)
    if character.isspace():
        return " "
    if category in _UNSEEN_OR_ABOVE:
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(character))
    return "-" if category == "Pd" else unicodedata.normalize("NFKC", character)


def words_of(folded: str) -> list[str]:
    """Return a folded text, and how it goes on from each further word, for an index that finds words inside.

    "ada king lovelace" gives itself, "king lovelace" and "lovelace": what begins at a word of it begins one of these.
    """
    starts = itertools.islice(_word_starts(folded), WORDS_MAX)
    inside = (folded[start : start + WORD_LENGTH_MAX] for start in starts)
    return list(dict.fromkeys([folded, *inside]))


def split_words(folded: str) -> list[str]:
    """Return the words of a folded text, without the spaces, punctuation marks and symbols between them."""
    if folded.isascii():
        return [word for word in _ASCII_SEPARATORS.split(folded) if word]
    separated = (" " if unicodedata.category(char).startswith(_SEPARATORS) else char for char in folded)
    return [word for word in "".join(separated).split(" ") if word]


def _word_starts(text: str) -> Iterator[int]:
    """Yield where a word begins after a space, a punctuation mark or a symbol."""
    if text.isascii():
        yield from (found.end() for found in _ASCII_SEPARATORS.finditer(text) if found.end() < len(text))
        return
    after_separator = False
    for place, character in enumerate(text):
        is_separator = unicodedata.category(character).startswith(_SEPARATORS)
        if after_separator and not is_separator:
            yield place
        after_separator = is_separator


def beginning(folded: str) -> dict[str, str]:
    """Return the MongoDB condition on a field that begins so, be it a text or the list of `words_of` it.

    Not $gte and $lt: of a list, one text may be above the first and another below the second. For a regular expression
    of this shape MongoDB reads the same range of the index.
    """
    return {"$regex": f"^{re.escape(folded)}"}
