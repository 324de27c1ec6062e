"""What the database holds after a load, and whether it agrees with what the clients were told."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests as http

from finance.maintenance.audit.record import record_gaps
from tests.clients import HttpClient, poll, workers_seen
from tests.faults.history import Evidence, Found, violations
from tests.faults.posting import Habits, Posting, write_history

TENANT = "acme"
WITHIN_S = 60.0
# What the checks look at.
SHOWN = ("payment_number", "number_year", "number_seq", "idempotency_key")
POSTED = ("amount_minor", "currency", "payer", "method", "paid_on", "reference")


def wait_for_all_workers(api: Any) -> None:
    """Wait until every worker answers: clients that keep their connections would all stay with the first one."""

    def all_answered() -> bool:
        http.get(f"{api.url}/healthz", timeout=WITHIN_S).close()
        return set(api.worker_pids()) <= workers_seen(api.log)

    poll(all_answered, within_s=WITHIN_S)


def posting_to(api: Any, *, requests: int | None, habits: Habits | None = None, **options: Any) -> Posting:
    """Return clients of a served API, with an API key of their own."""
    wait_for_all_workers(api)
    headers = HttpClient(api, TENANT, role="client").headers("client")
    return Posting(api.url, headers, requests=requests, habits=habits, **options)


def find_violations(api: Any, posting: Posting, **rules: Any) -> list[str]:
    """Return what in the database contradicts what the clients were told. The audit records what is missing."""
    return violations(Evidence(posting.history, _find(api.db), **rules))


def require_proven(api: Any, posting: Posting, folder: Path, **rules: Any) -> None:
    """Fail where there is a violation, and leave the history to be looked at."""
    wrong = find_violations(api, posting, **rules)
    if wrong:
        lines = folder / "history.jsonl"
        with lines.open("w", encoding="utf-8") as file:
            write_history(posting.history, file.write)
        raise AssertionError("\n".join([*wrong, f"Every attempt: {lines}"]))


def _find(db: Any) -> Found:
    documents = list(db.payments.find({"tenant": TENANT}, dict.fromkeys((*SHOWN, *POSTED), True)))
    gaps = _gaps(db)
    record_gaps(db, now=datetime.now(UTC), grace_s=0)
    prefix = f"payment:{TENANT}:"
    counters = db.counters.find({"_id": {"$gt": prefix, "$lt": prefix + "~"}})
    counted = {int(counter["_id"].removeprefix(prefix)): int(counter["seq"]) for counter in counters}
    audited = _gaps(db)
    return Found(documents, counted, gaps, lost=audited - gaps, taken_back=gaps - audited)


def _gaps(db: Any) -> frozenset[tuple[int, int]]:
    wanted = {"tenant": TENANT, "kind": "payment"}
    return frozenset((int(gap["period"]), gap["number_seq"]) for gap in db.number_gaps.find(wanted))


def under_load(api: Any, folder: Path, act: Callable[[Posting], None], *, requests: int, **rules: Any) -> Posting:
    """Have clients post `requests` payments while `act` breaks things, and prove that nothing came of it."""
    posting = posting_to(api, requests=requests)
    with posting.running():
        act(posting)
    require_proven(api, posting, folder, **rules)
    return posting
