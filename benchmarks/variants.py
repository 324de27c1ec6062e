"""The app as it is, and twice with another lane: what a request costs without a database, and by the plain recipe.

`FINANCE_BENCHMARK_LANE` names one: group (as it is), none, plain. Served as `gunicorn benchmarks.variants:app`.
"""

import os
from dataclasses import replace
from functools import partial

from bson import ObjectId
from pymongo import ReturnDocument

from finance import logs
from finance.app import create_app
from finance.config import Config
from finance.context import EXTENSION, Parts
from finance.numbering.drafts import Draft, Stored


class NoDatabase:
    """Answers as if stored: what the request costs up to there and back."""

    def submit(self, draft: Draft, *, deadline_s: float) -> Stored:
        draft.document.update(_id=ObjectId(), number_seq=1, payment_number=draft.series.format(1))
        return Stored(draft.document)


class PlainRecipe:
    """One find_one_and_update and one insert_one a request, with the same write concern."""

    def __init__(self, parts: Parts) -> None:
        self._db = parts.db

    def submit(self, draft: Draft, *, deadline_s: float) -> Stored:
        counter = self._db.counters.find_one_and_update(
            {"_id": draft.series.counter_id},
            {"$inc": {"seq": 1}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        draft.document.update(number_seq=counter["seq"], payment_number=draft.series.format(counter["seq"]))
        self._db.payments.insert_one(draft.document)
        return Stored(draft.document)


config = Config.from_env()
logs.configure(config.log_level)
app = create_app(config)
parts: Parts = app.extensions[EXTENSION]
lane = os.environ.get("FINANCE_BENCHMARK_LANE", "group")
if lane != "group":
    other = NoDatabase() if lane == "none" else PlainRecipe(parts)
    app.extensions[EXTENSION] = replace(
        parts, submit_payment=partial(other.submit, deadline_s=config.commit_deadline_s)
    )
