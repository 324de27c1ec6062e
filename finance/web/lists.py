"""Lists as pages: the URL is the state. Filters, order and place are loaded by the schema of the API's own list.

*Older* is the cursor of the API. *Newer* is `before`: the same list in the flipped order, from the first row on, its
rows reversed; where that finds less than a page it is the first one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal
from urllib.parse import urlencode

from flask import Response, current_app, redirect, request
from marshmallow import Schema

from finance.auth.guard import caller
from finance.edge import cursors
from finance.edge.arguments import Arguments
from finance.edge.cursors import Cursors
from finance.edge.lists import turn_of_caller
from finance.errors import FieldError, Invalid
from finance.paging import ListPage, Page, PageWanted, position_of
from finance.web import sessions
from finance.web.formats import UnclearAmount, day_text, read_amount
from finance.web.forms import MONEY, SECRET
from finance.web.languages import _, reader, readers_text
from finance.wording import column_title

PAGE_SIZES = (25, 50, 100, 200)
OF_PAGE = ("cursor", "before", "columns", "limit", "sort")  # no filters
Kind = Literal["text", "day", "money", "choice"]


@dataclass(frozen=True)
class Filter:
    """One filter of a list: its parameter in the API, how it is asked for, and whether it stands open.

    `choices` are the values of a choice; `words` gives what one is called.
    """

    name: str
    kind: Kind = "text"
    choices: Sequence[str] = ()
    words: Callable[[str], str] = str
    is_open: bool = False
    label: Callable[[], str] | None = None

    @property
    def title(self) -> str:
        return self.label() if self.label else column_title(self.name, reader().language)

    def said(self, value: str) -> str:
        """Return a value as its chip says it."""
        if self.kind == "choice":
            return self.words(value)
        return day_text(value) if self.kind == "day" else value


@dataclass(frozen=True)
class ListOf:
    """A list of the API as a page: `schema` loads its query, `filters` are its form."""

    schema: Schema
    filters: Sequence[Filter]
    columns: Sequence[str] = ()  # that may be chosen; those of `default_columns` unless others are
    default_columns: Sequence[str] = ()
    sorts: Sequence[str] = ()  # the columns by which the API sorts

    @cached_property
    def arguments(self) -> Arguments:
        return Arguments(self.schema, location="query")

    @cached_property
    def default_sort(self) -> str:
        sort = self.schema.load_fields.get("sort")
        return str(sort.load_default) if sort is not None else ""


@dataclass
class ShownList:
    """A list as it is shown: its rows, where it goes on, and what was asked for."""

    of: ListOf
    sent: Mapping[str, str]
    query: Mapping[str, Any] = field(default_factory=dict)
    rows: Sequence[Any] = ()
    older: str | None = None
    newer: str | None = None
    errors: Mapping[str, str] = field(default_factory=dict)
    page: Any = None

    def address(self, **changes: str | None) -> str:
        """Return the address of this list with other parameters; None takes one away. Its place begins anew."""
        kept = {name: value for name, value in self.sent.items() if name not in ("cursor", "before")}
        changed = {name: value for name, value in {**kept, **changes}.items() if value}
        return request.path + (f"?{urlencode(changed)}" if changed else "")

    def address_at(self, path: str) -> str:
        """Return the address of another page with the same filters."""
        return path + (f"?{urlencode(self.filters)}" if self.filters else "")

    @property
    def filters(self) -> dict[str, str]:
        """What is filtered by, as it was sent."""
        return {name: value for name, value in self.sent.items() if name not in OF_PAGE}

    @property
    def is_first(self) -> bool:
        """Whether this is the list's first page; the sums of all its pages are shown there alone."""
        return "cursor" not in self.sent and "before" not in self.sent

    @property
    def query_string(self) -> str:
        """The filters and the order, for the links to files and totals."""
        return urlencode({n: v for n, v in self.sent.items() if n not in OF_PAGE or n == "sort"})

    def chips(self) -> list[tuple[str, str]]:
        """Return each active filter in words, with the address without it."""
        by_name = {one.name: one for one in self.of.filters}
        return [
            (f"{by_name[name].title}: {by_name[name].said(value)}" if name in by_name else f"{name}: {value}",
             self.address(**{name: None}))
            for name, value in self.filters.items()
        ]  # fmt: skip

    def in_words(self) -> str:
        """Return the filters as one text, for the title and for print."""
        return ", ".join(words for words, _address in self.chips())

    @property
    def columns(self) -> Sequence[str]:
        """The columns that are shown, in the order of the list's own."""
        wanted = self.sent.get("columns", "").split(",")
        return [name for name in self.of.columns if name in wanted] or self.of.default_columns

    @property
    def sort(self) -> str:
        return str(self.query.get("sort", self.of.default_sort))

    def sort_address(self, name: str) -> str:
        """Return the address of this list in the order of a column, descending where it is ascending by it now."""
        wanted = f"-{name}" if self.sort == name or (self.sort.removeprefix("-") != name) else name
        return self.address(sort=None if wanted == self.of.default_sort else wanted)

    def order_of(self, name: str) -> str | None:
        """Return "ascending" or "descending" where the list is in the order of this column."""
        return {name: "ascending", f"-{name}": "descending"}.get(self.sort)

    @property
    def limit(self) -> int:
        return int(self.query.get("limit", 50))


