"""How a shop's numbers look over all periods, and whether two ways of writing them can meet in one number.

A pattern is a format with the shop filled in and the rest named: FAC-DKR1-{year}{month}-{number:4}. Two of them meet
where some text is a number of both, whatever their formats look like: `{shop}-B-{number}` of the shop a, and
`{shop}-{number}` of the shop a-b. A fixed digit beside a number that widens counts too: F2026 + 110001, F202611 + 0001.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import product

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_TOKEN = re.compile(r"\{(year|month|next|number):?([0-9]*)\}|(.)", re.ASCII)
_DIGITS = frozenset("0123456789")
_ABOVE_ZERO = _DIGITS - {"0"}

Step = tuple[frozenset[str], bool]  # one of these characters; True: any count of them
_ONE_DIGIT: Step = (_DIGITS, False)


def pattern_of(number_format: str, *, shop: str, fiscal_year_start_month: int = 1) -> str:
    """Return the pattern of a format; a fiscal year that spans two is {year}-{next}."""
    fiscal_year = "{year}" if fiscal_year_start_month == 1 else "{year}-{next}"

    def named(found: re.Match[str]) -> str:
        name, _colon, digits = found[1].partition(":")
        if name == "number":
            return f"{{number:{int(digits or 1)}}}"
        return {"shop": shop.upper(), "fiscal_year": fiscal_year}.get(name, found[0])

    return _PLACEHOLDER.sub(named, number_format)


@lru_cache(maxsize=4_096)
def shape_of(pattern: str) -> str:
    """Return what all numbers of a pattern have in common: FAC-DKR#-#-#. Patterns of two shapes never meet."""
    return re.sub(r"[0-9]+", "#", _PLACEHOLDER.sub("0", pattern))


def can_meet(one: str, other: str) -> bool:
    """Return whether some text is a number of both patterns."""
    if shape_of(one) != shape_of(other):
        return False
    return any(_share_a_text(first, second) for first, second in product(_spellings(one), _spellings(other)))


def _share_a_text(one: tuple[Step, ...], other: tuple[Step, ...]) -> bool:
    """Walk both side by side, as two automata; true where both can end with the same text."""
    waiting, seen = [(0, 0)], {(0, 0)}
    while waiting:
        at, beside = waiting.pop()
        if at == len(one) and beside == len(other):
            return True
        for following in _next_steps(one, at, other, beside):
            if following not in seen:
                seen.add(following)
                waiting.append(following)
    return False


def _next_steps(one: tuple[Step, ...], at: int, other: tuple[Step, ...], beside: int) -> Iterator[tuple[int, int]]:
    if at < len(one) and one[at][1]:
        yield at + 1, beside
    if beside < len(other) and other[beside][1]:
        yield at, beside + 1
    if at < len(one) and beside < len(other) and one[at][0] & other[beside][0]:
        yield at + (not one[at][1]), beside + (not other[beside][1])


@lru_cache(maxsize=4_096)
def _spellings(pattern: str) -> tuple[tuple[Step, ...], ...]:
    """Return the sequences of characters that the pattern may be: the number padded or wider, either half of a year."""
    parts = [_spellings_of(found) for found in _TOKEN.finditer(pattern)]
    return tuple(tuple(step for part in chosen for step in part) for chosen in product(*parts))


def _spellings_of(token: re.Match[str]) -> list[list[Step]]:
    name, digits, literal = token.groups()
    if literal is not None:
        return [[(frozenset(literal), False)]]
    if name == "year":
        return [[(frozenset("12"), False), *[_ONE_DIGIT] * 3]]
    if name == "next":
        return [[_ONE_DIGIT] * 2]
    if name == "month":
        first_nine: list[Step] = [(frozenset("0"), False), (_ABOVE_ZERO, False)]
        return [first_nine, [(frozenset("1"), False), (frozenset("012"), False)]]
    padded: list[Step] = [_ONE_DIGIT] * int(digits)
    return [padded, [(_ABOVE_ZERO, False), *padded, (_DIGITS, True)]]
