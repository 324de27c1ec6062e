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
import re
import sys
from datetime import datetime, timedelta
from difflib import get_close_matches

from marshmallow import ValidationError
from rich.markup import escape

from finance import database
from finance.asked import Asked
from finance.auth import service as keys
from finance.auth.model import ApiKey, WantedKey
from finance.auth.schemas import NewKeySchema
from finance.commands import ending
from finance.config import Config
from finance.context import utc_now
from finance.database import Db
from finance.maintenance import cli
from finance.maintenance.tenants import find_tenants
from finance.numbering.series import require_slug

TENANTS_SHOWN_MAX = 20
_DURATION = re.compile(r"([1-9][0-9]{0,4})([dh])", re.ASCII)


def main() -> int:
    parser = _parser()
    options = parser.parse_args()
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
    act.add_argument("--revoke", metavar="KEY_ID", help="revoke this key (its id is the part between the two _)")
    new = parser.add_argument_group("a new key")
    new.add_argument("--name", help="what people know it by, up to 100 characters; shown beside what it does")
    new.add_argument("--expires-in", type=_duration, metavar="90d", help="when it ends: days (90d) or hours (12h)")
    return parser


def _duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"must be a number of days or hours, such as 90d or 12h, not {text!r}")
    return timedelta(days=int(match[1])) if match[2] == "d" else timedelta(hours=int(match[1]))


def _run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    try:
        tenant = require_slug(options.tenant) if options.tenant else None
    except ValueError as error:
        parser.error(f"--tenant {error}")
    db = database.connect(Config.from_env())
    if options.revoke:
        key = keys.get_key(db, tenant=tenant, key_id=options.revoke)
        keys.revoke_key(db, _asked(key["tenant"]), key_id=options.revoke)
        print(f"Revoked {options.revoke}.", file=sys.stderr)
    elif options.list:
        _print_keys(keys.list_keys(db, tenant=tenant))
    else:
        asked = _asked(tenant or "")  # main() has seen to it that there is one
        wanted = _wanted(options, parser, now=asked.now)
        nearest = _warn_of_new_tenant(db, asked.tenant)
        made = keys.create_key(db, asked, wanted)
        print(made.key)
        if nearest:
            print(f"Did you mean {nearest}? To take this key back: --revoke {made.key_id}", file=sys.stderr)
    return 0


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


def _warn_of_new_tenant(db: Db, tenant: str) -> str | None:
    """Say so where nothing of this tenant exists, but something of others; return one with nearly the same name."""
    known = sorted(find_tenants(db))
    if tenant in known or not known:
        return None
    listed = ", ".join(known[:TENANTS_SHOWN_MAX]) + (", …" if len(known) > TENANTS_SHOWN_MAX else "")
    nearest = next(iter(get_close_matches(tenant, known, n=1)), None)
    hint = f" (nearest: {nearest})" if nearest else ""
    print(f"No key of tenant '{tenant}' exists yet; existing tenants: {listed}{hint}.", file=sys.stderr)
    return nearest


def _print_keys(documents: list[ApiKey]) -> None:
    """Print a table; instants are in UTC."""
    table = cli.table("key id", "tenant", "role", "name", "created", "ends", "last used", "revoked")
    for key in documents:
        name = escape(key.get("name") or "")
        made = _instant(key["created_at"], key.get("created_by"), key.get("created_by_name"))
        revoked = _instant(key.get("revoked_at"), key.get("revoked_by"), key.get("revoked_by_name"))
        used = _instant(key.get("last_used_at"))
        table.add_row(
            key["_id"], key["tenant"], key["role"], name, made, _instant(key.get("expires_at")), used, revoked
        )
    cli.console().print(table)
    print(f"{len(documents)} keys; times are in UTC, the last use to the hour.", file=sys.stderr)


def _instant(at: datetime | None, by: str | None = None, by_name: str | None = None) -> str:
    if at is None:
        return ""
    return f"{at:%Y-%m-%d %H:%M}" + (f"\nby {escape(by_name or by)}" if by else "")
