"""`create_app(config)`: the one place where parts are put together."""

import contextlib
import itertools
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from functools import partial
from threading import Thread

from flask import Flask, request

from finance import context, database
from finance.audit_events import routes as audit_events_routes
from finance.auth import guard
from finance.auth import routes as auth_routes
from finance.auth.service import KeyRing
from finance.config import Config
from finance.context import Clock, Parts, utc_now
from finance.customers import routes as customers_routes
from finance.database import Db
from finance.edge import cors, cursors, exports, frames, limits, lists, openapi, probes, problems, replies
from finance.edge.application import Application
from finance.encryption import FieldCipher
from finance.errors import Unavailable, own
from finance.files import routes as files_routes
from finance.files.making import Maker
from finance.imports import making as importing
from finance.imports.working import Tools
from finance.invoices import credit_note_routes, issuing, seen
from finance.invoices import model as invoices_model
from finance.invoices import routes as invoices_routes
from finance.invoices import settling as invoice_settling
from finance.numbering.drafts import Draft, Outcome
from finance.numbering.lane import Lane
from finance.once import NothingStored
from finance.ownership import DatabaseNotOurs
from finance.payments import allocations, export_routes, summary
from finance.payments import model as payments_model
from finance.payments import routes as payments_routes
from finance.payments import service as payments
from finance.payments.bulk import PART_SIZE
from finance.receivables import completing
from finance.receivables import routes as receivables_routes
from finance.shops import routes as shops_routes
from finance.web import registering as web

log = logging.getLogger(__name__)

BUILD_S = 3_600.0  # how long indexes may take to build, on a database that holds millions of payments already
BULK = "payments in bulk"
LOOK_AGAIN_S = 5.0  # where the database was another software's, or MongoDB away
BUILD_PAUSES_S = (0.5, 1, 2, 5, 10, 30)  # and then the last one, until they stand


def create_app(config: Config, *, db: Db | None = None, clock: Clock = utc_now) -> Flask:
    """Return the WSGI app for `config`. A MongoDB that can't be reached yet is not an error: /readyz tells."""
    app = Application("finance", static_folder=None)
    app.json = replies.OrjsonProvider(app)
    app.url_map.merge_slashes = False  # "//payments" would be redirected, to whatever host the client wrote
    app.config["MAX_CONTENT_LENGTH"] = config.body_bytes_max
    db = database.connect(config) if db is None else db
    protect = _Protection(db)
    lanes = _lanes(db, config=config, clock=clock, protect=protect)
    submit_payment, submit_invoice = (
        partial(lane.submit, deadline_s=config.commit_deadline_s)
        for lane in (lanes[payments_model.KIND], lanes[invoices_model.KIND])
    )
    app.extensions[payments_routes.KEPT_TOTALS] = summary.Kept()
    app.extensions[payments_routes.BULK_RECEIVERS] = lists.Turns(
        of_tenant=payments_routes.RECEIVED_AT_ONCE, in_all=payments_routes.RECEIVED_IN_ALL
    )
    app.extensions[payments_routes.BULK_TURNS] = lists.Turns(of_tenant=1, in_all=payments_routes.BULKS_AT_ONCE)
    shared = app.extensions[context.EXTENSION] = Parts(
        config=config,
        db=db,
        clock=clock,
        submit_payment=submit_payment,
        submit_payments=partial(lanes[BULK].submit_many, deadline_s=config.commit_deadline_s),
        submit_invoice=submit_invoice,
        cipher=_field_cipher(db, config),
        protect=protect,
    )
    app.extensions[seen.EXTENSION] = invoice_settling.Settling(
        submit=submit_invoice,
        follow=lambda sink, claim: allocations.follow(db, sink, claim, submit=submit_payment, now=clock()),
        clock=clock,
    )
    app.extensions[cursors.EXTENSION] = cursors.Cursors(
        lambda: database.shared_secret(db, name="cursors", fresh=secrets.token_bytes(32))
    )
    app.extensions[lists.EXTENSION] = lists.Turns()
    app.extensions[guard.EXTENSION] = _guard(db, config, clock)
    app.extensions[exports.EXTENSION] = exports.Exports(
        slots=exports.Slots(config.exports_at_once),
        record=audit_events_routes.record_export,
        timezone=config.timezone,
        clock=clock,
        later=files_routes.ask_for_file,
    )
    app.extensions[files_routes.EXTENSION] = Maker(app, db, clock)
    app.extensions[importing.EXTENSION] = importing.Importer(
        Tools(db, clock, config.timezone, shared.submit_payments, shared.cipher, protect)
    )
    frames.frame_requests(app, database_deadline_s=config.database_deadline_s, trusted_proxies=config.trusted_proxies)
    protect.refuse_writing_where_not_ours(app)
    cors.share_with(app, config.cors_origins)
    problems.register_error_handlers(app)
    api = openapi.create_api(app)
    for blueprint in (
        payments_routes.blueprint,
        customers_routes.blueprint,
        payments_routes.of_customers,
        export_routes.blueprint,
        invoices_routes.blueprint,
        credit_note_routes.blueprint,
        shops_routes.blueprint,
        auth_routes.blueprint,
        receivables_routes.blueprint,
        audit_events_routes.blueprint,
        files_routes.blueprint,
    ):
        api.register_blueprint(blueprint)
    openapi.serve(api, app)
    app.register_blueprint(
        probes.create_probes(db, stuck=lambda: [kind for kind, lane in lanes.items() if lane.is_stuck()])
    )
    web.register(app)
    guard.require_roles(app)
    return app


