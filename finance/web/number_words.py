"""What series, their gaps and their checks are called; where each has its page, and the list of what it numbers."""

import calendar
import itertools
import re
from datetime import timedelta
from typing import Any

from markupsafe import Markup

from finance.context import parts
from finance.maintenance.audit.standing import SeriesState, Summary
from finance.maintenance.audit.stored import NumberCheck, Range
from finance.numbering import reasons
from finance.web.formats import instant, month_text, number
from finance.web.languages import _, ngettext

STALE_AFTER = timedelta(hours=36)  # as the alert FinanceAuditOverdue
_MONTH = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])", re.ASCII)
_BAR_GAP, _BAR_MIN = 2.0, 2.5  # in percent of a bar that is 96 px wide at least: never thinner than 2 px


def series_title(state: SeriesState | NumberCheck) -> str:
    """Return what a series is called: "Payments 2026", "Invoices dkr1, November 2026"."""
    kinds = {"payment": _("Payments"), "invoice": _("Invoices"), "credit_note": _("Credit notes")}
    name = kinds.get(state.kind, _("Customers"))
    period = period_words(state.period)
    if state.scope is None:
        return f"{name} {period}".strip()
    return f"{name} {state.scope.lower()}" + (f", {period}" if period else "")


def period_words(period: str | None) -> str:
    if period is None:
        return ""
    if period == "all":
        return _("without end")
    return month_text(period) if _MONTH.fullmatch(period) else period


def series_address(state: SeriesState | NumberCheck) -> str:
    """Return the address of a series' own page."""
    names = (state.kind.replace("_", "-"), (state.scope or "").lower(), state.period or "")
    return "/numbers/" + "/".join(part for part in names if part)


def list_words(state: SeriesState) -> str:
    """Return what leads to the list of what a series numbers."""
    words = {
        "payment": _("Show these payments"),
        "invoice": _("Show these invoices"),
        "credit_note": _("Show these credit notes"),
    }
    return words.get(state.kind, _("Show the customers"))


def list_address(state: SeriesState) -> str | None:
    """Return the list of what a series numbers, None where no filter of it says so."""
    first, last = _days(state.period)
    if state.kind == "payment":
        return f"/payments?paid_from={first}&paid_to={last}&sort=payment_number"
    if state.kind == "customer":
        return "/customers"
    if first is None or state.scope is None:
        return None
    kind = "invoices" if state.kind == "invoice" else "credit-notes"
    return f"/{kind}?shop={state.scope.lower()}&issued_from={first}&issued_to={last}"


def verdict(state: SeriesState) -> tuple[str, str]:
    """Return the status of a series, and what is said of it."""
    check = state.check
    if check is None:
        return "unknown", _("Not checked yet")
    if check.is_whole and (state.given_since or 0) >= 0:
        return "whole", _("Whole")
    if check.is_whole:
        return "missing", _("Counter set back")
    if check.missing:
        return "missing", ngettext("%(count)s missing", "%(count)s missing", check.missing, count=number(check.missing))
    if check.duplicates:
        return "missing", ngettext("%(num)s duplicate", "%(num)s duplicates", check.duplicates)
    if check.late:
        return "missing", ngettext("%(num)s gap has a document", "%(num)s gaps have documents", check.late)
    return "missing", _("Counter behind")


def counter_words(check: NumberCheck) -> str:
    """Return how the counter stood when the series was checked."""
    if check.counter == "behind":
        return _("behind by %(count)s", count=number(check.counter_again))
    if check.counter == "beyond":
        return _("ahead by %(count)s", count=number(check.counter_seq - check.accounted_seq))
    return _("agrees")


def since_words(state: SeriesState) -> str | None:
    """Return what the counter says now, where that is other than at the check."""
    since = state.given_since
    if state.counter_seq is None:
        return _("the counter can’t be read")
    if since is not None and since < 0:
        return _("the counter was set back since")
    return _("%(count)s more since", count=number(since)) if since else None


def summary_words(summary: Summary, *, set_back: int = 0) -> tuple[str, str]:
    """Return the status of all series together, and the line that stands above them.

    `set_back` counters are lower than their checks saw them: what these found isn't right any more.
    """
    every, wrong = number(summary.series), number(summary.wrong)
    if set_back and not summary.wrong:
        return "missing", ngettext(
            "%(num)s counter was set back since the last check. Check again.",
            "%(num)s counters were set back since the last check. Check again.",
            set_back,
        )
    if summary.wrong > summary.missing:
        return "missing", ngettext(
            "%(wrong)s of %(every)s series is not in order.",
            "%(wrong)s of %(every)s series are not in order.",
            summary.wrong,
            wrong=wrong,
            every=every,
        )
    if summary.wrong:
        return "missing", ngettext(
            "%(wrong)s of %(every)s series has a number that nothing explains.",
            "%(wrong)s of %(every)s series have a number that nothing explains.",
            summary.wrong,
            wrong=wrong,
            every=every,
        )
    if summary.unchecked:
        return "unknown", ngettext(
            "%(unchecked)s of %(every)s series was not checked yet.",
            "%(unchecked)s of %(every)s series were not checked yet.",
            summary.unchecked,
            unchecked=number(summary.unchecked),
            every=every,
        )
    return "whole", ngettext(
        "Every number of %(every)s series is accounted for.",
        "Every number of %(every)s series is accounted for.",
        summary.series,
        every=every,
    )


