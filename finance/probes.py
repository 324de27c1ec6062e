"""`/healthz`, `/readyz` and `/metrics`, for those who run the service. They need no key: keep them off the internet."""

from flask import Blueprint, Response

from finance import database, metrics
from finance.context import parts
from finance.json_api import problem, reply

ANSWER_S = 2.0

blueprint = Blueprint("probes", __name__)


@blueprint.route("/healthz")
def healthz() -> Response:
    """Say that the process lives."""
    return reply({"status": "alive"})


@blueprint.route("/readyz")
def readyz() -> Response:
    """Say whether MongoDB answers and the unique indexes stand, building them on a new database.

    Without them nothing may be numbered. A gate that waits for this lets no request through that would build them.
    """
    try:
        with database.deadline(ANSWER_S):
            database.protect(parts().db)
    except database.IndexesMissing as missing:
        return _not_ready(missing.detail)
    except database.DriverError:
        return _not_ready("MongoDB does not answer.")
    return reply({"status": "ready"})


@blueprint.route("/metrics")
def prometheus() -> Response:
    """Show the metrics of all workers."""
    body, content_type = metrics.exposition()
    return Response(body, content_type=content_type)


def _not_ready(detail: str) -> Response:
    return problem(503, code="not_ready", detail=detail, headers={"Retry-After": "1"})
