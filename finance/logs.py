"""JSON logs, one object a line on stderr, each with the id of the request it belongs to."""

import logging
import os
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import orjson

STDERR = 2

request_id_now: ContextVar[str | None] = ContextVar("request_id", default=None)

_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonHandler(logging.Handler):
    """Writes a record as one JSON line: time, level, logger, message, request_id, whatever `extra` holds, error.

    One write a line, so that lines of several workers don't run into each other.
    """

    def emit(self, record: logging.LogRecord) -> None:
        try:
            os.write(STDERR, orjson.dumps(line_of(record), default=str, option=orjson.OPT_APPEND_NEWLINE))
        except OSError:  # nobody reads stderr any more; the request must not fail for it
            self.handleError(record)


def line_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return what is written of a record."""
    line: dict[str, Any] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname,
        "logger": record.name,
        "message": record.getMessage(),
        "process": record.process,
    }
    request_id = request_id_now.get()
    if request_id is not None:
        line["request_id"] = request_id
    line.update((key, value) for key, value in vars(record).items() if key not in _STANDARD_FIELDS)
    if record.exc_info:
        line["error"] = logging.Formatter().formatException(record.exc_info)
    return line


def configure(level: str) -> None:
    """Send everything from `level` up to stderr as JSON."""
    logging.basicConfig(level=level, handlers=[JsonHandler()], force=True)
    logging.getLogger("pymongo").setLevel(logging.WARNING)
    # What no line shows is not looked up: the calling frame and the thread (a third of the cost of a line).
    logging._srcfile = None
    logging.logThreads = logging.logMultiprocessing = False
