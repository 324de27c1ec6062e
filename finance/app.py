"""`create_app(config)`: the one place where parts are put together."""

import logging
import re
import uuid
from collections.abc import Sequence
from time import perf_counter

from flask import Flask, Response, g, request

from finance import context, database, json_api, logs, metrics, openapi, probes
from finance.auth import guard
from finance.auth import routes as auth_routes
from finance.auth.service import KeyRing
from finance.config import Config
from finance.context import Clock, Parts, utc_now
from finance.database import Db
from finance.numbering.issue import Draft, Outcome
from finance.numbering.lane import Lane
from finance.payments import model as payments_model
from finance.payments import routes as payments_routes
from finance.payments import service as payments

access_log = logging.getLogger("finance.access")
log = logging.getLogger(__name__)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")


def create_app(config: Config, *, db: Db | None = None, clock: Clock = utc_now) -> Flask:
    """Return the WSGI app for `config`. A MongoDB that can't be reached yet is not an error: /readyz tells."""
    logs.configure(config.log_level)
    app = Flask("finance", static_folder=None)
    app.json = json_api.OrjsonProvider(app)
    app.config["MAX_CONTENT_LENGTH"] = config.body_bytes_max
    db = database.connect(config) if db is None else db
    app.extensions[context.EXTENSION] = Parts(
        config=config, db=db, clock=clock, payment_lane=_payment_lane(db, config=config, clock=clock)
    )
    app.extensions[guard.EXTENSION] = KeyRing(db, cache_s=config.key_cache_s)
    _frame_requests(app, config)
    json_api.register_error_handlers(app)
    api = openapi.create_api(app)
    for blueprint in (payments_routes.blueprint, auth_routes.blueprint):
        api.register_blueprint(blueprint)
    openapi.complete(api)
    app.register_blueprint(probes.blueprint)
    return app


def _payment_lane(db: Db, *, config: Config, clock: Clock) -> Lane:
    """Return the lane that stores payments; the first batch makes sure that the unique indexes stand."""
    protected = False

    def commit(drafts: Sequence[Draft]) -> list[Outcome]:
        nonlocal protected
        with database.deadline(config.database_deadline_s):
            if not protected:
                database.create_indexes(db)
                protected = True
            return payments.commit_payments(db, drafts, numbering=config.payment_numbering, now=clock())

    return Lane(commit, kind=payments_model.KIND)


def _frame_requests(app: Flask, config: Config) -> None:
    """Give every request an id, a deadline for what it asks of MongoDB, a log line and its place in the metrics."""

    @app.before_request
    def begin() -> None:
        g.began_s = perf_counter()
        sent = request.headers.get("X-Request-Id", "")
        g.request_id = sent if _REQUEST_ID.fullmatch(sent) else uuid.uuid4().hex
        g.request_id_token = logs.request_id_now.set(g.request_id)
        g.deadline = database.deadline(config.database_deadline_s)
        g.deadline.__enter__()

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.request_id
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Cache-Control", "no-store")
        seconds = perf_counter() - g.began_s
        route = request.url_rule.rule if request.url_rule else "unknown"
        metrics.requests.labels(request.method, route, response.status_code).inc()
        metrics.request_seconds.labels(route).observe(seconds)
        if access_log.isEnabledFor(logging.INFO):
            _log_access(response, route, seconds)
        return response

    @app.teardown_request
    def leave(error: BaseException | None) -> None:
        if "deadline" in g:
            g.deadline.__exit__(None, None, None)
            logs.request_id_now.reset(g.request_id_token)


def _log_access(response: Response, route: str, seconds: float) -> None:
    who = {"tenant": g.caller.tenant, "key_id": g.caller.key_id} if "caller" in g else {}
    access_log.info(
        "%s %s %d",
        request.method,
        request.path,
        response.status_code,
        extra={"route": route, "status": response.status_code, "milliseconds": round(seconds * 1000, 1), **who},
    )
