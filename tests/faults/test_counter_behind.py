"""A counter that was restored from an older backup, while clients post: the unique index decides, nobody is refused."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.posting import YEARS
from tests.faults.proof import TENANT, posting_to, require_proven

pytestmark = pytest.mark.faults

BETWEEN = 40
TIMES = 2


@pytest.mark.parametrize("numbering", ["standard", "no_gap"])
def test_a_counter_that_is_set_back_doubles_nothing(
    serve_api: Callable[..., Any], tmp_path: Path, numbering: str
) -> None:
    api = serve_api(workers=2, PAYMENT_NUMBERING=numbering)
    posting = posting_to(api, requests=None)
    behind: list[tuple[float, float]] = []

    with posting.running():
        for _time in range(TIMES):
            posting.wait_for(BETWEEN)
            began_s = time.monotonic()
            _set_back(api.db)
            posting.wait_for(BETWEEN)
            behind.append((began_s, time.monotonic()))
        posting.wait_for(BETWEEN)
        posting.stop()

    # While a counter is behind the data, a number below the newest that no document has may be given late; where it was
    # recorded as a gap, the audit takes that back.
    unordered = tuple(behind) if numbering == "standard" else ()
    require_proven(api, posting, tmp_path, undisturbed=True, no_gap=numbering == "no_gap", unordered=unordered)
    if numbering == "standard":
        assert "Duplicate payment number detected" in api.log


def _set_back(db: Any) -> None:
    for year in YEARS:
        counter = db.counters.find_one({"_id": f"payment:{TENANT}:{year}"})
        if counter:
            db.counters.update_one({"_id": counter["_id"]}, {"$set": {"seq": counter["seq"] // 2}})
