"""What Prometheus can ask of us. With PROMETHEUS_MULTIPROC_DIR set, every worker's numbers are added up."""

import functools
import os

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector

if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
    # At each count prometheus_client asks which process this is, five times a request: the system is asked once.
    _process = [os.getpid()]
    os.register_at_fork(after_in_child=lambda: _process.__setitem__(0, os.getpid()))
    values.ValueClass = values.MultiProcessValue(lambda: _process[0])

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

requests = Counter("finance_http_requests_total", "Requests answered", ["method", "route", "status"])
request_seconds = Histogram("finance_http_request_seconds", "Time to answer a request", ["route"], buckets=_SECONDS)
payments_recorded = Counter("finance_payments_recorded_total", "Payments recorded")
invoices_issued = Counter("finance_invoices_issued_total", "Invoices issued")
duplicate_number_retries = Counter(
    "finance_duplicate_number_retries_total", "Documents that got another number because theirs was taken", ["kind"]
)
counters_unreadable = Counter(
    "finance_counters_unreadable_total", "Times that a counter held what is no number, and nothing was stored", ["kind"]
)
nearly_full_numbers = Counter(
    "finance_nearly_full_numbers_total", "Numbers given of the last tenth that a series has room for", ["kind"]
)
gaps_recorded = Counter("finance_number_gaps_recorded_total", "Numbers recorded as gaps", ["kind"])
batch_size = Histogram(
    "finance_commit_batch_size", "Documents stored together", ["kind"], buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256)
)
commit_wait_seconds = Histogram(
    "finance_commit_wait_seconds", "Time a request waited until its document was stored", ["kind"], buckets=_SECONDS
)


@functools.cache  # by methods, routes and statuses, of which there are few
def of_route(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """Return what counts the requests of a method, a route and a status, and what counts their seconds."""
    return requests.labels(method, route, status), request_seconds.labels(route)


def exposition() -> tuple[bytes, str]:
    """Return the metrics of all workers in Prometheus' text format, and its content type."""
    registry = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
    return generate_latest(registry), CONTENT_TYPE_LATEST
