"""Another software's collection is adopted: its wrong index replaced, and its sequences taken over here.

All that is asked for is looked at before any of it is done: what can't be taken over drops no index.
"""

import argparse
from contextlib import AbstractContextManager

from rich.console import Console

from finance.config import Config
from finance.database import Db, Document, require_ours
from finance.events import EVERY_TENANT, record_event
from finance.maintenance import cli, fences, fields, lease, sight
from finance.maintenance.lease import Lease
from finance.maintenance.migrate import continuing, replacement, sequences
from finance.maintenance.migrate.replacement import Replacement

SCRIPT = "migrate_indexes.py"


def require_whole(arguments: argparse.Namespace) -> None:
    """Raise Stopped where an option lacks those that it belongs to."""
    of_index = (arguments.collection, arguments.wrong, arguments.right)
    if arguments.take_over:
        if not (arguments.keep_max and arguments.right and len(arguments.right) == 3):
            raise cli.Stopped("--take-over needs --right with the fields of shop, year and month, and --keep-max.")
        if bool(arguments.collection) == bool(arguments.csv):
            raise cli.Stopped("--take-over reads a --collection or a --csv: name one of them.")
        if arguments.csv and arguments.wrong:
            raise cli.Stopped("--wrong is about an index of a collection: leave it out with --csv.")
    elif arguments.into_database or arguments.shop_map or arguments.csv:
        raise cli.Stopped("--into-database, --shop-map and --csv belong to --take-over TENANT.")
    elif any(of_index) and not all(of_index):
        raise cli.Stopped("Name all of --collection, --wrong and --right.")
    if bool(arguments.data_collection) != bool(arguments.data_field) or (
        arguments.data_field and not (arguments.keep_max and arguments.wrong)
    ):
        raise cli.Stopped("Name both of --data-collection and --data-field, beside --wrong and --keep-max.")


def adopt(arguments: argparse.Namespace, db: Db, out: Console, report: Document) -> int:
    """Do what is asked for, or look, and return the exit code; what was found is put into `report`."""
    if arguments.collection:
        _print_coverage(arguments, db, out)
    if arguments.wrong and not set(arguments.wrong) < set(arguments.right):
        raise cli.Stopped(
            f"--right must be the fields of --wrong ({', '.join(arguments.wrong)}) and at least one more: the wrong "
            "index refuses right documents as it is on too few. Nothing was changed."
        )
    into = _into(arguments, db) if arguments.take_over else None
    taken = _read(arguments, db, into) if into is not None else []
    codes = []
    if arguments.wrong:
        codes.append(_replace_or_look(arguments, db, out, report))
    if into is not None:
        # Those of the collection are read again: what stood twice there may have been settled, or raised to its data.
        taken = _read(arguments, db, into) if arguments.wrong else taken
        asked = cli.asked_by(SCRIPT, tenant=arguments.take_over, now=cli.server_clock(into)())
        of = ("file", arguments.csv.name) if arguments.csv else ("collection", arguments.collection)
        with held(arguments, into, "invoices", doing="taking sequences over") as lease_here:
            done = continuing.go_on(
                into,
                taken,
                asked=asked,
                of=of,
                of_database=db.name,
                show_all=arguments.all,
                held=lease_here,
                out=out,
            )
        report["sequences"] = done.as_json()
        codes.append(cli.RIGHT if done.is_right else cli.FOUND)
    return max(codes)


def _print_coverage(arguments: argparse.Namespace, db: Db, out: Console) -> None:
    named = {"--wrong": arguments.wrong or (), "--right": arguments.right}
    named["--keep-max"] = (arguments.keep_max,) if arguments.keep_max else ()
    out.print(fields.require_fields(db, arguments.collection, by_option=named).in_words(), markup=False)
    if arguments.data_collection:
        fields.require_collection(db, arguments.data_collection, option="--data-collection")
        named = {"--right": arguments.right, "--data-field": (arguments.data_field,)}
        fields.require_fields(db, arguments.data_collection, by_option=named)


def _into(arguments: argparse.Namespace, db: Db) -> Db:
    """Return the database where sequences go on: one that is there, and ours."""
    if not arguments.into_database:
        require_ours(db)
        return db
    into = db.client[Config.from_env({"FINANCE_DATABASE": arguments.into_database}).database_name]
    cli.require_database(into, "--into-database")
    require_ours(into)
    return into


