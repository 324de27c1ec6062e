"""A list: from a loaded query to the page that it asks for, and to the place where the next one begins."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import orjson
from flask import Response, current_app, g, request

from finance import database
from finance.edge import cursors
from finance.edge.cursors import Cursors
from finance.edge.replies import as_json, reply
from finance.errors import Invalid, TooBusy
from finance.paging import ListPage, Page, PageWanted, position_of

T = TypeVar("T", bound=Mapping[str, Any])

EXTENSION = "finance-turns"
PAGE_BYTES_MAX = 1024 * 1024  # rows may hold 50 KB each; a page ends before it is larger, but for its first row
READ_AT_ONCE = 2  # pages of one tenant in one process: who asks for many waits for itself, not others for it
WAIT_S = 8.0


class Turns:
    """Who reads a page now, or does other long work. The others of the same tenant wait, in the time that their
    request has; where `in_all` is given, no more than that many go on at a time, of whatever tenant.
    """

    def __init__(self, *, of_tenant: int = READ_AT_ONCE, in_all: int | None = None) -> None:
        self._of_tenant = of_tenant
        self._all = None if in_all is None else threading.Semaphore(in_all)
        self._lock = threading.Lock()
        self._by_tenant: dict[str, tuple[threading.Semaphore, int]] = {}  # and how many have it or wait for it

    @contextmanager
    def turn(self, tenant: str) -> Iterator[None]:
        """Wait for a turn; raises TooBusy where none comes in time."""
        semaphore = self._enter(tenant)
        try:
            with _held(semaphore), _held(self._all):
                yield
        finally:
            self._leave(tenant)

    def _enter(self, tenant: str) -> threading.Semaphore:
        with self._lock:
            semaphore, count = self._by_tenant.get(tenant) or (threading.Semaphore(self._of_tenant), 0)
            self._by_tenant[tenant] = (semaphore, count + 1)
        return semaphore

    def _leave(self, tenant: str) -> None:
        with self._lock:
            semaphore, count = self._by_tenant.pop(tenant)
            if count > 1:
                self._by_tenant[tenant] = (semaphore, count - 1)


@contextmanager
def _held(semaphore: threading.Semaphore | None) -> Iterator[None]:
    remaining_s = database.remaining_s()
    wait_s = WAIT_S if remaining_s is None else max(remaining_s, 0.001)
    if semaphore is not None and not semaphore.acquire(timeout=wait_s):
        raise TooBusy
    try:
        yield
    finally:
        if semaphore is not None:
            semaphore.release()


def list_reply(
    query: Mapping[str, Any],
    list_page: ListPage[T],
    dump: Callable[[T], dict[str, Any]],
    *,
    rows_name: str = "data",
    beside: Callable[[Any], Mapping[str, Any]] = lambda page: {},
) -> Response:
    """Return the page that `list_page` finds, with the address of the next one in a Link header (RFC 8288).

    `beside` gives what stands beside the rows, of the page as it was found. Raises Invalid where the cursor isn't one
    of ours, or of another list.
    """
    ours: Cursors = current_app.extensions[cursors.EXTENSION]
    # The guard, above this layer, has set the caller.
    this_list = {"tenant": g.caller.tenant, "path": request.path, "query": query}
    after = _position(ours, query["cursor"], **this_list) if "cursor" in query else None
    with turn_of_caller():
        page = list_page(wanted=PageWanted(query.get("sort", ""), after, query["limit"]))
        rows, position = _rows_in_bounds(page, dump)
    next_cursor = ours.encode(position, **this_list) if position else None
    body = {**beside(page), rows_name: rows, "has_more": next_cursor is not None, "next_cursor": next_cursor}
    if next_cursor is None or request.method == "POST":  # of a POST the cursor goes into the next body
        return reply(body)
    return reply(body, headers={"Link": _link_to_next(next_cursor)})


def turn_of_caller() -> AbstractContextManager[None]:
    """Return what waits until the caller's tenant may read a page; see Turns.turn."""
    turns: Turns = current_app.extensions[EXTENSION]
    return turns.turn(g.caller.tenant)


def _position(ours: Cursors, cursor: str, **this_list: Any) -> list[Any]:
    """Return the position in a cursor; raises Invalid, with the field of the body where the cursor came in one."""
    try:
        return ours.decode(cursor, **this_list)
    except Invalid as refused:
        if request.method != "POST":
            raise
        raise Invalid.field("cursor", refused.errors[0].detail) from None


def _rows_in_bounds(
    page: Page[T], dump: Callable[[T], dict[str, Any]]
) -> tuple[list[orjson.Fragment], list[Any] | None]:
    """Return the rows as JSON, as many as PAGE_BYTES_MAX takes, and the position to go on from where there is more."""
    rows: list[orjson.Fragment] = []
    size = 0
    for place, row in enumerate(page.rows):
        encoded = as_json(dump(row))
        size += len(encoded)
        if size > PAGE_BYTES_MAX and place:
            return rows, position_of(page.rows[place - 1], order=page.order)
        rows.append(orjson.Fragment(encoded))
        time.sleep(0)  # lets others run, between two rows
    return rows, page.position


def _link_to_next(cursor: str) -> str:
    """Return the Link without scheme and host: those of the request are whatever the client wrote into `Host`."""
    path = quote(request.root_path + request.path)
    return f'<{path}?{urlencode({**request.args.to_dict(), "cursor": cursor})}>; rel="next"'
