"""Make, list and revoke API keys.

    {program} --tenant acme --role client --name "Shop frontend" --expires-in 90d
        a new key, alone on stdout, shown this once
    {program} --tenant acme --list
        the keys of a tenant, without the keys themselves
    {program} --revoke KEY_ID
        within five seconds no worker takes it any more

Only hashes are stored, in the collection api_keys; making and revoking are recorded in audit_events, as done by
scripts/create_key.py and by whoever runs it (user@host). MONGODB_URI and FINANCE_DATABASE say which database; without
MONGODB_URI it is the MongoDB that scripts/serve runs on this machine, else mongodb://127.0.0.1:27017.
"""

import argparse
import errno
import os
import re
import sys
from datetime import datetime, timedelta

from marshmallow import ValidationError
from rich.markup import escape

from finance import database
from finance.asked import Asked
from finance.auth import service as keys
from finance.auth.model import ApiKey, NewKey, WantedKey, is_key_id
from finance.auth.schemas import NewKeySchema
from finance.commands import ending, tenants
from finance.config import Config
from finance.context import utc_now
from finance.database import Db
from finance.maintenance import cli
from finance.numbering.series import require_slug

LIST_WIDTH = 200  # in a pipe, where each key stays in one line
_DURATION = re.compile(r"([1-9][0-9]{0,4})([dh])", re.ASCII)


def main() -> int:
    parser = _parser()
    options = cli.parse(parser)
    if (options.name is not None or options.expires_in) and not options.role:
        parser.error("--name and --expires-in belong to a new key: name --tenant and --role too")
    if options.role and not options.tenant:
        parser.error("--role belongs to a new key: name its --tenant too")
    if not (options.role or options.list or options.revoke):
        parser.error("name --tenant and --role for a new key, or --list, or --revoke KEY_ID")
    return ending.run(lambda: _run(options, parser))


def _parser() -> argparse.ArgumentParser:
    called = cli.program("create_key.py")
    parser = argparse.ArgumentParser(
        prog=called,
        description=(__doc__ or "").format(program=called),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--tenant", help="1 to 40 of a-z, 0-9 and -, beginning with a letter or digit")
    act = parser.add_mutually_exclusive_group()
    act.add_argument("--role", choices=("client", "accountant", "admin"), help="make a key of this role")
    act.add_argument("--list", action="store_true", help="list keys, of --tenant or of all")
    act.add_argument(
        "--revoke", type=_key_id, metavar="KEY_ID", help="revoke this key (its id is the part between the two _)"
    )
    new = parser.add_argument_group("a new key")
    new.add_argument("--name", help="what people know it by, up to 100 characters; shown beside what it does")
    new.add_argument("--expires-in", type=_duration, metavar="90d", help="when it ends: days (90d) or hours (12h)")
    return parser


def _duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"must be a number of days or hours, such as 90d or 12h, not {text!r}")
    return timedelta(days=int(match[1])) if match[2] == "d" else timedelta(hours=int(match[1]))


def _key_id(text: str) -> str:
    if not is_key_id(text):
        raise argparse.ArgumentTypeError("must be a key id, 16 of 0-9 and a-f; --list shows them")
    return text


def _run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    try:
        tenant = require_slug(options.tenant) if options.tenant else None
    except ValueError as error:
        parser.error(f"--tenant {error}")
    db = database.connect(Config.from_env())
    database.require_ours(db)
    if options.revoke:
        _revoke(db, tenant, options.revoke)
    elif options.list:
        found = keys.list_keys(db, tenant=tenant)
        if tenant is not None and not found:
            tenants.warn_of_new(db, tenant)
        _print_keys(found)
    else:
        asked = _asked(tenant or "")  # main() has seen to it that there is one
        wanted = _wanted(options, parser, now=asked.now)
        nearest = tenants.warn_of_new(db, asked.tenant)
        made = keys.create_key(db, asked, wanted)
        _print_key(made)
        if nearest:
            print(f"Did you mean {nearest}? To take this key back: --revoke {made.key_id}", file=sys.stderr)
    return 0


def _revoke(db: Db, tenant: str | None, key_id: str) -> None:
    try:
        key = keys.get_key(db, tenant=tenant, key_id=key_id)
    except keys.ApiKeyNotFound:
        of = f" of tenant '{tenant}'" if tenant else ""
        raise cli.Stopped(f"There is no API key with this id{of}; --list shows them.") from None
    keys.revoke_key(db, _asked(key["tenant"]), key_id=key_id)
    print(f"Revoked {key_id}.", file=sys.stderr)


def _print_key(made: NewKey) -> None:
    """Print a key; where it can't be, it is one that works and that nobody has."""
    try:
        if sys.stdout is None:  # it was closed, `>&-`
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        print(made.key, flush=True)
    except OSError as error:
        raise cli.Stopped(
            f"Key {made.key_id} was made, and could not be printed ({error.strerror}). "
            f"Revoke it: {cli.program('create_key.py')} --revoke {made.key_id}"
        ) from None


def _asked(tenant: str) -> Asked:
    return cli.asked_by("create_key.py", tenant=tenant, now=utc_now())


def _wanted(options: argparse.Namespace, parser: argparse.ArgumentParser, *, now: datetime) -> WantedKey:
    """Return the key that is asked for, held to what the API takes."""
    posted = {"role": options.role, "name": options.name}
    if options.expires_in:
        posted["expires_at"] = (now + options.expires_in).isoformat()
    try:
        wanted: WantedKey = NewKeySchema().load(posted)
    except ValidationError as refused:
        parser.error("; ".join(f"--{name} {problems[0]}" for name, problems in refused.messages_dict.items()))
    return wanted


def _print_keys(documents: list[ApiKey]) -> None:
    """Print a table; instants are in UTC."""
    table = cli.table("key id", "tenant", "role", "name", "created", "ends", "last used", "revoked")
    for key in documents:
        name = escape(key.get("name") or "")
        made = _instant(key.get("created_at"), key.get("created_by"), key.get("created_by_name"))
        revoked = _instant(key.get("revoked_at"), key.get("revoked_by"), key.get("revoked_by_name"))
        used = _instant(key.get("last_used_at"))
        table.add_row(
            key["_id"], key["tenant"], key["role"], name, made, _instant(key.get("expires_at")), used, revoked
        )
    cli.console(pipe_width=LIST_WIDTH).print(table)
    print(f"{len(documents)} keys; times are in UTC, the last use to the hour.", file=sys.stderr)


def _instant(at: datetime | None, by: str | None = None, by_name: str | None = None) -> str:
    if at is None:
        return ""
    return f"{at:%Y-%m-%d %H:%M}" + (f"\nby {escape(by_name or by)}" if by else "")