def checked_words(summary: Summary) -> Markup | None:
    """Return when the series were checked: from the oldest check to the newest one."""
    if summary.as_of is None or summary.newest_check is None:
        return None
    first, last = instant(summary.as_of), instant(summary.newest_check)
    said = Markup(_("Checked %(instant)s")) if first == last else Markup(_("Checked between %(first)s and %(last)s"))
    if parts().clock() - summary.as_of > STALE_AFTER:
        said += Markup(". {}").format(_("That is long ago: the nightly audit doesn’t seem to run."))
    return said % {"instant": last, "first": first, "last": last}


def outcome(check: NumberCheck) -> str:
    """Return what is said once a series was checked."""
    if check.is_whole:
        return _("Checked: every number is accounted for.")
    return _("Checked: this series has numbers that nothing explains, or that are wrong.")


def reason_words(reason: str) -> str:
    """Return why a number has no document; a reason of another version is shown as it is stored."""
    said = {
        reasons.IDEMPOTENT_REPLAY: _("Left over: the same form was sent twice at the same moment, and stored once"),
        reasons.NOT_STORED: _("Refused by the database, so nothing was stored under it"),
        reasons.LOST: _("Lost: it was given, and no document has it"),
        reasons.REPAIR_UNUSED: _("Left over by a repair of duplicates"),
        reasons.REPAIR_UNDONE: _("Given by a repair of duplicates that was taken back"),
        reasons.ISSUED_BY_OLDER_SYSTEM: _("Given by the older system, before its numbers went on here"),
    }
    return said.get(reason, reason)


def tail(first: str, newest: str) -> str:
    """Return the newest number without what it shares with the first one up to a mark: FAC-DKR1-202611-0001 – 0412."""
    shared = sum(1 for _same in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, newest, strict=False)))
    cut = max(first.rfind(mark, 0, shared) for mark in "-/._") + 1
    return newest[cut:] if newest != first else newest


def range_words(found: Range) -> str:
    """Return numbers side by side as one text."""
    if found.first == found.last:
        return found.first
    return _("%(first)s to %(last)s (%(count)s numbers)", first=found.first, last=found.last, count=number(found.count))


def bar(check: NumberCheck) -> Markup:
    """Return a series as one bar: stored, explained and missing, each where there is any."""
    counts = (("accent", check.stored), ("muted", check.explained), ("bad", check.missing + check.duplicates))
    there = [(kind, count) for kind, count in counts if count]
    whole = sum(count for _kind, count in there)
    room = 100.0 - _BAR_GAP * (len(there) - 1)
    widths = [max(_BAR_MIN, room * count / whole) for _kind, count in there]
    widths[widths.index(max(widths))] -= sum(widths) - room
    rects, x = Markup(), 0.0
    for (kind, _count), width in zip(there, widths, strict=True):
        rects += Markup('<rect class="fill-{}" x="{:.2f}%" width="{:.2f}%" height="12"/>').format(kind, x, width)
        x += width + _BAR_GAP
    return Markup('<svg class="chart" height="12" aria-hidden="true" focusable="false">{}</svg>').format(rects)


def _days(period: str | None) -> tuple[str | None, str | None]:
    """Return the first and the last day of a month or a calendar year."""
    if period and _MONTH.fullmatch(period):
        year, month = int(period[:4]), int(period[5:])
        return f"{period}-01", f"{period}-{calendar.monthrange(year, month)[1]:02}"
    return (
        (f"{period}-01-01", f"{period}-12-31") if period and re.fullmatch(r"\d{4}", period, re.ASCII) else (None, None)
    )


FOR_TEMPLATES: dict[str, Any] = {
    "series_title": series_title,
    "series_address": series_address,
    "list_address": list_address,
    "list_words": list_words,
    "verdict": verdict,
    "counter_words": counter_words,
    "since_words": since_words,
    "summary_words": summary_words,
    "checked_words": checked_words,
    "reason_words": reason_words,
    "range_words": range_words,
    "tail": tail,
    "series_bar": bar,
}
