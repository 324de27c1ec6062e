"""`/healthz`, `/readyz` and `/metrics`, for those who run the service. They need no key: keep them off the internet."""

from collections.abc import Callable, Sequence
from threading import Lock
from time import monotonic
from typing import NamedTuple

from flask import Blueprint, Response

from finance import database, metrics
from finance.database import Db
from finance.edge.problems import problem
from finance.edge.replies import reply
from finance.ownership import DatabaseNotOurs

ANSWER_S = 2.0
KEPT_S = 1.0  # an answer holds for all that ask meanwhile
INDEXES_KEPT_S = 30.0  # those that stand are not removed by themselves
NAMED_MAX = 3


class Obstacle(NamedTuple):
    """What is in the way of serving requests."""

    detail: str
    code: str = "not_ready"


def create_probes(db: Db, *, stuck: Callable[[], Sequence[str]]) -> Blueprint:
    """Return the three addresses, over the database that requests use; `stuck` names what has stopped storing."""
    blueprint = Blueprint("probes", __name__)
    blueprint.add_url_rule("/healthz", view_func=healthz)
    blueprint.add_url_rule("/readyz", view_func=readyz, defaults={"readiness": Readiness(db, stuck=stuck)})
    blueprint.add_url_rule("/metrics", view_func=prometheus)
    return blueprint


def healthz() -> Response:
    """Say that the process lives."""
    return reply({"status": "alive"})


def readyz(readiness: "Readiness") -> Response:
    """Say whether MongoDB answers, the database is ours and the unique indexes stand; else nothing may be numbered."""
    obstacle = readiness.find_obstacle()
    if obstacle is not None:
        return problem(503, code=obstacle.code, detail=obstacle.detail, headers=[("Retry-After", "1")])
    return reply({"status": "ready"})


class Readiness:
    """What is in the way of serving requests. However many ask, MongoDB is asked once a second and builds nothing."""

    def __init__(
        self, db: Db, *, stuck: Callable[[], Sequence[str]] = tuple, clock_s: Callable[[], float] = monotonic
    ) -> None:
        self._db = db
        self._stuck = stuck
        self._clock_s = clock_s
        self._one_asks = Lock()
        self._obstacle: Obstacle | None = None
        self._kept_until_s = 0.0
        self._protected_until_s = 0.0

    def find_obstacle(self) -> Obstacle | None:
        """Return what is in the way, None where nothing is."""
        with self._one_asks:
            if self._clock_s() >= self._kept_until_s:
                self._obstacle = self._look()
                self._kept_until_s = self._clock_s() + KEPT_S
            return self._obstacle

    def _look(self) -> Obstacle | None:
        stuck = self._stuck()
        if stuck:
            named = ", ".join(stuck)
            return Obstacle(f"In this process, storing ({named}) goes on longer than it may. Restart it if this lasts.")
        try:
            with database.deadline(ANSWER_S):
                if self._clock_s() < self._protected_until_s:
                    self._db.command("ping")
                    return None
                missing = database.find_unprotected(self._db)
        except database.DriverError:
            return Obstacle("MongoDB does not answer.")
        except DatabaseNotOurs as not_ours:
            return Obstacle(not_ours.detail, not_ours.code)
        if missing:
            return Obstacle(_missing(missing))
        self._protected_until_s = self._clock_s() + INDEXES_KEPT_S
        return None


def prometheus() -> Response:
    """Show the metrics of all workers."""
    body, content_type = metrics.exposition()
    return Response(body, content_type=content_type)


def _missing(indexes: list[str]) -> str:
    named = ", ".join(indexes[:NAMED_MAX]) + (" and more" if len(indexes) > NAMED_MAX else "")
    return (
        f"Unique indexes do not stand: {named}. Each worker builds them when it starts; if this lasts, see what "
        "scripts/migrate_indexes.py says of them."
    )
