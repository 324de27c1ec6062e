"""A whole list as one JSON answer, written as it is read: it takes the same memory however long it is."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from flask import Response, current_app, g

from finance.edge import exports
from finance.edge.exports import Exports, each_in_time
from finance.edge.replies import as_json

T = TypeVar("T")


def stream_reply(
    pages: Iterator[list[T]],
    dump: Callable[[T], Mapping[str, Any]],
    *,
    heading: Mapping[str, Any],
    ending: Callable[[], Mapping[str, Any]],
) -> Response:
    """Return the members of `heading`, all rows as `data`, and what `ending` gives when they are written.

    It has one of the slots that files have. The first rows are read now, so that a database that is away is a 503.
    """
    shared: Exports = current_app.extensions[exports.EXTENSION]
    give_back = shared.slots.take(g.caller.tenant)  # the guard around the view has set who asks
    try:
        chunks = _chunks(each_in_time(pages, deadline_s=g.frame.deadline_s), dump, heading, ending)
        first = next(chunks)
        answer = Response(itertools.chain([first], chunks), content_type="application/json")
    except BaseException:
        give_back()
        raise
    answer.call_on_close(give_back)  # when it was sent, and when the client has left
    return answer


def _chunks(
    pages: Iterator[list[T]],
    dump: Callable[[T], Mapping[str, Any]],
    heading: Mapping[str, Any],
    ending: Callable[[], Mapping[str, Any]],
) -> Iterator[bytes]:
    before = as_json(heading).removesuffix(b"}") + b',"data":['
    for page in pages:
        if page:
            yield before + b",".join(as_json(dump(row)) for row in page)
            before = b","
    opening = b"" if before == b"," else before
    yield opening + b"]," + as_json(ending()).removeprefix(b"{")
