"""Serves the API with gunicorn, on a MongoDB that is there already.

Settings (environment): MONGODB_URI, or MONGODB_URI_FILE for a file that holds it; FINANCE_ENCRYPTION_KEY, likewise;
HOST and PORT (127.0.0.1:8000); WEB_CONCURRENCY (processes; one a core); GUNICORN_CMD_ARGS (any other option of
gunicorn); and those of the API itself (README.md).
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from finance import __version__, database
from finance.config import Config, ConfigError

EXIT_WRONG_SETTING = 2
_NO_MONGODB = (
    "MONGODB_URI is not set: say where MongoDB is, as in MONGODB_URI='mongodb://user:password@host/?replicaSet=name', "
    "or name a file that holds that in MONGODB_URI_FILE (scripts/serve in the repository starts one for development)"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the settings and become gunicorn; returns an exit code only where they are wrong."""
    options = _options(arguments)
    given = {"HOST": options.host, "PORT": options.port}
    env = os.environ | {name: value for name, value in given.items() if value is not None}
    try:
        database.require_readable(Config.from_env(env))
    except ConfigError as error:
        return _refuse(str(error))
    if not env.get("MONGODB_URI") and not env.get("MONGODB_URI_FILE"):
        return _refuse(_NO_MONGODB)
    if not _is_port(env.get("PORT") or "8000"):
        return _refuse(f"PORT={env['PORT']} is not a port: choose a number from 1 to 65535")
    return _become_gunicorn(env)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="finance-serve",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--host", help="the address to listen on, instead of HOST (127.0.0.1)")
    parser.add_argument("--port", help="the port to listen on, instead of PORT (8000)")
    parser.add_argument("--version", action="version", version=__version__)
    options = parser.parse_args(arguments)
    if options.port is not None and not _is_port(options.port):
        parser.error(f"--port {options.port} is not a port: choose a number from 1 to 65535")
    return options


def _is_port(text: str) -> bool:
    return text.isdecimal() and len(text) <= 5 and 0 < int(text) < 65536


def _become_gunicorn(env: dict[str, str]) -> NoReturn:
    """Go on as gunicorn in the same process, which systemd and Docker know by its id."""
    gunicorn = [sys.executable, "-m", "gunicorn", "--config", "python:finance.commands.gunicorn_conf"]
    os.execve(sys.executable, [*gunicorn, "finance.commands.wsgi:app"], env)


def _refuse(why: str) -> int:
    print(f"finance-serve: {why}", file=sys.stderr)
    return EXIT_WRONG_SETTING


if __name__ == "__main__":
    sys.exit(main())
