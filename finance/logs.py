"""JSON logs, one object a line on stderr, each with the id of the request it belongs to, and none with an API key."""

import contextlib
import logging
import os
import re
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from time import time
from typing import Any

import orjson

STDERR = 2

request_id_now: ContextVar[str | None] = ContextVar("request_id", default=None)

_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


# An API key (auth/model.py) wherever it stands, in whatever case and percent-encoded however often; its id may be
# shown. And what has the length of its secret, for half a key.
def _encoded(characters: str) -> str:
    """Return a pattern for each of these characters, as it is or percent-encoded."""
    return "".join(f"(?:{character}|%(?:25)*{ord(character):x})" for character in characters)


_HEX_DIGIT = "(?:[0-9a-f]|%(?:25)*(?:3[0-9]|[46][1-6]))"
_KEY = re.compile(f"({_encoded('fin_')}{_HEX_DIGIT}{{16}}{_encoded('_')}){_HEX_DIGIT}+", re.IGNORECASE)
_SECRET = re.compile(f"{_HEX_DIGIT}{{64,}}", re.IGNORECASE)
# Nearly no line holds any of that, which is found out for a tenth of the cost: every hex digit becomes a 0 first.
_TO_ZERO = bytes.maketrans(b"0123456789abcdefABCDEFIN", b"0000000000000000000000in")
_SIGNS = (b"0in_", b"%", b"0" * 64)
_PATH = re.compile(r"(/api/v1/)[^\s'\"]*")


class JsonHandler(logging.Handler):
    """Writes a record as one JSON line: time, level, logger, message, request_id, whatever `extra` holds, error.

    One write a line, so that lines of several workers don't run into each other.
    """

    def emit(self, record: logging.LogRecord) -> None:
        try:
            os.write(STDERR, text_of(record))
        except OSError:  # nobody reads stderr any more; the request must not fail for it
            self.handleError(record)


class Redacting(logging.Formatter):
    """Another's format, without keys, and without what a path or a query may hold."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        return _PATH.sub(r"\1…", redacted(self._inner.format(record)))


def redacted(text: str) -> str:
    """Return a text with … for the secret of each API key in it."""
    return _SECRET.sub("…", _KEY.sub(r"\1…", text))


def text_of(record: logging.LogRecord) -> bytes:
    """Return what is written of a record."""
    return _encoded_line(line_of(record))


def write_access(logger: str, message: str, fields: Mapping[str, Any]) -> None:
    """Write at once what `logger` would write at level INFO, with `fields` as its extra.

    There is such a line for each request: with a LogRecord and its way through the handlers it took twice as long.
    """
    line = {**_beginning(time(), "INFO", logger, message, os.getpid()), **fields}
    with contextlib.suppress(OSError):  # nobody reads stderr any more; the request must not fail for it
        os.write(STDERR, _encoded_line(line))


def line_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return what is written of a record."""
    line = _beginning(record.created, record.levelname, record.name, record.getMessage(), record.process)
    line.update((key, value) for key, value in vars(record).items() if key not in _STANDARD_FIELDS)
    if record.exc_info:
        line["error"] = logging.Formatter().formatException(record.exc_info)
    return line


def _beginning(created_s: float, level: str, logger: str, message: str, process: int | None) -> dict[str, Any]:
    line: dict[str, Any] = {
        "time": datetime.fromtimestamp(created_s, UTC).isoformat(timespec="milliseconds"),
        "level": level,
        "logger": logger,
        "message": message,
        "process": process,
    }
    request_id = request_id_now.get()
    if request_id is not None:
        line["request_id"] = request_id
    return line


def _encoded_line(line: Mapping[str, Any]) -> bytes:
    encoded = orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE)
    zeroed = encoded.translate(_TO_ZERO)
    if any(sign in zeroed for sign in _SIGNS):
        return redacted(encoded.decode()).encode()
    return encoded


def configure(level: str) -> None:
    """Send everything from `level` up to stderr as JSON. What gunicorn's worker says of itself keeps its form."""
    logging.basicConfig(level=level, handlers=[JsonHandler()], force=True)
    for handler in logging.getLogger("gunicorn.error").handlers:
        handler.setFormatter(Redacting(handler.formatter or logging.Formatter()))
    logging.getLogger("pymongo").setLevel(logging.WARNING)
    # What no line shows is not looked up: the calling frame and the thread (a third of the cost of a line).
    logging._srcfile = None
    logging.logThreads = logging.logMultiprocessing = False
