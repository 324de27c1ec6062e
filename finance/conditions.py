"""What a change asks of the state that it is made to (RFC 9110, 13.1). No HTTP here: `edge/conditions.py` reads it."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from finance.errors import PreconditionFailed
from finance.said import said

ANY = frozenset({"*"})


def _no_tags(_document: Any) -> Collection[str]:
    return ()


@dataclass(frozen=True)
class Condition:
    """The tags in If-Match and If-None-Match, None without the header; quoted as in ETag, or ANY.

    `tags_of` returns what the state of a stored document is called, in each way that it is shown.

    A service takes a `condition: Condition = ALWAYS` and calls `condition.require(document)` with what it has just
    read, after its own checks (what would be refused anyway is refused for its own reason, 13.2.1), right before the
    one conditional update that stores the change: inside the loop that reads again where that update finds another
    state (contention.py). So the state that was compared is the state that is changed, and of two requests with the
    same tag one wins. That holds where the update is bound to all that is answered: to the history's length
    (history.as_read), or a version that each change raises. The first result of an Idempotency-Key is looked for
    before, and answered without the condition.

        def change() -> Payment | None:
            repeated = find_repeat()
            if repeated is not None:
                return repeated
            payment = get_payment(db, tenant=asked.tenant, payment_number=payment_number)
            require_changeable(payment)
            condition.require(payment)
            return store.update_payment(db, payment, ...)  # None where the payment changed meanwhile

    Its route passes `condition=asked_condition(dump_payment)`, answers with `tagged_reply(dump_payment(payment))`, and
    names PreconditionFailed in @fails and `headers=ETAG` in its response.
    """

    tags_of: Callable[[Any], Collection[str]] = _no_tags
    if_match: frozenset[str] | None = None
    if_none_match: frozenset[str] | None = None

    @property
    def asks(self) -> bool:
        """Whether anything is asked at all: without it no document need be read for `require`."""
        return self.if_match is not None or self.if_none_match is not None

    def require(self, document: Any | None, *, is_done: bool = False) -> None:
        """Raise PreconditionFailed unless the document is in a state that is asked for; None where there is none.

        `is_done` says that it holds already what is to be stored: then this may be the repeat of a request that
        succeeded, whose answer was lost, and If-Match isn't asked (13.1.1). If-None-Match is (13.1.2).
        """
        if not is_done:
            self._require_match(document)
        if self.if_none_match is not None and document is not None and self._is_called(document, self.if_none_match):
            raise PreconditionFailed(
                said(
                    "This exists already, and If-None-Match is for what doesn't. Nothing was stored. Read "
                    "it; to change it, send If-Match with its ETag in the place of If-None-Match."
                )
            )

    def _require_match(self, document: Any | None) -> None:
        if self.if_match is None:
            return
        if document is None:
            raise PreconditionFailed(
                said(
                    "There is nothing of this name, and If-Match changes only what there is. Nothing was "
                    "stored. To make it, leave If-Match out."
                )
            )
        if not self.if_match:
            raise PreconditionFailed(
                said(
                    "A weak tag (W/…) never matches in If-Match. Nothing was stored. Send the ETag as this "
                    "service answered it; a proxy that compresses answers may have made it weak."
                )
            )
        if not self._is_called(document, self.if_match):
            raise PreconditionFailed

    def _is_called(self, document: Any, tags: frozenset[str]) -> bool:
        return tags == ANY or not tags.isdisjoint(self.tags_of(document))


ALWAYS = Condition()
