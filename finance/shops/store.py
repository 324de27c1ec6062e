"""The collection `shops`: one document a shop."""

from collections.abc import Mapping
from typing import cast

from pymongo import ReturnDocument
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from finance.database import Db
from finance.shops.model import Shop

LISTED_MAX = 1_000


def find_shop(db: Db, *, tenant: str, shop: str) -> Shop | None:
    return _shops(db).find_one({"tenant": tenant, "shop": shop})


def list_shops(db: Db, *, tenant: str) -> list[Shop]:
    return list(_shops(db).find({"tenant": tenant}).sort([("shop", 1)]).limit(LISTED_MAX))


def insert_shop(db: Db, document: Shop) -> bool:
    """Store a new shop; False where it is there already."""
    try:
        _shops(db).insert_one(document)
    except DuplicateKeyError:
        return False
    return True


def update_shop(db: Db, shop: Shop, *, values: Mapping[str, object], entry: Mapping[str, object]) -> Shop | None:
    """Set `values`, add the history entry, and return the shop then; None where it changed since it was read."""
    return _shops(db).find_one_and_update(
        {"tenant": shop["tenant"], "shop": shop["shop"], "history": {"$size": len(shop["history"])}},
        {"$set": dict(values), "$push": {"history": entry}},
        return_document=ReturnDocument.AFTER,
    )


def _shops(db: Db) -> Collection[Shop]:
    return cast("Collection[Shop]", db.shops)
