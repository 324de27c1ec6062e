"""`/numbers`: every series with its last check, one series with its gaps, and checking again.

No page walks the numbers: it shows what a check has stored, with the time of it. Names and words stand in
number_words.py.
"""

from dataclasses import replace
from typing import Any

from flask import request

from finance.asked import Asked
from finance.auth.guard import caller
from finance.context import parts
from finance.edge.lists import turn_of_caller
from finance.maintenance.audit.checking import CHECK_S, CheckTooLong, check_all_series, check_series, get_series
from finance.maintenance.audit.explanations import list_gaps
from finance.maintenance.audit.mending import command_for, commands_for
from finance.maintenance.audit.standing import list_standing, list_wrong, read_state
from finance.maintenance.cli import server_clock
from finance.numbering.series import NUMBER_SEQ_MAX, Series
from finance.web import number_words as words
from finance.web.languages import _, ngettext, readers_text
from finance.web.pages import asked, page, render, see_other

WRONG_SHOWN_MAX = 5  # above the table; all of them stand in it


@page("/numbers")
def list_series() -> Any:
    """List every series, the newest first, with what its last check found."""
    db, tenant = parts().db, caller().tenant
    standing = list_standing(db, tenant=tenant, begin=_argument("begin"))
    wrong = list_wrong(db, tenant=tenant, limit=WRONG_SHOWN_MAX) if standing.summary.wrong else []
    return render(
        "numbers/list.html",
        title=_("Numbers"),
        standing=standing,
        wrong=wrong,
        set_back=sum((state.given_since or 0) < 0 for state in standing.rows),
        commands=commands_for(state.check for state in wrong if state.check is not None),
        **words.FOR_TEMPLATES,
    )


@page("/numbers/check", methods=["POST"])
def check_all_numbers() -> Any:
    """Check every series again, as far as the time goes."""
    with turn_of_caller():
        done = check_all_series(parts().db, _asked_now(), within_s=CHECK_S)
    said = ngettext("%(num)s series was checked.", "%(num)s series were checked.", done.done)
    if done.left:
        said += " " + ngettext(
            "There was no time for %(num)s more: check again, or have %(command)s do it.",
            "There was no time for %(num)s more: check again, or have %(command)s do it.",
            done.left,
            command="scripts/audit_numbers.py",
        )
    return see_other("/numbers", done=said)


@page("/numbers/payment/<period>", methods=["GET", "POST"])
def show_payment_numbers(period: str) -> Any:
    """Show the numbers of a year's payments, or check them again."""
    return _one("payment", None, period)


@page("/numbers/customer", methods=["GET", "POST"])
def show_customer_numbers() -> Any:
    """Show the customers' codes, or check them again."""
    return _one("customer", None, None)


@page('/numbers/<any("invoice", "credit-note"):kind>/<shop>/<period>', methods=["GET", "POST"])
def show_shop_numbers(kind: str, shop: str, period: str) -> Any:
    """Show the numbers of a shop's invoices or credit notes in a period, or check them again."""
    return _one(kind.replace("-", "_"), shop.lower(), period)


def _one(kind: str, scope: str | None, period: str | None) -> Any:
    _kind, series = get_series(parts().db, tenant=caller().tenant, kind=kind, scope=scope, period=period)
    if request.method != "POST":
        return _series_page(series)
    try:
        with turn_of_caller():
            check = check_series(parts().db, _asked_now(), kind=kind, scope=scope, period=period, within_s=CHECK_S)
    except CheckTooLong as too_long:
        return _series_page(series, problem=readers_text(too_long.detail)), 503
    return see_other(request.path, done=words.outcome(check))


def _series_page(series: Series, *, problem: str | None = None) -> str:
    db, state = parts().db, read_state(parts().db, series)
    title = words.series_title(state)
    return render(
        "numbers/one.html",
        title=title,
        page_title=_("Problem: %(title)s", title=title) if problem else _("Numbers: %(title)s", title=title),
        state=state,
        check=state.check,
        problem=problem,
        gaps=list_gaps(db, series, after=_argument("after")),
        commands=commands_for([state.check]) if state.check else [],
        command=command_for(series.counter_id),
        **words.FOR_TEMPLATES,
    )


def _asked_now() -> Asked:
    """Return what is asked for, now by the server's clock: reservations, whose age a check looks at, go by it."""
    return replace(asked(), now=server_clock(parts().db)())


def _argument(name: str) -> int:
    """Return a place in the URL; the beginning where it is none."""
    text = request.args.get(name, "")
    return min(int(text), NUMBER_SEQ_MAX) if text.isascii() and text.isdigit() and len(text) <= 16 else 0
