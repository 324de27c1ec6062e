"""Repair runs as they are stored: one document of `number_repairs` a run, one of `number_repair_changes` a change.

    number_repairs         {_id: run, tool, by, started_at, state, collection, number_field, scope, created_field, kind,
                            keep | undoes, finished_at, result}
    number_repair_changes  {_id, run, document_id, scope, from, from_seq, to, number_seq, series, at}

A change is written before it is made, so a run that is killed leaves none that can't be found. In `audit_events` a run
is told of before it begins, and to each tenant before the first of its documents is changed.
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from finance.database import Db, Document, create_indexes
from finance.errors import NotFound
from finance.events import EVERY_TENANT, Action, record_event
from finance.indexes import INDEXES, Index
from finance.maintenance import sight
from finance.maintenance.cli import asked_by, whoami
from finance.maintenance.kinds import KINDS
from finance.maintenance.repair.changes import Change
from finance.maintenance.target import Target, from_document
from finance.numbering.series import Series

# What a run relies on, in other software's databases too.
RUN_INDEXES = (
    Index("number_repair_changes", "run", (("run", 1), ("_id", 1))),
    *(index for index in INDEXES if index.collection == "number_gaps"),
)
SERIES_FIELDS = ("tenant", "kind", "prefix", "digits_min", "scope", "period")


class RunNotFound(NotFound):
    """No run has this id."""


def new_run(now: datetime) -> str:
    return f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def begin_run(target: Target, run: str, *, by: str | None, now: datetime, about: Mapping[str, Any]) -> None:
    """Store that a run begins."""
    create_indexes(target.db, RUN_INDEXES)
    who = by or whoami()
    document = {"_id": run, "tool": "repair_duplicates", "by": who, "started_at": now, "state": "running"}
    if sight.holds_ours(target.db):
        told = {"collection": target.collection_name, **about}
        _tell(target.db, run, tenant=EVERY_TENANT, who=who, now=now, about=told)
    target.db.number_repairs.insert_one({**document, **target.as_document(), **about})


def tell_tenants(target: Target, run: str, scopes: Iterable[tuple[Any, ...]], *, told: set[str], now: datetime) -> None:
    """Record for each tenant whose documents a run is about to change that it does, once; `told` remembers them.

    A collection of other software has no tenants of ours.
    """
    tenants = {scope[0] for scope in scopes} if target.is_ours else set()
    for tenant in sorted(tenants - told):
        stored = target.db.number_repairs.find_one({"_id": run}) or {}
        about: dict[str, Any] = {name: stored[name] for name in ("collection", "keep", "undoes") if name in stored}
        _tell(target.db, run, tenant=tenant, who=stored.get("by"), now=now, about=about)
        told.add(tenant)


def finish_run(db: Db, run: str, *, now: datetime, result: Any) -> None:
    """Store how a run ended."""
    db.number_repairs.update_one(
        {"_id": run}, {"$set": {"state": "finished", "finished_at": now, "result": asdict(result)}}
    )


def find_unfinished(target: Target) -> list[str]:
    """Return the runs on this collection that did not finish, the last one first, for one who holds its lease.

    They were killed. Those before the last repair that did finish are left out: it found again what they left.
    """
    runs = target.db.number_repairs
    of_target: Document = {"collection": target.collection_name, "number_field": target.number_field}
    finished = {**of_target, "state": "finished", "undoes": {"$exists": False}}
    last = runs.find_one(finished, {"started_at": True}, sort=[("started_at", -1)])
    since = {"started_at": {"$gt": last["started_at"]}} if last else {}
    unfinished = runs.find({**of_target, "state": "running", **since}, {"_id": True})
    return [run["_id"] for run in unfinished.sort([("started_at", -1), ("_id", -1)])]


def list_runs(db: Db) -> Iterator[Document]:
    """Yield every run as it is stored, the last one first."""
    yield from db.number_repairs.find().sort([("started_at", -1), ("_id", -1)])


def target_of_run(db: Db, run: str) -> Target:
    """Return what a run worked on; raises RunNotFound, also for a run that only put numbers back."""
    document = db.number_repairs.find_one({"_id": run})
    if document is None:
        raise RunNotFound(f"No run {run} is stored in {db.name}.number_repairs.")
    if "undoes" in document:
        raise RunNotFound(f"Run {run} put back what {document['undoes']} changed; run the repair again instead.")
    return from_document(db, document, KINDS)


def write_changes(db: Db, run: str, changes: Iterable[Change], *, at: datetime) -> None:
    """Store what a run is about to change."""
    db.number_repair_changes.insert_many(
        [
            {
                "run": run,
                "document_id": change.document_id,
                "scope": list(change.scope),
                "from": change.old_number,
                "from_seq": change.old_seq,
                "to": change.new_number,
                "number_seq": change.new_seq,
                "series": {name: getattr(change.series, name) for name in SERIES_FIELDS},
                "at": at,
            }
            for change in changes
        ]
    )


def count_changes(db: Db, run: str) -> int:
    """Return how many changes a run wrote down; each was made, or the run was killed before it was."""
    return db.number_repair_changes.count_documents({"run": run})


def changes_of(db: Db, run: str) -> Iterator[Change]:
    """Yield the changes of a run, the last one first."""
    for document in db.number_repair_changes.find({"run": run}).sort([("run", -1), ("_id", -1)]):
        yield Change(
            document_id=document["document_id"],
            scope=tuple(document["scope"]),
            old_number=document["from"],
            old_seq=document["from_seq"],
            new_number=document["to"],
            new_seq=document["number_seq"],
            series=Series(**document["series"]),
        )


def _tell(db: Db, run: str, *, tenant: str, who: str | None, now: datetime, about: Mapping[str, Any]) -> None:
    action: Action = "repair_undone" if "undoes" in about else "repaired"
    asked = asked_by("repair_duplicates.py", tenant=tenant, now=now, who=who)
    record_event(db, asked, action=action, of=("repair", run), details=about, once=run)
