"""What the earlier rows of an import were about: a code, a PAN, a GSTIN or a name stands in one row only.

Kept in a temporary file, as digests, so that neither memory nor a disk holds the numbers of a whole file.
"""

import secrets
import sqlite3
from collections.abc import Iterable
from hashlib import blake2b

from finance.errors import Invalid
from finance.said import Said, said

_DIGEST_BYTES = 16
_MEMORY_KIB = 8_192


_SAME_IDENTITY = said("Has the same customer_code, pan_number or gstin as line {line}.")
_SAME_NAME = said("Has no customer_code or pan_number, and the same customer_name as line {line}.")


class Seen:
    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._lines = sqlite3.connect("")  # a file of its own, deleted with the connection
        self._lines.execute(f"PRAGMA cache_size = -{_MEMORY_KIB}")
        self._lines.execute("CREATE TABLE seen (digest BLOB PRIMARY KEY, line INTEGER) WITHOUT ROWID")

    def require_once(self, line: int, identities: Iterable[str]) -> None:
        """Remember what a line is about; raises Invalid where an earlier one has the same code, PAN or GSTIN."""
        for identity in identities:
            self._require(line, f"identity {identity}", _SAME_IDENTITY)

    def require_one_name(self, line: int, name: str, *, is_all: bool) -> None:
        """Raise Invalid where two lines have one name and a name is all that one of them is known by (`is_all`)."""
        if is_all:
            self._require(line, f"name {name}", _SAME_NAME)
            self._require(line, f"alone {name}", _SAME_NAME)
            return
        earlier = self._find(f"alone {name}")
        if earlier not in (None, line):
            raise Invalid(
                said(
                    "Has the same customer_name as line {line}, which has no customer_code or pan_number.", line=earlier
                )
            )
        self._add(f"name {name}", line)

    def _require(self, line: int, text: str, refusal: Said) -> None:
        self._add(text, line)
        earlier = self._find(text)
        if earlier != line:
            raise Invalid(refusal.format(line=earlier))

    def _add(self, text: str, line: int) -> None:
        self._lines.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (self._digest(text), line))

    def _find(self, text: str) -> int | None:
        found = self._lines.execute("SELECT line FROM seen WHERE digest = ?", (self._digest(text),)).fetchone()
        return None if found is None else int(found[0])

    def _digest(self, text: str) -> bytes:
        return blake2b(text.encode(errors="surrogatepass"), key=self._key, digest_size=_DIGEST_BYTES).digest()
