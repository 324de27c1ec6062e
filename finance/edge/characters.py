"""Which characters a text may hold: those that are seen, and the few unseen ones that writing needs.

A payer's name that shows as another, or a reference whose digits show in another order, would let somebody be paid
twice: Unicode Technical Report 36 (Unicode Security Considerations, on bidirectional text and on invisible characters).
ZWNJ and ZWJ (U+200C, U+200D), variation selectors and combining marks are taken: Persian, the scripts of India,
Mongolian, Japanese names and emoji can't be written without them.
"""

import re

from finance.said import said

# Unicode Standard Annex 9 (bidirectional algorithm): the property Bidi_Control. The marks (U+061C, U+200E, U+200F) too:
# "123", U+200F, "-456" shows as "123456-".
_DIRECTION = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
# In longer text, marks and isolates have their use; overrides and embeddings are what annex 9 advises against.
_DIRECTION_IN_LINES = "\u202a-\u202e"
_LINE_BREAKS = "\n\r\x0b\x0c\x85\u2028\u2029"
# Of no width and no use in a name: soft hyphen, word joiner and invisible operators, deprecated format characters, the
# byte order mark, annotations, tags (they can carry a hidden text).
_INVISIBLE = "\u00ad\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0001\U000e0020-\U000e007f"
# The zero width space is what Thai, Lao, Burmese and Khmer keyboards write between words; elsewhere it only hides.
_ZERO_WIDTH_SPACE = "(?<![\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1980-\u1aaf])\u200b"
# Unicode Standard, 23.7: code points that are never characters, of which XML can't hold U+FFFE and U+FFFF.
_NO_CHARACTERS = "\ufdd0-\ufdef" + "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))

_IN_ONE_LINE = re.compile(
    rf"(?P<breaks>[{_LINE_BREAKS}])|(?P<control>[\x00-\x1f\x7f-\x9f])|(?P<direction>[{_DIRECTION}])"
    rf"|(?P<invisible>[{_INVISIBLE}]|{_ZERO_WIDTH_SPACE})|(?P<none>[{_NO_CHARACTERS}])"
)
_IN_LINES = re.compile(
    r"(?P<control>[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f])"
    rf"|(?P<direction>[{_DIRECTION_IN_LINES}])|(?P<none>[{_NO_CHARACTERS}])"
)
_REFUSED = {
    "breaks": said("must be a single line: character {place} is a line break ({code})."),
    "control": said("must not hold control characters: character {place} is {code}."),
    "direction": said(
        "must not hold characters that turn the direction of writing: character {place} is "
        "{code}. If it was pasted, type it instead."
    ),
    "invisible": said(
        "must not hold invisible characters: character {place} is {code}. If it was pasted, type it instead."
    ),
    "none": said("must hold nothing but characters: character {place} is {code}, which is none."),
}

# As a class of a regular expression: white space, the property Default_Ignorable_Code_Point, the empty cell of braille.
UNSEEN = (
    r"\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    r"\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_BLANK = re.compile(rf"[{UNSEEN}]*")


def character_problem(text: str, *, lines: bool = False) -> str | None:
    """Return what is wrong with the first character that a text (of several lines, where `lines`) must not hold."""
    found = (_IN_LINES if lines else _IN_ONE_LINE).search(text)
    if found is None:
        return None
    return _REFUSED[found.lastgroup or ""].format(place=found.start() + 1, code=f"U+{ord(found[0]):04X}")


def is_blank(text: str) -> bool:
    """Return whether nothing of a text is seen."""
    return _BLANK.fullmatch(text) is not None
