"""Conditional requests: the ETag of an answer, 304 where the caller has it already, If-Match and If-None-Match.

A tag is the digest of the answered body, so it changes whenever what is answered does. That costs 2.5 µs where a POST
takes a worker 581 (docs/performance.md), so there is no cheaper tag beside it. A version that answers more has other
tags: whoever read before it reads once more.
"""

import re
from collections.abc import Callable, Collection, Mapping
from hashlib import blake2b
from typing import Any

from flask import Response, request

from finance.conditions import ALWAYS, ANY, Condition
from finance.edge.replies import as_json, json_reply, not_modified
from finance.errors import Invalid
from finance.said import said

DIGEST_BYTES = 16

# One tag of the list (RFC 9110, 8.8.3), or nothing but separators up to the end.
_TAG = re.compile(r'[ \t,]*(?:(W/)?("[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?=,|\Z)|\Z)')


def tagged_reply(
    data: Any,
    *,
    etag: str | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    replayed: bool = False,
) -> Response:
    """Return `data` as a JSON response with its ETag; 304 to a GET (or HEAD) whose If-None-Match names that.

    `etag` is the tag where it isn't made of the body.
    """
    body = as_json(data)
    etag = etag or _tag_of(body)
    if is_known(etag):
        return not_modified(etag)
    return json_reply(body, status=status, headers={"ETag": etag, **(headers or {})}, replayed=replayed)


def tag_of(data: Any) -> str:
    """Return the tag that tagged_reply gives `data`."""
    return _tag_of(as_json(data))


def is_known(etag: str) -> bool:
    """Return whether this is a GET (or HEAD) of somebody who has the state of this tag already (RFC 9110, 13.1.2)."""
    if request.method not in ("GET", "HEAD"):
        return False
    sent = _sent("If-None-Match")
    if sent is None:
        return False
    tags = _tags_in("If-None-Match", sent)
    return tags == ANY or etag in tags


def asked_condition(
    dump: Callable[[Any], Any] | None = None, *, tags_of: Callable[[Any], Collection[str]] | None = None
) -> Condition:
    """Return what the request asks of the state that it changes; see Condition for how to go on with it.

    `dump` makes of a stored document what is answered with tagged_reply; `tags_of` returns the tags of one where these
    aren't made of the body. Raises Invalid where a header holds no tags.
    """
    sent = {name: _sent(name) for name in ("If-Match", "If-None-Match")}
    if not any(value is not None for value in sent.values()):
        return ALWAYS
    if tags_of is None:
        assert dump is not None
        shown = dump

        def tags_of(document: Any) -> Collection[str]:
            return (tag_of(shown(document)),)

    if_match, if_none_match = (
        None if value is None else _tags_in(name, value, strong=name == "If-Match") for name, value in sent.items()
    )
    return Condition(tags_of, if_match=if_match, if_none_match=if_none_match)


def _tag_of(body: bytes) -> str:
    return f'"{blake2b(body, digest_size=DIGEST_BYTES).hexdigest()}"'


def _sent(name: str) -> str | None:
    value: str | None = request.environ.get(f"HTTP_{name.upper().replace('-', '_')}")
    return value


def _tags_in(name: str, value: str, *, strong: bool = False) -> frozenset[str]:
    """Return the tags of a header, each in its quotes, or ANY; with `strong` without those that are weak."""
    if value.strip() == "*":
        return ANY
    tags = set()
    place, count = 0, 0
    while place < len(value):
        found = _TAG.match(value, place)
        if found is None:
            count = 0
            break
        place, (weak, tag) = found.end(), found.groups()
        count += tag is not None
        if tag is not None and not (strong and weak):
            tags.add(tag)
    if not count:
        raise Invalid.parameter(name, said('must be * or entity tags in double quotes, as ETag has them: "0f3a9c".'))
    return frozenset(tags)
