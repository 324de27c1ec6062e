"""`/healthz`, `/readyz` and `/metrics`, for those who run the service. They need no key: keep them off the internet."""

from flask import Blueprint, Response

from finance import database, metrics
from finance.context import parts
from finance.json_api import problem, reply

blueprint = Blueprint("probes", __name__)


@blueprint.route("/healthz")
def healthz() -> Response:
    """Say that the process lives."""
    return reply({"status": "alive"})


@blueprint.route("/readyz")
def readyz() -> Response:
    """Say whether MongoDB answers and the unique indexes stand; without them nothing may be numbered."""
    try:
        with database.deadline(2):
            missing = database.find_unprotected(parts().db)
    except database.DriverError:
        return _not_ready("MongoDB does not answer.")
    if missing:
        return _not_ready(f"Unique indexes do not stand: {', '.join(missing)}. Run scripts/migrate_indexes.py --apply.")
    return reply({"status": "ready"})


@blueprint.route("/metrics")
def prometheus() -> Response:
    """Show the metrics of all workers."""
    body, content_type = metrics.exposition()
    return Response(body, content_type=content_type)


def _not_ready(detail: str) -> Response:
    return problem(503, code="not_ready", detail=detail, headers={"Retry-After": "1"})
