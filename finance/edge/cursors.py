"""Cursors: where a list goes on, as an opaque text that we signed, for one list of one tenant."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from itsdangerous import BadData, URLSafeSerializer

from finance.errors import Invalid
from finance.said import said

EXTENSION = "finance-cursors"  # under which the app keeps its Cursors


class Cursors:
    """Makes and reads cursors. What isn't signed with our secret is never looked into.

    `secret` is asked for once, when the first cursor is needed: it may be a database that can't be reached yet.
    """

    def __init__(self, secret: Callable[[], bytes]) -> None:
        self._secret = secret
        self._serializer: URLSafeSerializer | None = None

    def encode(self, position: Sequence[Any], *, tenant: str, path: str, query: Mapping[str, Any]) -> str:
        """Return a cursor that goes on after `position` in the list that `query` asks of `path`."""
        return self._signing().dumps([_list_id(tenant, path, query), *position])

    def decode(self, cursor: str, *, tenant: str, path: str, query: Mapping[str, Any]) -> list[Any]:
        """Return the position in a cursor; raises Invalid where it isn't ours, or was given for another list."""
        signing = self._signing()
        try:
            content = signing.loads(cursor)
        except BadData:
            content = None
        # Base64 can be written in several ways: a signature with a letter changed may still be read as the same.
        if content is None or signing.dumps(content) != cursor:
            raise Invalid.parameter(
                "cursor",
                said("must be the next_cursor of the page before, unchanged. Begin the list again without cursor."),
            )
        list_id, *position = content
        if list_id != _list_id(tenant, path, query):
            raise Invalid.parameter("cursor", said("belongs to a list with other filters or another sort."))
        return position

    def _signing(self) -> URLSafeSerializer:
        if self._serializer is None:
            signing = {"digest_method": hashlib.sha256, "key_derivation": "hmac"}
            self._serializer = URLSafeSerializer(self._secret(), salt="finance cursor", signer_kwargs=signing)
        return self._serializer


def _list_id(tenant: str, path: str, query: Mapping[str, Any]) -> str:
    """Return what tells one list from another; not its page: that is what a cursor is for."""
    filters = {name: str(value) for name, value in query.items() if name not in ("cursor", "limit")}
    return hashlib.sha256(orjson.dumps([tenant, path, filters], option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
