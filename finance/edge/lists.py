"""A list: from a loaded query to the page that it asks for, and to the place where the next one begins."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

from flask import Response, request
from werkzeug.urls import iri_to_uri

from finance.edge.cursors import decode_cursor, encode_cursor
from finance.edge.replies import reply
from finance.paging import ListPage, PageWanted

T = TypeVar("T", bound=Mapping[str, Any])


def list_reply(query: Mapping[str, Any], list_page: ListPage[T], dump: Callable[[T], dict[str, Any]]) -> Response:
    """Return the page that `list_page` finds, with the address of the next one in a Link header (RFC 8288).

    Raises Invalid where the cursor isn't one of ours, or of another list.
    """
    after = decode_cursor(query, query["cursor"]) if "cursor" in query else None
    page = list_page(wanted=PageWanted(query.get("sort", ""), after, query["limit"]))
    next_cursor = encode_cursor(query, page.position) if page.position else None
    body = {"data": [dump(row) for row in page.rows], "has_more": next_cursor is not None, "next_cursor": next_cursor}
    if next_cursor is None or request.method == "POST":  # of a POST the cursor goes into the next body
        return reply(body)
    return reply(body, headers={"Link": _link_to_next(next_cursor)})


def _link_to_next(cursor: str) -> str:
    address = urlencode({**request.args.to_dict(), "cursor": cursor})
    return f'<{iri_to_uri(request.base_url)}?{address}>; rel="next"'
