"""A series: whose numbers, of what kind, for which scope and period, and how they are written."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NUMBER_SEQ_MAX = 10**15  # more than any series will give; what is beyond it in a document isn't a number of ours
# The number_seq of a document whose number has no place in its series: another system made it, from a clock perhaps.
NO_PLACE = 0
SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)


def require_slug(text: str) -> str:
    """Return `text` in lower case if it is a slug ([a-z0-9][a-z0-9-]{0,39}), otherwise raise ValueError.

    Slugs can hold no colon, so the parts of a counter's id can't run together.
    """
    slug = text.lower()
    if SLUG.fullmatch(slug) is None:
        raise ValueError(f"{text!r} must be 1 to 40 of a-z, 0-9 and -, beginning with a letter or digit")
    return slug


@dataclass(frozen=True)
class Series:
    """One sequence 1, 2, 3, … of numbers.

    `prefix` and `digits_min` write them: prefix "PAY2026" and 4 digits give PAY20260001 … PAY20269999, PAY202610000.
    `suffix` is what stands after the digits. A series with a `length_max` ends before a number would be longer.
    `document_filter` holds the stored fields (beside the tenant) that tell this series' documents from others'.
    """

    tenant: str
    kind: str
    prefix: str
    digits_min: int
    scope: str | None = None
    period: str | None = None
    document_filter: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=False)
    suffix: str = ""
    length_max: int | None = None

    @property
    def counter_id(self) -> str:
        """`payment:acme:2026`, `invoice:acme:DKR1:2026-11`, `customer:acme`."""
        return ":".join(part for part in (self.kind, self.tenant, self.scope, self.period) if part is not None)

    @property
    def identity(self) -> dict[str, str | None]:
        """The fields that name the series where its gaps are stored."""
        return {"tenant": self.tenant, "kind": self.kind, "scope": self.scope, "period": self.period}

    def format(self, number_seq: int) -> str:
        return f"{self.prefix}{number_seq:0{self.digits_min}d}{self.suffix}"

    @property
    def last(self) -> int | None:
        """The last number that `length_max` has room for, None where that is more than any series will give."""
        if self.length_max is None:
            return None
        room = max(0, self.length_max - len(self.prefix) - len(self.suffix))
        return None if 10**room > NUMBER_SEQ_MAX else 10**room - 1

    def parse(self, number: str) -> int | None:
        """Return the integer of a number that `format` could have written, otherwise None."""
        if not (number.startswith(self.prefix) and number.endswith(self.suffix)):
            return None
        digits = number[len(self.prefix) : len(number) - len(self.suffix)]
        if re.fullmatch(r"\d{1,18}", digits, re.ASCII) is None:
            return None
        number_seq = int(digits)
        return number_seq if number_seq > 0 and self.format(number_seq) == number else None
