"""The days that lists are asked for most: this month, the last one, this quarter, this year."""

from calendar import monthrange
from datetime import date, timedelta

from finance.web.formats import today
from finance.web.languages import _
from finance.web.lists import ShownList


def presets(shown: ShownList, first: str, last: str) -> list[tuple[str, str]]:
    """Return (words, address of this list with those days); `first` and `last` name the filters of a day."""
    now = today()
    month = now.replace(day=1)
    quarter = date(now.year, now.month - (now.month - 1) % 3, 1)
    periods = (
        (_("This month"), month, end_of_month(now)),
        (_("Last month"), (month - timedelta(days=1)).replace(day=1), month - timedelta(days=1)),
        (_("This quarter"), quarter, end_of_month(quarter.replace(month=quarter.month + 2))),
        (_("This year"), date(now.year, 1, 1), date(now.year, 12, 31)),
    )
    return [
        (words, shown.address(**{first: begins.isoformat(), last: ends.isoformat()})) for words, begins, ends in periods
    ]


def end_of_month(day: date) -> date:
    return day.replace(day=monthrange(day.year, day.month)[1])
