"""A process that issues numbers, for tests that need several.

`python -m tests.numbering.issuer <uri> <database> <policy> <batches> <batch size>` writes "ready", begins when a line
comes on its stdin, and writes the numbers it got as JSON.
"""

import json
import sys
from datetime import UTC, datetime

from finance import database
from finance.config import Config
from finance.numbering.drafts import Draft, Numbered, Stored
from finance.numbering.issue import issue_no_gap, issue_standard
from finance.numbering.series import Series
from finance.payments.model import NUMBERED

POLICIES = {"standard": issue_standard, "no_gap": issue_no_gap}


def main(uri: str, name: str, policy: str, batches: int, batch_size: int) -> None:
    db = database.connect(Config(mongodb_uri=uri, database_name=name, database_deadline_s=30))
    numbered = Numbered(db, NUMBERED)
    series = Series("acme", "payment", "PAY2026", 4, period="2026", document_filter={"number_year": 2026})
    db.command("ping")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    numbers = []
    for _batch in range(batches):
        drafts = [Draft(series, {"tenant": "acme", "number_year": 2026}) for _position in range(batch_size)]
        outcomes = POLICIES[policy](numbered, drafts, now=datetime.now(UTC))
        numbers += [outcome.document["number_seq"] for outcome in outcomes if isinstance(outcome, Stored)]
    json.dump(numbers, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:4], *map(int, sys.argv[4:]))
