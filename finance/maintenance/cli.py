"""What the operators' commands share: how a database is reached, what is printed where, and how they end."""

import argparse
import getpass
import logging
import os
import socket
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bson import json_util
from pymongo.errors import OperationFailure, PyMongoError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from finance import database
from finance.asked import Asked
from finance.config import Config, ConfigError
from finance.database import Db
from finance.errors import FinanceError
from finance.maintenance import sight
from finance.text import without_private

log = logging.getLogger(__name__)

RIGHT, FOUND, FAILED = 0, 1, 2  # exit codes: nothing to do, something found or left, an error
EXIT_CODES = "Exit code: 0 all is right, 1 something was found or left, 2 an error."

ANSWER_S = 10.0  # how long a server may take to answer at all
NAMES_MAX = 20
RUN_S = 7 * 24 * 3600.0  # builds and scans take as long as they take
PIPE_WIDTH = 80  # of tables; a line is never broken
STATE_WIDTH = 17


class Stopped(Exception):
    """The command can't go on. Its text is one line that says what to do."""


FORESEEN = (Stopped, FinanceError, ConfigError, OSError, PyMongoError)


def program(script: str) -> str:
    """Return what this command was called as: one of the package's, such as finance-audit-numbers, or its script."""
    called = Path(sys.argv[0]).name
    return called if called.startswith("finance-") else f"scripts/{script}"


