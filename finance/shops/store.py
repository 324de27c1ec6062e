"""The collections `shops`, one document a shop, and `series_claims`, one a shape of numbers; and which of a shop's
series have numbers.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from pymongo import ReturnDocument
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from finance import history
from finance.database import Db, Document
from finance.shops.damaged import readable
from finance.shops.model import FORMAT_BY_KIND, Rule, Shop

LISTED_MAX = 1_000


def find_shop(db: Db, *, tenant: str, shop: str) -> Shop | None:
    return _read(_shops(db).find_one({"tenant": tenant, "shop": shop}))


def list_shops(db: Db, *, tenant: str) -> list[Shop]:
    return [readable(shop) for shop in _shops(db).find({"tenant": tenant}).sort([("shop", 1)]).limit(LISTED_MAX)]


def insert_shop(db: Db, document: Shop) -> bool:
    """Store a new shop; False where it is there already."""
    try:
        _shops(db).insert_one(document)
    except DuplicateKeyError:
        return False
    return True


def update_shop(db: Db, shop: Shop, *, values: Mapping[str, object], entry: Mapping[str, object]) -> Shop | None:
    """Set `values`, add the history entry, and return the shop then; None where it changed since it was read."""
    added = history.push(shop, entry)
    update = {**added, "$set": {**added.get("$set", {}), **values}}
    return _read(_shops(db).find_one_and_update(_as_read(shop), update, return_document=ReturnDocument.AFTER))


def mark_claimed(db: Db, shop: Shop, *, rules: Sequence[Rule]) -> None:
    """Note which rules' series are this shop's, where nobody changed the shop since it was read."""
    _shops(db).update_one(_as_read(shop), {"$set": {"rules": list(rules)}})


# --- Which series have numbers ------------------------------------------------------------------------------------


def has_numbers(db: Db, *, tenant: str, shop: str) -> bool:
    """Return whether the shop has any number: a document's, or one of a sequence that was taken over."""
    numbered = {"tenant": tenant, "shop": shop, "number_seq": {"$gt": 0}}
    if any(db[f"{kind}s"].find_one(numbered, {"_id": True}) is not None for kind in FORMAT_BY_KIND):
        return True
    for kind in FORMAT_BY_KIND:
        # ";" is the character after ":", so these are all counters of the shop.
        ids = {"$gte": f"{kind}:{tenant}:{shop.upper()}:", "$lt": f"{kind}:{tenant}:{shop.upper()};"}
        if any(counter.get("seq") for counter in db.counters.find({"_id": ids}, {"seq": True})):
            return True
    return False


def find_last_numbered(db: Db, *, tenant: str, shop: str, period: str) -> str | None:
    """Return the newest day of the documents of a period, invoices and credit notes; "" where only its counters have
    numbers, None where there are none.
    """
    numbered = {"tenant": tenant, "shop": shop, "period": period, "number_seq": {"$gt": 0}}
    newest_first = [("number_seq", -1)]
    found = [db[f"{kind}s"].find_one(numbered, {"issued_on": True}, sort=newest_first) for kind in FORMAT_BY_KIND]
    days = [str(document.get("issued_on", "")) for document in found if document is not None]
    if days:
        return max(days)
    counters = [f"{kind}:{tenant}:{shop.upper()}:{period}" for kind in FORMAT_BY_KIND]
    counted = db.counters.find({"_id": {"$in": counters}}, {"seq": True})
    return "" if any(counter.get("seq") for counter in counted) else None


# --- Claims: what each shop's numbers look like. Changed only where the claim is as it was read. -------------------


def find_claim(db: Db, claim_id: str) -> Document | None:
    return db.series_claims.find_one({"_id": claim_id})


def put_claim(db: Db, claim: Mapping[str, Any], *, revision: int) -> bool:
    """Store a claim that was read at this revision, 0 where there was none; False where it was changed since."""
    changed = {**claim, "revision": revision + 1}
    try:
        replaced = db.series_claims.replace_one(
            {"_id": claim["_id"], "tenant": claim["tenant"], "revision": revision}, changed, upsert=revision == 0
        )
    except DuplicateKeyError:
        return False
    return bool(replaced.matched_count or replaced.upserted_id)


def drop_claims(db: Db, *, tenant: str, claim_ids: Sequence[str], mark: str) -> None:
    """Take back what one request claimed."""
    wanted = {"_id": {"$in": list(claim_ids)}, "tenant": tenant, "holders.mark": mark}
    db.series_claims.update_many(wanted, {"$pull": {"holders": {"mark": mark}}, "$inc": {"revision": 1}})


def claim_number(db: Db, *, tenant: str, number: str, shop: str, kind: str) -> bool:
    """Claim one number for a shop's documents of a kind; False where another shop or kind has it.

    Only asked where two series meet that were set up before there were claims.
    """
    wanted = {"tenant": tenant, "number": number, "shop": shop, "kind": kind}
    try:
        held = db.series_claims.find_one_and_update(
            {"_id": f"{tenant}={number}"},
            {"$setOnInsert": wanted},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
    except DuplicateKeyError:  # another took it in this moment
        held = db.series_claims.find_one({"_id": f"{tenant}={number}"})
    return held is not None and (held["shop"], held["kind"]) == (shop, kind)


def find_other_kinds(db: Db, *, tenant: str, number: str, kind: str) -> Document | None:
    """Return a document of another kind that carries this number."""
    for other in FORMAT_BY_KIND:
        if other != kind:
            found = db[f"{other}s"].find_one({"tenant": tenant, f"{other}_number": number}, {"shop": True})
            if found is not None:
                return {"kind": other, "shop": found.get("shop")}
    return None


def _as_read(shop: Shop) -> Document:
    return {"tenant": shop["tenant"], "shop": shop["shop"], "history": history.as_read(shop)}


def _read(stored: Mapping[str, Any] | None) -> Shop | None:
    return None if stored is None else readable(stored)


def _shops(db: Db) -> Collection[Shop]:
    return cast("Collection[Shop]", db.shops)
