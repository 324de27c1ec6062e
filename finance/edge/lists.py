"""A list: from a loaded query to the page that it asks for, and to the place where the next one begins."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from flask import Response, current_app, g, request

from finance.edge import cursors
from finance.edge.cursors import Cursors
from finance.edge.replies import reply
from finance.errors import Invalid
from finance.paging import ListPage, PageWanted

T = TypeVar("T", bound=Mapping[str, Any])


def list_reply(query: Mapping[str, Any], list_page: ListPage[T], dump: Callable[[T], dict[str, Any]]) -> Response:
    """Return the page that `list_page` finds, with the address of the next one in a Link header (RFC 8288).

    Raises Invalid where the cursor isn't one of ours, or of another list.
    """
    ours: Cursors = current_app.extensions[cursors.EXTENSION]
    # The guard, above this layer, has set the caller.
    this_list = {"tenant": g.caller.tenant, "path": request.path, "query": query}
    after = _position(ours, query["cursor"], **this_list) if "cursor" in query else None
    page = list_page(wanted=PageWanted(query.get("sort", ""), after, query["limit"]))
    next_cursor = ours.encode(page.position, **this_list) if page.position else None
    body = {"data": [dump(row) for row in page.rows], "has_more": next_cursor is not None, "next_cursor": next_cursor}
    if next_cursor is None or request.method == "POST":  # of a POST the cursor goes into the next body
        return reply(body)
    return reply(body, headers={"Link": _link_to_next(next_cursor)})


def _position(ours: Cursors, cursor: str, **this_list: Any) -> list[Any]:
    """Return the position in a cursor; raises Invalid, with the field of the body where the cursor came in one."""
    try:
        return ours.decode(cursor, **this_list)
    except Invalid as refused:
        if request.method != "POST":
            raise
        raise Invalid.field("cursor", refused.errors[0].detail) from None


def _link_to_next(cursor: str) -> str:
    """Return the Link without scheme and host: those of the request are whatever the client wrote into `Host`."""
    path = quote(request.root_path + request.path)
    return f'<{path}?{urlencode({**request.args.to_dict(), "cursor": cursor})}>; rel="next"'
