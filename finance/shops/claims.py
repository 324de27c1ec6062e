"""Whose numbers are these? One claim document per shape of numbers, FAC-DKR1-#-#, holds the patterns of the shops and
kinds that write it, for all periods to come (decision 0008).

Patterns that can meet have the same shape, so one document decides between any two of them, also in a race. What a
shop holds is what its rules write: a claim whose shop doesn't write it was left by a request that ended halfway, and
stands in nobody's way for longer than a minute.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

from finance.contention import until_unchanged_meanwhile
from finance.database import Db, Document
from finance.errors import Unavailable
from finance.said import said
from finance.shops import store
from finance.shops.patterns import can_meet, shape_of
from finance.shops.rules import patterns_of

LEFT_AFTER = timedelta(seconds=60)  # far longer than a request may take between its claims and its shop

Written = tuple[str, str]  # a kind and a pattern


class ShopBusy(Unavailable):
    detail_default = said("Others kept changing this shop, and nothing was changed by this request. A retry is safe.")


@dataclass(frozen=True)
class Meeting:
    """A pattern of `kind` that can't be had: the shop `other` writes the same numbers as its `other_kind`s."""

    kind: str
    other: str
    other_kind: str
    pattern: str


@dataclass(frozen=True)
class Claiming:
    """A shop that claims what it writes. `stored` is what it writes as it is stored, `keeps` what it will write."""

    db: Db
    tenant: str
    shop: str
    now: datetime
    stored: Collection[Written] = ()
    keeps: Collection[Written] = ()
    taken_over: bool = False  # from an older system: it stands without a shop that writes it


def take(claiming: Claiming, wanted: Iterable[Written]) -> list[Meeting]:
    """Claim all that is wanted, or nothing; return what it meets, none where it is claimed. Raises ShopBusy."""
    mark = uuid4().hex
    by_shape: dict[str, list[Written]] = {}
    # Invoices first: where both kinds of a shop meet, it is the credit notes that are told to differ.
    ordered = sorted(wanted, reverse=True)
    for kind, pattern in ordered:
        by_shape.setdefault(shape_of(pattern), []).append((kind, pattern))
    claimed: list[str] = []
    for shape, written in sorted(by_shape.items()):  # in one order, so that of two that meet one gets all
        claimed.append(_id_of(claiming.tenant, shape))
        met = until_unchanged_meanwhile(partial(_take, claiming, shape, written, mark), busy=ShopBusy)
        if met:
            store.drop_claims(claiming.db, tenant=claiming.tenant, claim_ids=claimed, mark=mark)
            return [*met, *(one for one in find_meetings(claiming, ordered) if one not in met)]
    return []


def find_meetings(claiming: Claiming, wanted: Iterable[Written]) -> list[Meeting]:
    """Return what `take` would meet, and claim nothing."""
    return [
        meeting
        for kind, pattern in wanted
        for meeting in _meetings(claiming, _holders(_find(claiming, shape_of(pattern))), (kind, pattern))
    ]


def _take(claiming: Claiming, shape: str, written: Sequence[Written], mark: str) -> list[Meeting] | None:
    """Claim the patterns of one shape and return what they meet; None where another changed the claim meanwhile."""
    found = _find(claiming, shape)
    holders = _holders(found)
    for kind, pattern in written:
        met = _meetings(claiming, holders, (kind, pattern))
        if met:
            return met
        if not _holds(claiming, holders, (kind, pattern)):
            holders = [one for one in holders if not _is_ours(claiming, one, (kind, pattern))]
            holders.append(_holder(claiming, kind, pattern, mark))
    if found is not None and holders == _holders(found):
        return []
    claim = {"_id": _id_of(claiming.tenant, shape), "tenant": claiming.tenant, "shape": shape, "holders": holders}
    stored = store.put_claim(claiming.db, claim, revision=found["revision"] if found else 0)
    return [] if stored else None


def _meetings(claiming: Claiming, holders: Sequence[Document], written: Written) -> list[Meeting]:
    kind, pattern = written
    return [
        Meeting(kind, one["shop"], one["kind"], one["pattern"])
        for one in holders
        if (one["shop"], one["kind"]) != (claiming.shop, kind)
        and can_meet(one["pattern"], pattern)
        and _stands(claiming, one)
    ]


def _stands(claiming: Claiming, holder: Document) -> bool:
    """Return whether what is held is written, or may yet be."""
    written = (holder["kind"], holder["pattern"])
    if holder["shop"] == claiming.shop:
        return written in claiming.keeps
    if holder.get("taken_over") or holder["at"] > claiming.now - LEFT_AFTER:
        return True
    shop = store.find_shop(claiming.db, tenant=claiming.tenant, shop=holder["shop"])
    return shop is not None and written in patterns_of(shop["shop"], shop["rules"])


def _holds(claiming: Claiming, holders: Sequence[Document], written: Written) -> bool:
    """Return whether a claim of ours is there that nobody may take for left behind."""
    return any(
        _is_ours(claiming, one, written) and (one.get("taken_over") or written in claiming.stored) for one in holders
    )


def _is_ours(claiming: Claiming, holder: Document, written: Written) -> bool:
    return (holder["shop"], holder["kind"], holder["pattern"]) == (claiming.shop, *written)


def _holder(claiming: Claiming, kind: str, pattern: str, mark: str) -> Document:
    made: dict[str, Any] = {"shop": claiming.shop, "kind": kind, "pattern": pattern, "at": claiming.now, "mark": mark}
    return made | ({"taken_over": True} if claiming.taken_over else {})


def _find(claiming: Claiming, shape: str) -> Document | None:
    return store.find_claim(claiming.db, _id_of(claiming.tenant, shape))


def _holders(claim: Document | None) -> list[Document]:
    return list(claim["holders"]) if claim else []


def _id_of(tenant: str, shape: str) -> str:
    return f"{tenant}:{shape}"
