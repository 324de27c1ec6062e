"""Looking a customer up by words of its name, as a form does that has to name one.

What is asked costs about the same however many customers there are: a few questions, each of which looks at no more
than `names.EXAMINED_MAX` of them. So where a thousand names have a word that begins so, the best of these thousand are
found; more letters, or one word more, find the others.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from finance.customers import names
from finance.customers.model import Customer
from finance.database import Db
from finance.text import WORDS_MAX, fold, split_words

HITS_MAX = 5
ASKED_BY_MAX = 3  # of the words; the others only rank


def look_up_customers(db: Db, *, tenant: str, name: str) -> list[Customer]:
    """Return the active customers whose names fit best, the best first: each word of `name` begins a word of theirs.

    Before all others is who is called exactly so, then in whose names all words stand whole. Of these it is first who
    begins so, then who has the fewest words beside.
    """
    phrase = fold(name)
    words = list(dict.fromkeys(split_words(phrase)))[: WORDS_MAX + 1]
    rank_by_code: dict[str, tuple[Any, ...]] = {}
    customer_by_code: dict[str, Customer] = {}
    for candidates in _questions(db, tenant, phrase, words):
        for customer in candidates:
            rank = _rank(customer, words)
            if rank is not None:
                code = customer["customer_code"]
                rank_by_code[code], customer_by_code[code] = rank, customer
        if sum(rank[:2] <= (True, 0) for rank in rank_by_code.values()) >= HITS_MAX:
            break  # no other question finds better ones
    best = sorted(customer_by_code, key=lambda code: (rank_by_code[code], code))
    return [customer_by_code[code] for code in best[:HITS_MAX]]


def _questions(db: Db, tenant: str, phrase: str, words: Sequence[str]) -> Iterator[list[Customer]]:
    """Yield what is found: who is called so, in whose names the words follow each other so, and then in any order."""
    by_name = names.find_by_name(db, tenant=tenant, begins=phrase, where="name_folded")
    yield by_name + names.find_by_name(db, tenant=tenant, begins=phrase, where="name_words")
    if words == [phrase]:
        return
    longest = sorted(words, key=len, reverse=True)[:ASKED_BY_MAX]  # the fewest names have these
    for word in longest:
        others = [other for other in longest if other != word]
        yield names.find_by_name(db, tenant=tenant, begins=word, where="name_words", words=others)


def _rank(customer: Customer, words: list[str]) -> tuple[Any, ...] | None:
    """Return how well a name fits, the least being best; None where a word begins none of its words."""
    name = customer.get("customer_name")
    theirs = split_words(fold(name)) if isinstance(name, str) else []
    if not theirs or not all(any(their.startswith(word) for their in theirs) for word in words):
        return None
    begun_only = sum(word not in theirs for word in words)
    begins_so = " ".join(theirs).startswith(" ".join(words))
    return theirs != words, begun_only, not begins_so, len(theirs), theirs
