"""`create_app(config)`: the one place where parts are put together."""

import logging
import random
import re
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

from flask import Flask, Request, Response, g, request

from finance import context, database, json_api, logs, metrics, openapi, probes
from finance.auth import guard
from finance.auth import routes as auth_routes
from finance.auth.model import Caller
from finance.auth.service import KeyRing
from finance.config import Config
from finance.context import Clock, Parts, utc_now
from finance.customers import routes as customers_routes
from finance.database import Db
from finance.encryption import FieldCipher
from finance.invoices import model as invoices_model
from finance.invoices import routes as invoices_routes
from finance.invoices import service as invoices
from finance.numbering.issue import Draft, Outcome
from finance.numbering.lane import COMMITTERS, Lane
from finance.payments import allocations
from finance.payments import model as payments_model
from finance.payments import routes as payments_routes
from finance.payments import service as payments
from finance.shops import routes as shops_routes

access_log = logging.getLogger("finance.access")
log = logging.getLogger(__name__)

_METHODS = frozenset(("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"))  # a label must not grow without end
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")


def create_app(config: Config, *, db: Db | None = None, clock: Clock = utc_now) -> Flask:
    """Return the WSGI app for `config`. A MongoDB that can't be reached yet is not an error: /readyz tells."""
    app = _SyncFlask("finance", static_folder=None)
    app.json = json_api.OrjsonProvider(app)
    app.config["MAX_CONTENT_LENGTH"] = config.body_bytes_max
    db = database.connect(config) if db is None else db
    protect = _protection(db)
    payment_lane = _payment_lane(db, config=config, clock=clock, protect=protect)
    app.extensions[context.EXTENSION] = Parts(
        config=config,
        db=db,
        clock=clock,
        payment_lane=payment_lane,
        invoice_lane=_invoice_lane(db, config=config, clock=clock, protect=protect),
        settle_claim=_settle_claim(db, payment_lane, config=config, clock=clock),
        cipher=_field_cipher(db, config),
        protect=protect,
    )
    app.extensions[guard.EXTENSION] = KeyRing(db, cache_s=config.key_cache_s)
    _frame_requests(app, config)
    json_api.register_error_handlers(app)
    api = openapi.create_api(app)
    for blueprint in (
        payments_routes.blueprint,
        customers_routes.blueprint,
        payments_routes.of_customers,
        invoices_routes.blueprint,
        shops_routes.blueprint,
        auth_routes.blueprint,
    ):
        api.register_blueprint(blueprint)
    openapi.serve(api, app)
    app.register_blueprint(probes.blueprint)
    return app


class _SyncFlask(Flask):
    """Flask without async views: on each request every decorator of flask-smorest would ask whether its view is one."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


def _protection(db: Db) -> Callable[[], None]:
    """Return what makes sure, once a process, that the unique indexes stand: nothing may be stored before."""
    protected = False

    def protect() -> None:
        nonlocal protected
        if not protected:
            database.protect(db)
            protected = True

    return protect


def _field_cipher(db: Db, config: Config) -> FieldCipher:
    cipher = FieldCipher(db, master_keys=config.encryption_keys)
    if not cipher.is_configured:
        log.warning("FINANCE_ENCRYPTION_KEY is not set: customers with tax or bank numbers will be refused.")
    return cipher


def _payment_lane(db: Db, *, config: Config, clock: Clock, protect: Callable[[], None]) -> Lane:
    """Return the lane that stores payments; its first batch makes sure that the unique indexes stand."""
    numbering = config.payment_numbering

    def commit(drafts: Sequence[Draft]) -> list[Outcome]:
        with database.deadline(config.database_deadline_s):
            protect()
            return payments.commit_payments(db, drafts, numbering=numbering, now=clock())

    return Lane(commit, kind=payments_model.KIND, committers=1 if numbering == "no_gap" else COMMITTERS)


def _invoice_lane(db: Db, *, config: Config, clock: Clock, protect: Callable[[], None]) -> Lane:
    """Return the lane that stores invoices and credit notes, in the same way."""

    def commit(drafts: Sequence[Draft]) -> list[Outcome]:
        with database.deadline(config.database_deadline_s):
            protect()
            return invoices.commit_invoices(db, drafts, now=clock())

    return Lane(commit, kind=invoices_model.KIND, committers=1)


def _settle_claim(db: Db, payment_lane: Lane, *, config: Config, clock: Clock) -> Callable[..., None]:
    """Return what settles a payment's claim on an invoice, for those who read the invoice."""

    def settle_claim(*, tenant: str, claim: str, invoice_number: str) -> None:
        allocations.settle_claim(
            db,
            lane=payment_lane,
            tenant=tenant,
            claim=claim,
            invoice_number=invoice_number,
            now=clock(),
            deadline_s=config.commit_deadline_s,
        )

    return settle_claim


class _Frame:
    """What surrounds one request: its id, its deadline, and when it began."""

    __slots__ = ("began_s", "deadline", "request_id", "token")

    def __init__(self, request_id: str, deadline_s: float) -> None:
        self.request_id = request_id
        self.token = logs.request_id_now.set(request_id)
        self.deadline = database.deadline(deadline_s)
        self.deadline.__enter__()
        self.began_s = perf_counter()

    def close(self) -> None:
        self.deadline.__exit__(None, None, None)
        logs.request_id_now.reset(self.token)


def _frame_requests(app: Flask, config: Config) -> None:
    """Give every request an id, a deadline for what it asks of MongoDB, a log line and its place in the metrics."""

    @app.before_request
    def begin() -> None:
        sent = request.headers.get("X-Request-Id")
        # Not a secret, so the quick generator will do; gunicorn seeds it in each worker.
        request_id = sent if sent and _REQUEST_ID.fullmatch(sent) else f"{random.getrandbits(128):032x}"
        g.frame = _Frame(request_id, config.database_deadline_s)

    @app.after_request
    def finish(response: Response) -> Response:
        frame: _Frame = g.frame
        asked = request._get_current_object()  # type: ignore[attr-defined]  # once, not at every look
        headers = response.headers
        headers["X-Request-Id"] = frame.request_id
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("Cache-Control", "no-store")
        seconds = perf_counter() - frame.began_s
        route = asked.url_rule.rule if asked.url_rule else "unknown"
        metrics.requests.labels(
            asked.method if asked.method in _METHODS else "other", route, response.status_code
        ).inc()
        metrics.request_seconds.labels(route).observe(seconds)
        if access_log.isEnabledFor(logging.INFO):
            _log_access(asked, response, route, seconds)
        return response

    @app.teardown_request
    def leave(error: BaseException | None) -> None:
        frame: _Frame | None = g.pop("frame", None)
        if frame is not None:
            frame.close()


def _log_access(asked: Request, response: Response, route: str, seconds: float) -> None:
    status = response.status_code
    fields = {"route": route, "status": status, "milliseconds": round(seconds * 1000, 1)}
    caller: Caller | None = g.get("caller")
    if caller is not None:
        fields |= {"tenant": caller.tenant, "key_id": caller.key_id}
    access_log.info("%s %s %d", asked.method, asked.path, status, extra=fields)
