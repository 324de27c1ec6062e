"""Lists as files, under the session: `export_page("/payments/export", "payment_exports.export_payments")`.

What is sent is the API's own: its view is called for who is signed in, streams what it streams, and is recorded in the
activity as it is there. A workbook that is made in the background waits at `/files/{id}`.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from babel.numbers import get_decimal_symbol
from flask import current_app, g, url_for
from flask.blueprints import BlueprintSetupState

from finance.auth.guard import caller
from finance.auth.model import Role
from finance.edge.exports import CONTENT_TYPES
from finance.web.formats import UnclearAmount, read_amount
from finance.web.forms import MONEY
from finance.web.languages import _, reader
from finance.web.lists import ShownList
from finance.web.pages import blueprint, page, see_other


def export_page(rule: str, api_endpoint: str, *, role: Role = "accountant") -> None:
    """Serve what the API exports at an endpoint (named without _csv and _xlsx) at `rule`.csv and `rule`.xlsx."""
    for suffix in CONTENT_TYPES:
        _serve(f"{rule}.{suffix}", f"{api_endpoint}_{suffix}", role)


def file_links(shown: ShownList, address: str, *, has_order: bool = True) -> list[tuple[str, str]]:
    """Return the links to all of a list's filter as files at `address`.csv and .xlsx, the reader's own form first.

    `has_order` says that these files can be had in the order of the list.
    """
    wanted = canonical(shown.filters) | ({"sort": shown.sort} if has_order and shown.sort else {})
    return links_to(address, wanted)


def links_to(address: str, wanted: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the links to files of what these parameters of the API mean."""
    wanted = {**wanted, "language": reader().language}
    points = {"delimiter": ",", "decimal": "."}
    commas = {"delimiter": ";", "decimal": ","}
    own, other = (commas, points) if get_decimal_symbol(reader().locale) == "," else (points, commas)
    other_words = _("CSV with ; and decimal commas") if other is commas else _("CSV with , and decimal points")
    return [
        ("CSV", f"{address}.csv?{urlencode({**wanted, **own})}"),
        ("XLSX", f"{address}.xlsx?{urlencode(wanted)}"),
        (other_words, f"{address}.csv?{urlencode({**wanted, **other})}"),
    ]


def canonical(filters: Mapping[str, str]) -> dict[str, str]:
    """Return the filters of a page as the API takes them: amounts as it writes them."""
    return {name: _plain(value) if name in MONEY else value for name, value in filters.items()}


def _plain(amount: str) -> str:
    try:
        return read_amount(amount)
    except UnclearAmount:
        return amount


def _serve(rule: str, api_endpoint: str, role: Role) -> None:
    def serve(**named: Any) -> Any:
        g.acting = caller()  # whom the API's guard lets in, in the place of a key
        answer: Any = current_app.view_functions[api_endpoint](**named)
        if answer.status_code != 202:
            return answer
        return see_other(url_for("web.show_file", export_id=answer.headers["Location"].rpartition("/")[2]))

    serve.__name__ = serve.__qualname__ = api_endpoint.rpartition(".")[2]
    served = page(rule, role=role)(serve)

    def take_over(state: BlueprintSetupState) -> None:
        # What makes a workbook in the background looks for it at the address that was asked for.
        view: Any = state.app.view_functions[api_endpoint]
        served.export = view.export  # type: ignore[attr-defined]

    blueprint.record(take_over)


export_page("/payments/export", "payment_exports.export_payments")
export_page("/payments/allocations/export", "payment_exports.export_allocations")
