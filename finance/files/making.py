"""Making files in the background, one at a time in each process, beside its requests.

A file is its holder's as long as that shows signs of life; then whoever looks next begins it again.
"""

import hashlib
import logging
import secrets
import tempfile
import threading
import time
from typing import IO, Any

from flask import Flask, g

from finance import database
from finance.auth import service as keys
from finance.auth.model import Caller
from finance.auth.service import ApiKeyNotFound
from finance.background import Background
from finance.context import Clock
from finance.database import Db
from finance.edge.exports import export_at
from finance.errors import FinanceError
from finance.files import service, store
from finance.files.model import CHUNK_BYTES, SIGN_OF_LIFE_S, Export
from finance.files.service import ExportFailed, TakenOver
from finance.said import said

log = logging.getLogger(__name__)

PAUSE_S = 0.001  # after each slice of rows: a request has several steps, and waits for a slice at each otherwise
STEP_S = 8.0  # for one question to the database
_BROKEN = said("Something failed here that should not. Ask for it again.")
_NO_KEY = said("The key that asked for it was revoked or has ended.")


class Maker:
    """Makes what waits; `look` begins."""

    def __init__(self, app: Flask, db: Db, clock: Clock) -> None:
        self._app, self._db, self._clock = app, db, clock
        self.look = Background("files", self._make_next).look

    def _make_next(self) -> bool:
        with database.deadline(STEP_S):
            store.give_up_dead(self._db)
            export = store.claim_export(self._db, holder=secrets.token_hex(16))
        if export is None:
            return False
        with _Life(self._db, export) as life:
            self._make(export, life)
        return True

    def _make(self, export: Export, life: "_Life") -> None:
        try:
            with tempfile.TemporaryFile() as file:
                rows = self._write(export, file, life)
                values = {"status": "ready", "rows": rows, **self._keep(export, file, life)}
        except TakenOver:
            log.warning("A file of %s is made by another process now.", export["table"])
            self._drop(export)
            return
        except FinanceError as refused:
            values = {"status": "failed", "failure": refused.detail}
        except Exception as error:
            log.error("A file could not be made.", exc_info=error)
            values = {"status": "failed", "failure": _BROKEN}
        with database.deadline(STEP_S):
            is_mine = store.finish(self._db, export_id=export["_id"], holder=export["holder"], values=values)
        if not is_mine or values["status"] == "failed":
            self._drop(export)

    def _write(self, export: Export, file: IO[bytes], life: "_Life") -> int:
        """Write the workbook, as the request that asked for it would have had it."""
        with self._app.test_request_context(
            export["path"], query_string=export["query"], headers={"Accept-Language": export["language"]}
        ):
            g.acting = self._caller(export)
            return export_at(self._app).make(file, told=life.tell, deadline_s=STEP_S)

    def _caller(self, export: Export) -> Caller:
        """Return who asked, where that key may still ask."""
        with database.deadline(STEP_S):
            try:
                key = keys.get_key(self._db, tenant=export["tenant"], key_id=export["key_id"])
            except ApiKeyNotFound:
                raise ExportFailed(_NO_KEY) from None
        ends_at = key.get("expires_at")
        if key.get("revoked_at") is not None or (ends_at is not None and ends_at <= self._clock()):
            raise ExportFailed(_NO_KEY)
        return Caller(key["tenant"], key["role"], key["_id"], key.get("name"))

    def _keep(self, export: Export, file: IO[bytes], life: "_Life") -> dict[str, Any]:
        digest, size = hashlib.sha256(), 0
        file.seek(0)
        for n, data in enumerate(iter(lambda: file.read(CHUNK_BYTES), b"")):
            size += len(data)
            digest.update(data)
            life.require()
            with database.deadline(STEP_S):
                service.keep_chunk(self._db, export, n=n, data=data, size=size)
        return {"bytes": size, "sha256": digest.hexdigest(), "chunks_of": export["holder"]}

    def _drop(self, export: Export) -> None:
        with database.deadline(STEP_S):
            store.drop_chunks(self._db, tenant=export["tenant"], files_id=export["holder"])


class _Life:
    """Signs of life for a file, beside the work on it: packing a workbook takes seconds in which nothing is told."""

    def __init__(self, db: Db, export: Export) -> None:
        self._db, self._export = db, export
        self._rows = 0
        self._is_lost = False
        self._ended = threading.Event()
        self._signs = threading.Thread(target=self._show, name="file-life", daemon=True)

    def __enter__(self) -> "_Life":
        self._signs.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._signs.join()

    def tell(self, rows: int) -> None:
        """Note how far it is, and leave requests a moment; raises TakenOver."""
        self._rows = rows
        self.require()
        time.sleep(PAUSE_S)

    def require(self) -> None:
        """Raise TakenOver where another process makes this file now."""
        if self._is_lost:
            raise TakenOver

    def _show(self) -> None:
        while not self._ended.wait(SIGN_OF_LIFE_S):
            try:
                with database.deadline(STEP_S):
                    is_mine = store.show_life(
                        self._db, export_id=self._export["_id"], holder=self._export["holder"], rows=self._rows
                    )
            except database.DriverError:
                continue
            if not is_mine:
                self._is_lost = True
                return