def parser(*, name: str, about: str, reads: str, writes: str, undo: str) -> argparse.ArgumentParser:
    """Return a parser with the options for reaching a database, and a help that says what the command does to it."""
    made = argparse.ArgumentParser(
        prog=program(name),
        description=f"{about}\n\nReads:  {reads}\nWrites: {writes}\nUndo:   {undo}\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    where = made.add_argument_group("the database (default: MONGODB_URI and FINANCE_DATABASE)")
    where.add_argument(
        "--database", type=given, metavar="NAME", help="the database, finance_suite unless FINANCE_DATABASE is set"
    )
    where.add_argument(
        "--uri",
        type=given,
        metavar="URI",
        help="where MongoDB is; use MONGODB_URI for one with a password, arguments can be seen",
    )
    return made


def parse(parser: argparse.ArgumentParser, arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the arguments, all of them text: one of other bytes is named, as whatever isn't right (exit code 2)."""
    options = parser.parse_args(arguments)
    for action in parser._actions:
        value = getattr(options, action.dest, None)
        if isinstance(value, str | Path) and not _is_text(str(value)):
            name = action.option_strings[0] if action.option_strings else action.metavar
            parser.error(f"argument {name}: must be text in UTF-8")
    return options


def _is_text(value: str) -> bool:
    """Return whether a value can be stored and printed; bytes that are no UTF-8 come as halves of characters."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def run(
    command: Callable[[argparse.Namespace, Db, Console], int], arguments: argparse.Namespace, *, may_begin: bool = False
) -> int:
    """Run a command on the database that its arguments name, and return its exit code.

    One that isn't there is refused, unless the command may begin it and it is FINANCE_DATABASE that names it.
    """
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        with _connected(arguments, may_begin=may_begin) as db:
            if not getattr(arguments, "json", False):  # there it stands in the object, as sight.look(db).as_json()
                for line in sight.look(db).lines():
                    errors.print(line, markup=False)
            return command(arguments, db, console())
    except FORESEEN as error:
        errors.print(f"error: {in_words(error)}", markup=False)
    except KeyboardInterrupt:
        errors.print("Stopped. It is safe to run this again.")
    except Exception:  # a mistake of ours must not look like "something was found"
        log.exception("This should not have happened. It is safe to run this again.")
    return FAILED


def in_words(error: Exception) -> str:
    """Return a failure that is foreseen in one line.

    A driver's message may hold the values of a document, so only its kind is said.
    """
    if isinstance(error, OperationFailure):
        kind = (error.details or {}).get("codeName") or type(error).__name__
        return f"MongoDB refused an operation: {kind} (code {error.code})"
    return f"MongoDB could not be asked: {type(error).__name__}" if isinstance(error, PyMongoError) else str(error)


def whoami() -> str:
    """Return who runs this: user and host, in one line whatever LOGNAME holds."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # in a container the user may have no name
        user = f"uid {os.getuid()}"
    who = f"{user}@{socket.gethostname()}"
    return "".join(character if character.isprintable() else "?" for character in who)


def asked_by(script: str, *, tenant: str, now: datetime, who: str | None = None) -> Asked:
    """Return what an operator asks for: by this script, called so by whoever runs it (or as `who` says)."""
    return Asked(tenant, f"scripts/{script}", now, by_name=who or whoami())


def console(*, pipe_width: int = PIPE_WIDTH) -> Console:
    """Return where results go. Lines stay whole, whatever their length; tables are as wide as the terminal."""
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else pipe_width)


def server_clock(db: Db) -> Callable[[], datetime]:
    """Return a clock that goes by the server: reservations carry its time, and ours may differ."""
    ahead = db.command("hello", codec_options=db.codec_options)["localTime"] - datetime.now(UTC)
    return lambda: datetime.now(UTC) + ahead


@contextmanager
def progress_bar(out: Console, what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Give a function that shows how far a long scan is; it shows nothing where the output isn't a terminal."""
    if not out.is_terminal:
        yield lambda done: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # What is printed while a bar is on stderr goes to stdout all the same, which may be a file.
    with Progress(*columns, console=out, transient=True, redirect_stdout=sys.stdout.isatty()) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


def print_state(out: Console, state: str, name: str, detail: str) -> None:
    """Print a state in one line, and its detail below it where both are wider than a terminal."""
    line = f"{state:<{STATE_WIDTH}}{name}"
    lines = [f"{line}  {detail}"]
    if len(lines[0]) > PIPE_WIDTH:
        lines = [line, *(" " * STATE_WIDTH + part for part in textwrap.wrap(detail, PIPE_WIDTH - STATE_WIDTH))]
    out.print("\n".join(lines), markup=False)


def table(*columns: str, title: str | None = None) -> Table:
    made = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def shown(value: Any) -> str:
    """Return a value as it may be printed: ids of any type as text, nothing that could be a PAN or an account."""
    text = json_util.dumps(value) if isinstance(value, dict | list) else str(value)
    return without_private(text)


def given(text: str) -> str:
    """Return the value of an option, that of an unset variable of a shell refused: the default isn't what was meant."""
    if not text.strip():
        raise argparse.ArgumentTypeError("must not be empty (is a variable not set?)")
    return text


def name(text: str) -> str:
    """Return the field name of an option; a dotted one names a field inside another."""
    if not all(part and not part.startswith("$") for part in text.split(".")) or not text.strip():
        raise argparse.ArgumentTypeError("must be the name of a field, without $ (a variable of the shell?)")
    return text


def names(text: str) -> tuple[str, ...]:
    """Return the field names of a comma-separated option."""
    fields = tuple(part.strip() for part in text.split(",") if part.strip())
    if not fields or any(field.startswith("$") for field in fields) or len(set(fields)) != len(fields):
        raise argparse.ArgumentTypeError("must be field names, separated by commas")
    return fields


def nothing_held() -> AbstractContextManager[None]:
    """Return what stands in the place of a lease where nothing is changed."""
    return nullcontext()


def require_database(db: Db, option: str = "--database") -> None:
    """Raise Stopped where an option names a database that isn't there: it would be made by what is written."""
    if db.list_collection_names():
        return
    try:
        known = sorted(set(db.client.list_database_names()) - {"admin", "config", "local"})
    except PyMongoError:  # this user may not see them
        known = []
    listed = f"; there are {', '.join(known[:NAMES_MAX])}" if known else ""
    raise Stopped(f"{option} {db.name}: there is no such database{listed}. Nothing was created.")


def require_in_use(db: Db, option: str) -> None:
    """Raise Stopped where an option would write into a database that holds nothing of ours, and may be another's."""
    if not sight.holds_ours(db):
        raise Stopped(
            f"{option}: nothing of ours is in {db.name} yet, so there is nothing to change. Nothing was created. "
            "Name our database in FINANCE_DATABASE or --database."
        )


@contextmanager
def _connected(arguments: argparse.Namespace, *, may_begin: bool) -> Iterator[Db]:
    config = replace(Config.from_env(), database_deadline_s=RUN_S)
    # The same checks for a flag as for the setting that it overrides.
    flags = {"MONGODB_URI": arguments.uri, "FINANCE_DATABASE": arguments.database}
    checked = Config.from_env({name: value for name, value in flags.items() if value is not None})
    if arguments.uri is not None:
        config = replace(config, mongodb_uri=checked.mongodb_uri, mongodb_uri_setting="--uri")
    if arguments.database is not None:
        config = replace(config, database_name=checked.database_name)
    db = database.connect(config)
    with db.client:
        _require_answer(db, config.mongodb_uri_setting)
        if arguments.database is not None or not may_begin:
            require_database(db, "FINANCE_DATABASE" if arguments.database is None else "--database")
        yield db


def _require_answer(db: Db, setting: str) -> None:
    try:
        with database.deadline(ANSWER_S):
            db.command("ping")
    except OperationFailure as error:
        kind = (error.details or {}).get("codeName") or type(error).__name__
        raise Stopped(f"MongoDB refuses the user or the password of {setting} ({kind}).") from None
    except PyMongoError as error:
        raise Stopped(
            f"MongoDB does not answer ({type(error).__name__}). Name the right one in MONGODB_URI or --uri."
        ) from None