def _read(arguments: argparse.Namespace, db: Db, into: Db) -> list[sequences.Taken]:
    """Return what becomes of each sequence; raises Stopped where shops have no name here, or none is of a name."""
    names = (*arguments.right, arguments.keep_max)
    values = (
        sequences.read_csv(arguments.csv, names)
        if arguments.csv
        else sequences.read_collection(db, arguments.collection, names)
    )
    taken = sequences.read_sequences(
        into, values, fields=names, tenant=arguments.take_over, shop_map=arguments.shop_map
    )
    nameless = sorted({one.nameless_shop for one in taken if one.nameless_shop})
    if nameless:
        example = ",".join(f"{shop}=NAME" for shop in nameless[: cli.NAMES_MAX])
        raise cli.Stopped(
            f"{names[0]} {', '.join(nameless[: cli.NAMES_MAX])}: what is it called here? Name every shop, as "
            f"--shop-map {example}. Nothing was changed."
        )
    unused = set(arguments.shop_map) - sequences.shops_of(taken)
    if unused:
        raise cli.Stopped(f"--shop-map {', '.join(sorted(unused))}: no sequence has such a {names[0]}.")
    return taken


def _replace_or_look(arguments: argparse.Namespace, db: Db, out: Console, report: Document) -> int:
    asked = Replacement(
        db=db,
        collection=arguments.collection,
        wrong=arguments.wrong,
        right=arguments.right,
        keep_max=arguments.keep_max,
        data_collection=arguments.data_collection,
        data_field=arguments.data_field,
    )
    if arguments.apply:
        with held(arguments, db, asked.collection, doing="replacing an index") as lease_there:
            assert lease_there is not None
            _tell_where_ours(asked)
            done = replacement.replace_index(asked, require=lease_there.require)
        report["done"] = {"moved": done.moved, "raised": done.raised, "dropped": done.dropped}
        _print_done(asked, done, out)
    found = replacement.look(asked)
    report["index"] = {"wrong": found.wrong, "right": found.right, "groups": found.groups, "left": found.left}
    _print_found(asked, found, out)
    return cli.RIGHT if found.is_right else cli.FOUND


def _tell_where_ours(asked: Replacement) -> None:
    if not sight.holds_ours(asked.db):
        return
    about = {"wrong": asked.wrong, "right": asked.right, "keep_max": asked.keep_max}
    who = cli.asked_by(SCRIPT, tenant=EVERY_TENANT, now=cli.server_clock(asked.db)())
    record_event(asked.db, who, action="indexes_migrated", of=("collection", asked.collection), details=about)


def _print_done(asked: Replacement, done: replacement.Done, out: Console) -> None:
    if done.moved:
        out.print(f"{done.moved:,} documents moved to {asked.db.name}.{asked.backup}.", markup=False)
    if done.raised:
        out.print(f"{done.raised:,} documents were behind {asked.data_collection} and were raised to it.", markup=False)
    if done.standing in ("plain", "missing"):
        out.print("Equal documents stand: nothing was built, and nothing was dropped.")
    elif done.standing == "prepared":
        out.print("Equal documents stand: the right index refuses new ones, and the wrong one was not dropped.")
        name = fences.find_standing(asked.db, asked.index)[0]
        out.print(f'If it isn\'t right after all: db.{asked.collection}.dropIndex("{name}") in mongosh.', markup=False)
    for name in done.dropped:
        was = f"it was unique on {', '.join(asked.wrong)}"
        out.print(f"dropped {asked.collection}.{name} ({was}) after the right one stood", markup=False)


def _print_found(asked: Replacement, found: replacement.Found, out: Console) -> None:
    right = ", ".join(asked.right)
    for name in found.wrong:
        cli.print_state(out, "in the way", f"{asked.collection}.{name}", f"unique on {', '.join(asked.wrong)}")
    cli.print_state(out, _STATES[found.right], f"{asked.collection}.{asked.index.name}", f"unique on {right}")
    if not found.groups:
        return
    out.print(f"{found.groups:,} groups of {found.documents:,} documents are equal on {right}.")
    table = cli.table(*asked.right, "documents", f"{asked.keep_max} that stays" if asked.keep_max else "")
    for one in found.first:
        values = (*one.group.scope, one.group.number)
        stays = cli.shown(one.kept) if one.kept is not None else "all: not every one is a number"
        table.add_row(*map(cli.shown, values), f"{one.group.documents:,}", stays if asked.keep_max else "")
    out.print(table)
    if not asked.keep_max:
        out.print("Name --keep-max FIELD: of equal documents the one with the largest FIELD stays.")
    elif found.left:
        out.print(
            f"{found.left:,} groups stay as they are: {asked.keep_max} isn't a number in each of their documents."
        )


def held(arguments: argparse.Namespace, db: Db, *collections: str, doing: str) -> AbstractContextManager[Lease | None]:
    return cli.nothing_held() if not arguments.apply else lease.held(db, *collections, doing=doing, by=cli.whoami())


_STATES: dict[fences.Standing, str] = {
    "unique": "right",
    "prepared": "not unique",
    "plain": "not unique",
    "missing": "missing",
}
