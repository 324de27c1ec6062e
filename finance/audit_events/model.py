"""In which orders audit events are listed; what an event is says `finance/events.py`."""

# Each order ends in what makes it total, so that a cursor names one place.
ORDER_BY_SORT: dict[str, tuple[str, ...]] = {"at": ("at", "_id")}
SORTS = tuple(sign + name for name in ORDER_BY_SORT for sign in ("", "-"))
