"""`/healthz`, `/readyz` and `/metrics`, for those who run the service. They need no key: keep them off the internet."""

from flask import Blueprint, Response

from finance import database, metrics
from finance.database import Db
from finance.edge.problems import problem
from finance.edge.replies import reply

ANSWER_S = 2.0


def create_probes(db: Db) -> Blueprint:
    """Return the three addresses, over the database that requests use."""
    blueprint = Blueprint("probes", __name__)
    blueprint.add_url_rule("/healthz", view_func=healthz)
    blueprint.add_url_rule("/readyz", view_func=readyz, defaults={"db": db})
    blueprint.add_url_rule("/metrics", view_func=prometheus)
    return blueprint


def healthz() -> Response:
    """Say that the process lives."""
    return reply({"status": "alive"})


def readyz(db: Db) -> Response:
    """Say whether MongoDB answers and the unique indexes stand, building them on a new database.

    Without them nothing may be numbered. A gate that waits for this lets no request through that would build them.
    """
    try:
        with database.deadline(ANSWER_S):
            database.protect(db)
    except database.IndexesMissing as missing:
        return _not_ready(missing.detail)
    except database.DriverError:
        return _not_ready("MongoDB does not answer.")
    return reply({"status": "ready"})


def prometheus() -> Response:
    """Show the metrics of all workers."""
    body, content_type = metrics.exposition()
    return Response(body, content_type=content_type)


def _not_ready(detail: str) -> Response:
    return problem(503, code="not_ready", detail=detail, headers={"Retry-After": "1"})