def shown_list(
    of: ListOf, list_page: Callable[[Mapping[str, Any]], ListPage[Any]], dump: Callable[[Any], dict[str, Any]]
) -> ShownList | Response:
    """Return the page of a list that the URL asks for, or a redirect to its short URL.

    `list_page` makes of a loaded query what finds a page. What is refused stands in `errors`, and nothing is listed.
    """
    sent = request.args.to_dict()
    if "column" in sent:  # the check boxes, each a parameter of its own
        del sent["column"]
        sent["columns"] = ",".join(request.args.getlist("column"))
    short = {name: value.strip() for name, value in sent.items() if value.strip() and not _is_default(of, name, value)}
    if short != request.args.to_dict():
        return redirect(request.path + (f"?{urlencode(short)}" if short else ""), 303)  # type: ignore[return-value]
    shown = ShownList(of, {name: value for name, value in sent.items() if name not in SECRET})  # refused, not repeated
    try:
        shown.query = _load(of, sent)
    except Invalid as refused:
        names = ((e.parameter or (e.pointer or "").strip("/"), readers_text(e.detail)) for e in refused.errors)
        shown.errors = dict(names)
        return shown
    try:
        _read(shown, list_page, dump)
    except Invalid as refused:
        if not any(error.parameter in ("cursor", "before") for error in refused.errors):
            raise
        sessions.own()["done"] = _("This list was shown from its top, because its filters or its order had changed.")
        sessions.save()
        return redirect(shown.address(), 303)  # type: ignore[return-value]
    return shown


def _is_default(of: ListOf, name: str, value: str) -> bool:
    if name == "columns":
        return value == ",".join(of.default_columns)
    known = of.schema.load_fields.get(name)
    return known is not None and str(known.load_default) == value


def _load(of: ListOf, sent: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the query, loaded by the API's schema; amounts are read as the reader writes them. Raises Invalid."""
    query: dict[str, str] = {}
    errors: list[FieldError] = []
    for name, value in sent.items():
        if name in ("before", "columns", "cursor"):
            continue
        try:
            query[name] = read_amount(value) if name in MONEY else value
        except UnclearAmount as unclear:
            errors.append(FieldError(str(unclear), parameter=name))
    try:
        loaded: Mapping[str, Any] = of.arguments.load_only(query.keys(), query)
    except Invalid as refused:
        errors += refused.errors
    if errors:
        raise Invalid(errors=errors)
    return loaded


def _read(shown: ShownList, list_page: Callable[[Mapping[str, Any]], ListPage[Any]], dump: Any) -> None:
    ours: Cursors = current_app.extensions[cursors.EXTENSION]
    find = list_page(shown.query)
    here: dict[str, Any] = {"tenant": caller().tenant, "path": request.path}
    sort, limit = shown.sort, shown.limit
    backwards = {**here, "query": {**shown.query, "sort": flipped(sort)}}
    forwards = {**here, "query": dict(shown.query)}
    page, is_first = None, False
    with turn_of_caller():
        if "before" in shown.sent:
            first = ours.decode(shown.sent["before"], **backwards)
            page, is_first = _page_before(find, sort=sort, after=first, limit=limit)
        if page is None:
            after = ours.decode(shown.sent["cursor"], **forwards) if "cursor" in shown.sent else None
            page, is_first = find(wanted=PageWanted(sort, after, limit)), after is None
    shown.page = page
    shown.rows = [dump(row) for row in page.rows]
    if page.position:
        shown.older = shown.address(cursor=ours.encode(page.position, **forwards))
    if not is_first and page.rows:
        first = position_of(page.rows[0], order=page.order)
        shown.newer = shown.address(before=ours.encode(first, **backwards))


def _page_before(find: ListPage[Any], *, sort: str, after: Sequence[Any], limit: int) -> tuple[Page[Any] | None, bool]:
    """Return the page before a position, None where less than a page is there: then it is the first one."""
    found = find(wanted=PageWanted(flipped(sort), after, limit))
    if len(found.rows) < limit:
        return None, True
    rows = found.rows[::-1]
    return Page(rows, position_of(rows[-1], order=found.order), found.order), found.position is None


def flipped(sort: str) -> str:
    """Return the opposite order."""
    return sort.removeprefix("-") if sort.startswith("-") else f"-{sort}"
