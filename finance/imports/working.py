"""What a check or a step of storing works with, and the signs of life that it shows meanwhile."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Any

from finance import database
from finance.asked import Asked
from finance.database import Db
from finance.encryption import FieldCipher
from finance.imports import store
from finance.imports.model import SIGN_OF_LIFE_S, Import
from finance.numbering.lane import SubmitMany

STEP_S = 8.0  # for one question to the database


class TakenOver(RuntimeError):
    """Another process works on this upload now, or it was thrown away."""


@dataclass(frozen=True)
class Tools:
    """What the app shares with the work."""

    db: Db
    clock: Callable[[], datetime]
    timezone: tzinfo
    submit: SubmitMany
    cipher: FieldCipher
    protect: Callable[[], None]

    def day_of(self, at: datetime) -> date:
        return at.astimezone(self.timezone).date()


class Life:
    """An upload that is worked on. Beside the work a sign of life is shown, and how far it is."""

    def __init__(self, tools: Tools, upload: Import) -> None:
        self.tools = tools
        self.upload = upload
        self.is_asked_to_stop = bool(upload.get("stop_asked"))
        self._done = upload["done"]
        self._is_lost = False
        self._ended = threading.Event()
        self._signs = threading.Thread(target=self._show, name="import-life", daemon=True)

    def __enter__(self) -> "Life":
        self._signs.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._signs.join()

    def tell(self, done: int) -> None:
        """Note how far it is; raises TakenOver."""
        self._done = done
        self.require()

    def require(self) -> None:
        """Raise TakenOver where another process works on this now."""
        if self._is_lost:
            raise TakenOver

    def note(self, **values: Any) -> None:
        """Store what is known now; raises TakenOver, and then nothing was stored."""
        with database.deadline(STEP_S):
            if not store.note(self.tools.db, self.upload, values):
                self._is_lost = True
                raise TakenOver
        self.upload |= values  # type: ignore[typeddict-item]
        time.sleep(0)

    def asked(self, who: Mapping[str, Any] | None = None) -> Asked:
        """Return the request that the work is done for: that of who pressed Store, else of who uploaded the file."""
        upload = self.upload
        who = who or {"by": upload["key_id"], "by_name": upload["by_name"], "role": upload["role"]}
        return Asked(tenant=upload["tenant"], now=self.tools.clock(), **who)

    def _show(self) -> None:
        while not self._ended.wait(SIGN_OF_LIFE_S):
            try:
                with database.deadline(STEP_S):
                    mine = store.show_life(self.tools.db, self.upload, done=self._done)
            except database.DriverError:
                continue
            if mine is None:
                self._is_lost = True
                return
            self.is_asked_to_stop = bool(mine.get("stop_asked"))
