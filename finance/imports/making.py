"""Working off uploads in the background, one at a time in each process, beside its requests.

An upload is its holder's as long as that shows signs of life; then whoever looks next goes on with it.
"""

import logging
import secrets
from typing import Any

from finance import database
from finance.background import Background
from finance.errors import FinanceError, Unavailable
from finance.imports import store
from finance.imports.checking import check
from finance.imports.model import Import
from finance.imports.storing import Stopped, store_rows
from finance.imports.texts import dump_said
from finance.imports.working import STEP_S, Life, TakenOver, Tools
from finance.said import said

log = logging.getLogger(__name__)

EXTENSION = "finance-imports"  # under which the app keeps what works them off
_BROKEN = said("Something failed here that should not. What is stored stays; go on, or tell whoever runs the service.")


class Importer:
    """Checks and stores what waits; `look` begins."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self.look = Background("imports", self._work_next).look

    def _work_next(self) -> bool:
        with database.deadline(STEP_S):
            store.give_up_dead(self._tools.db)
            upload = store.claim_import(self._tools.db, holder=secrets.token_hex(16))
        if upload is None:
            return False
        with Life(self._tools, upload) as life:
            try:
                life.note(**(_checked(life) if upload["status"] == "checking" else _stored(life)))
            except TakenOver:
                log.warning("An import of %s is another's now.", upload["kind"])
                self._drop_rows(upload)
        return True

    def _drop_rows(self, upload: Import) -> None:
        if upload["status"] == "checking":
            with database.deadline(STEP_S):
                store.drop_rows(self._tools.db, tenant=upload["tenant"], rows_of=upload["holder"])


def _checked(life: Life) -> dict[str, Any]:
    """Check the file, and return what to note."""
    earlier = life.upload.get("rows_of")
    try:
        found = check(life)
    except FinanceError as refused:
        _require_refused(refused)
        return {"status": "refused", "failure": dump_said(refused.detail)}
    except (TakenOver, database.DriverError):
        raise
    except Exception as error:
        log.error("A file could not be checked.", exc_info=error)
        return {"status": "refused", "failure": dump_said(_BROKEN)}
    if earlier is not None:
        with database.deadline(STEP_S):
            store.drop_rows(life.tools.db, tenant=life.upload["tenant"], rows_of=earlier)
    return found | {"status": "checked", "attempts": 0, "failure": None}


def _require_refused(refused: FinanceError) -> None:
    """Raise what only says that the database is away: the next look goes on."""
    if isinstance(refused, Unavailable):
        raise TakenOver from refused


def _stored(life: Life) -> dict[str, Any]:
    """Store the rows, and return what to note."""
    try:
        store_rows(life)
    except Stopped:
        return {"status": "stopped", "failure": None}
    except FinanceError as refused:
        return {"status": "stopped", "failure": dump_said(refused.detail)}
    except (TakenOver, database.DriverError):
        raise
    except Exception as error:
        log.error("An import could not be stored.", exc_info=error)
        return {"status": "stopped", "failure": dump_said(_BROKEN)}
    return {"status": "stored", "failure": None}