def build_indexes(app: Flask) -> None:
    """Have the indexes that are missing built beside what else this process does; readiness waits for them.

    Any number of processes may do so at the same time. Tried again for as long as MongoDB is away.
    """
    shared = app.extensions[context.EXTENSION]
    Thread(target=_build_until_done, args=(shared.protect, shared.db), name="indexes", daemon=True).start()


def _build_until_done(protect: Callable[[], None], db: Db) -> None:
    """Build what is missing, and complete what an earlier version stored."""
    for pause_s in itertools.chain(BUILD_PAUSES_S, itertools.repeat(BUILD_PAUSES_S[-1])):
        try:
            with database.deadline(BUILD_S):
                protect()
            log.info("The unique indexes stand.")
            with database.deadline(BUILD_S):
                completing.complete_all(db)
            return
        except DatabaseNotOurs as not_ours:
            log.error(not_ours.detail)
        except database.IndexesMissing as missing:
            log.error("The unique indexes do not stand: %s", missing.detail)
        except (database.DriverError, Unavailable) as error:
            log.warning("The indexes can't be built yet: %s", type(error).__name__)
        time.sleep(pause_s)


class _Protection:
    """Makes sure, once a process, that the database is ours and its unique indexes stand: nothing is stored before."""

    def __init__(self, db: Db) -> None:
        self._db = db
        self._done = False
        self._not_ours: DatabaseNotOurs | None = None
        self._look_again_at_s = 0.0

    def __call__(self) -> None:
        if self._done:
            return
        self._note(database.protect)
        self._done = True

    def refuse_writing_where_not_ours(self, app: Flask) -> None:
        """Refuse whatever could write, before its key is looked at, while another software's database is named."""

        @app.before_request
        def refuse() -> None:
            if self._done or request.method in ("GET", "HEAD", "OPTIONS"):
                return
            if time.monotonic() >= self._look_again_at_s:
                with contextlib.suppress(database.DriverError):  # then the request itself finds out
                    self._note(database.require_ours)
            elif self._not_ours is not None:
                raise own(self._not_ours)

    def _note(self, look: Callable[[Db], None]) -> None:
        if self._not_ours is not None:  # until this look has ended others are told what is known
            self._look_again_at_s = time.monotonic() + LOOK_AGAIN_S
        try:
            look(self._db)
            self._not_ours = None
        except DatabaseNotOurs as not_ours:
            self._not_ours = not_ours
            raise
        finally:
            self._look_again_at_s = time.monotonic() + LOOK_AGAIN_S


def _guard(db: Db, config: Config, clock: Clock) -> guard.Guard:
    counts = limits.SharedCounts(db)
    return guard.Guard(
        key_ring=KeyRing(db, cache_s=config.key_cache_s, clock=clock),
        failed_keys=limits.FailedKeys(config.failed_keys_per_address, counts),
        requests_per_key=limits.RequestsPerKey(config.requests_per_key, counts),
    )


def _field_cipher(db: Db, config: Config) -> FieldCipher:
    cipher = FieldCipher(db, master_keys=config.encryption_keys)
    if not cipher.is_configured:
        log.warning("FINANCE_ENCRYPTION_KEY is not set: customers with tax or bank numbers will be refused.")
    return cipher


def _lanes(db: Db, *, config: Config, clock: Clock, protect: Callable[[], None]) -> dict[str, Lane]:
    """Return the one way into each numbered collection; its first batch makes sure that the unique indexes stand."""
    commits: dict[str, Callable[..., list[Outcome]]] = {
        payments_model.KIND: partial(payments.commit_payments, db, numbering=config.payment_numbering),
        invoices_model.KIND: partial(issuing.commit_invoices, db),  # and credit notes
    }

    def protected(commit: Callable[..., list[Outcome]], drafts: Sequence[Draft]) -> list[Outcome]:
        try:
            protect()
        except database.DriverError as error:
            return [NothingStored.because_of(error) for _draft in drafts]
        return commit(drafts, now=clock())

    lanes = {kind: Lane(partial(protected, commit), kind=kind) for kind, commit in commits.items()}
    # Beside the lane of single payments, so that these never wait for a part of a bulk to be stored.
    bulk = partial(protected, commits[payments_model.KIND])
    return lanes | {BULK: Lane(bulk, kind=payments_model.KIND, batch_size_max=PART_SIZE)}
