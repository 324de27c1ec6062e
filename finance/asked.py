"""Who asks for a change, when, and under which Idempotency-Key: what goes with it through all layers."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Asked:
    """One request for a change, as the edge understood it.

    `by` is the id of the API key, as histories name it, `by_name` the name that people know it by; `now` is the instant
    in UTC; `key` is the Idempotency-Key; `address` is the client's and `role` that of its key, None for a command on
    our own machine.
    """

    tenant: str
    by: str
    now: datetime
    key: str | None = None
    by_name: str | None = None
    address: str | None = None
    role: str | None = None
