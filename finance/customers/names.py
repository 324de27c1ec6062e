"""What is asked of customers by their names: by the indexes on names, and never of more than EXAMINED_MAX customers."""

from collections.abc import Sequence
from typing import Any, Literal, cast

from finance.customers.model import Customer
from finance.database import Db, Document
from finance.text import beginning

EXAMINED_MAX = 1_000  # of one question, however many names begin so
FOUND_MAX = 50
_SHOWN = ("customer_code", "customer_name", "customer_category", "contact_person")
_HINT_BY_FIELD = {
    "name_folded": {"tenant": 1, "name_folded": 1, "_id": 1},
    "name_words": {"tenant": 1, "name_words": 1, "_id": 1},
}

Where = Literal["name_folded", "name_words"]


def find_by_name(db: Db, *, tenant: str, begins: str, where: Where, words: Sequence[str] = ()) -> list[Customer]:
    """Return active customers whose folded name begins so, or a word in it (`name_words`), and a word with each of
    `words`; in the order of the index, in which "ada" and "ada king" stand before "adam". No more of them is read than
    is shown.
    """
    found = db.customers.aggregate(
        pipeline_of(tenant=tenant, begins=begins, where=where, words=words), hint=_HINT_BY_FIELD[where]
    )
    return cast("list[Customer]", list(found))


def pipeline_of(*, tenant: str, begins: str, where: Where, words: Sequence[str] = ()) -> list[Document]:
    """Return what MongoDB is asked; the tests ask it for its index."""
    wanted: dict[str, Any] = {"status": {"$nin": ["inactive", "erased"]}}  # an older system stored none
    if words:
        wanted["$and"] = [{"name_words": beginning(word)} for word in words]
    return [
        {"$match": {"tenant": tenant, where: beginning(begins)}},
        {"$limit": EXAMINED_MAX},
        {"$match": wanted},
        {"$limit": FOUND_MAX},
        {"$project": {"_id": False, **dict.fromkeys(_SHOWN, True)}},
    ]
