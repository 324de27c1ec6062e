"""What is worked off beside the requests of a process: one thing at a time, begun when somebody looks."""

import logging
import threading
from collections.abc import Callable

from finance.database import DriverError

log = logging.getLogger(__name__)


class Background:
    """Works off what waits, in a thread (a greenlet, in our workers) that ends when nothing does.

    `work_next` takes one thing that waits and returns whether there was any.
    """

    def __init__(self, name: str, work_next: Callable[[], bool]) -> None:
        self._name = name
        self._work_next = work_next
        self._lock = threading.Lock()
        self._is_at_work = False

    def look(self) -> None:
        """Begin to work off what waits, unless this process does already."""
        with self._lock:
            if self._is_at_work:
                return
            self._is_at_work = True
        threading.Thread(target=self._work, name=self._name, daemon=True).start()

    def _work(self) -> None:
        try:
            while self._work_next():
                pass
        except DriverError as error:
            log.warning("Work on %s can't go on now: %s", self._name, type(error).__name__)
        finally:
            with self._lock:
                self._is_at_work = False
