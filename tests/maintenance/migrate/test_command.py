"""`scripts/migrate_indexes.py` as its users see it."""

from finance.database import Db
from tests.maintenance.conftest import Run


def test_migrate_says_one_line_an_index_and_makes_it_right(run: Run, db: Db) -> None:
    db.payments.drop_index("payment_number_unique")
    db.payments.create_index("payment_number", unique=True, name="paymentNumber_1")
    code, output = run("migrate_indexes.py", "--check")
    assert code == 1
    assert "missing          payments.payment_number_unique" in output
    assert "in the way       payments.paymentNumber_1" in output
    assert run("migrate_indexes.py", "--apply")[0] == 0
    assert run("migrate_indexes.py")[0] == 0


def test_migrate_replaces_a_wrong_index_of_another_software(run: Run, db: Db) -> None:
    db.seq.create_index("shop", unique=True)
    db.seq.insert_one({"shop": "A", "month": 1, "last": 3})
    named = ("--collection", "seq", "--wrong", "shop", "--right", "shop,month", "--keep-max", "last")
    assert run("migrate_indexes.py", *named)[0] == 1
    code, output = run("migrate_indexes.py", "--apply", *named)
    assert (code, "dropped seq.shop_1" in output) == (0, True)
    db.seq.insert_one({"shop": "A", "month": 2, "last": 1})
