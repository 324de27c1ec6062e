"""What group commit wins by itself: `python -m benchmarks.group_commit [--threads 64] [--seconds 5] [--rounds 3]`.

The same payments, without HTTP: threads of one process hand them to the lane (standard, then no-gap), or follow the
plain recipe of one find_one_and_update and one insert_one each. Same indexes, same write concern, same minutes.
"""

import argparse
import itertools
import statistics
import threading
import time
from collections.abc import Callable
from datetime import date

from pymongo import ReturnDocument

from benchmarks import serving
from finance.asked import Asked
from finance.config import PaymentNumbering
from finance.context import utc_now
from finance.database import Db
from finance.numbering.drafts import Draft
from finance.numbering.lane import Lane
from finance.payments import service
from finance.payments.model import draft_of, new_payment

POSTED = {"amount_minor": 125050, "currency": "EUR", "payer": "Payer", "method": "card", "direction": "incoming"}
WAYS = ("standard", "no_gap", "plain")

Record = Callable[[Draft], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rates: dict[str, list[float]] = {way: [] for way in WAYS}
    with serving.mongod() as uri:
        for number, way in itertools.product(range(1, options.rounds + 1), WAYS):
            with serving.fresh_database(uri) as db:
                rate = _rate(_record(db, way), threads=options.threads, seconds=options.seconds)
            rates[way].append(rate)
            print(f"round {number}  {way:9}{rate:7.0f} payments/s")
    middle = {way: statistics.median(found) for way, found in rates.items()}
    for way in WAYS[:2]:
        print(f"{way} against the plain recipe: {middle[way] / middle['plain']:.1f}")


def _record(db: Db, way: str) -> Record:
    if way == "plain":
        return lambda draft: _plain(db, draft)
    numbering: PaymentNumbering = "no_gap" if way == "no_gap" else "standard"
    lane = Lane(
        lambda drafts: service.commit_payments(db, drafts, numbering=numbering, now=utc_now()),
        kind="payment",
    )
    return lambda draft: lane.submit(draft, deadline_s=9)


def _plain(db: Db, draft: Draft) -> None:
    counter = db.counters.find_one_and_update(
        {"_id": draft.series.counter_id}, {"$inc": {"seq": 1}}, upsert=True, return_document=ReturnDocument.AFTER
    )
    draft.document.update(number_seq=counter["seq"], payment_number=draft.series.format(counter["seq"]))
    db.payments.insert_one(draft.document)


def _rate(record: Record, *, threads: int, seconds: float) -> float:
    stop = time.perf_counter() + seconds
    recorded = [0] * threads

    def work(number: int) -> None:
        while time.perf_counter() < stop:
            key = f"{number}-{recorded[number]}"
            asked = Asked(tenant=serving.TENANT, by="benchmark", now=utc_now(), key=key)
            record(draft_of(new_payment(POSTED, asked, paid_on=date(2026, 1, 2))))
            recorded[number] += 1

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(recorded) / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
