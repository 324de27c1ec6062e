"""`scripts/migrate_indexes.py` as its users see it."""

import json

import pytest

from finance.database import Db
from finance.indexes import INDEXES
from finance.maintenance import lease
from tests.maintenance.conftest import Run, a_payment
from tests.older_systems import everything_in, inserting, mongoose_payment


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


def test_only_what_is_not_right_is_shown_unless_all_is_asked_for(run: Run, db: Db) -> None:
    db.payments.drop_index("payer")

    _code, shown = run("migrate_indexes.py")
    _code, everything = run("migrate_indexes.py", "--all")

    assert "missing          payments.payer  (tenant, payer_folded, _id)" in shown
    assert f"{len(INDEXES)} indexes, 1 not as they should be." in shown
    assert "payments.payment_number_unique" not in shown
    assert "right            payments.payment_number_unique" in everything


def test_nothing_that_is_printed_is_wider_than_a_terminal(run: Run, db: Db) -> None:
    for name in {index.collection for index in INDEXES}:
        db[name].drop()
    db.seq.insert_many([{"shop": f"shop of a rather long name {n % 3}", "month": 1, "last": n} for n in range(9)])
    options = ("--collection", "seq", "--wrong", "shop", "--right", "shop,month", "--keep-max", "last")

    printed = run("migrate_indexes.py")[1] + run("migrate_indexes.py", *options)[1]

    assert [line for line in printed.splitlines() if len(line) > 80] == []


def test_json_says_what_was_found_and_done(run: Run, db: Db) -> None:
    db.payments.drop_index("payment_number_unique")
    found = json.loads(run("migrate_indexes.py", "--json")[1])
    done = json.loads(run("migrate_indexes.py", "--json", "--apply")[1])

    assert (found["right"], [one["name"] for one in found["indexes"]]) == (False, ["payment_number_unique"])
    assert (done["right"], done["done"]) == (True, ["built payments.payment_number_unique, unique"])
    assert done["sight"]["ours"]


def test_json_of_a_replaced_index_and_of_sequences_that_go_on(run: Run, db: Db) -> None:
    db.seq.create_index("shop", unique=True)
    db.seq.insert_one({"shop": "a", "year": 2026, "month": 1, "last": 3})
    options = ("--collection", "seq", "--wrong", "shop", "--right", "shop,year,month", "--keep-max", "last")

    said = json.loads(run("migrate_indexes.py", *options, "--take-over", "acme", "--json", "--apply")[1])

    assert (said["right"], said["done"]["dropped"]) == (True, ["shop_1"])
    assert said["sequences"] == {
        "go_on": {"invoice:acme:A:2026-01": 3},
        "went_on_before": {},
        "gaps": 3,
        "refused": [],
    }


@pytest.mark.parametrize("option", ["--wrong", "--right", "--keep-max", "--data-field", "--data-collection"])
def test_a_mistyped_field_is_refused_before_anything_is_built(run: Run, db: Db, option: str) -> None:
    db.seq.insert_one({"shop": "a", "month": 1, "last": 3})
    db.data.insert_one({"shop": "a", "month": 1, "n": 3})
    named = {"--wrong": "shop", "--right": "shop,month", "--keep-max": "last"}
    named |= {"--data-collection": "data", "--data-field": "n", option: "shopp"}
    before = everything_in(db)

    options = [part for pair in named.items() for part in pair]
    code, output = run("migrate_indexes.py", "--collection", "seq", *options, "--apply")

    assert (code, f"{option} shopp: " in output) == (2, True)
    assert everything_in(db) == before


@pytest.mark.parametrize("right", ["year,month", "shop", "shop2,month"])
def test_a_right_index_that_could_not_take_the_place_of_the_wrong_one_is_refused(run: Run, db: Db, right: str) -> None:
    db.seq.create_index("shop", unique=True)
    db.seq.insert_many([{"shop": shop, "shop2": shop, "year": 2026, "month": 1, "last": 3} for shop in "ab"])
    before = everything_in(db)

    code, output = run("migrate_indexes.py", "--collection", "seq", "--wrong", "shop", "--right", right, "--apply")

    assert (code, "--right must be the fields of --wrong (shop) and at least one more" in output) == (2, True)
    assert everything_in(db) == before


@pytest.mark.parametrize(
    ("keep", "says"),
    [
        ((), "Equal documents stand: nothing was built, and nothing was dropped."),
        (("--keep-max", "last"), 'dropIndex("shop_month_unique") in mongosh'),
    ],
)
def test_where_equal_documents_stand_it_is_said_what_was_built(
    run: Run, db: Db, keep: tuple[str, ...], says: str
) -> None:
    db.seq.insert_many([{"shop": "a", "month": 1, "last": last} for last in (3, "x")])
    options = ("--collection", "seq", "--wrong", "shop", "--right", "shop,month", *keep)

    code, output = run("migrate_indexes.py", *options, "--apply")

    assert (code, says in output, len(db.seq.index_information())) == (1, True, 2 if keep else 1)


def test_what_an_earlier_version_built_beside_another_software_is_taken_off_and_it_goes_on(run: Run, db: Db) -> None:
    db.payments.insert_one(mongoose_payment(1))  # E11000 from the second one on

    with inserting(db.payments) as writer:
        assert run("migrate_indexes.py", "--apply")[0] == 2
        assert writer.stored == []
        code, output = run("migrate_indexes.py", "--withdraw")
        assert (code, "would be dropped payments.payment_number_unique" in output) == (1, True)
        assert run("migrate_indexes.py", "--withdraw", "--apply")[0] == 0
        writer.refused.clear()
        writer.wrote.clear()
        assert writer.wrote.wait(20)

    assert len(writer.stored) > 0
    assert list(db.payments.index_information()) == ["_id_"]
    assert "customer_code_unique" in db.customers.index_information(), "where nothing of theirs is, ours stays"
    assert run("migrate_indexes.py", "--withdraw")[0] == 0


def test_two_operators_do_not_migrate_at_once(run: Run, db: Db) -> None:
    with lease.held(db, "payments", doing="a repair", by="ana@host"):
        code, output = run("migrate_indexes.py", "--apply")

    assert code == 2
    assert "ana@host is at work here since" in output


def test_ours_are_never_withdrawn_from_our_own_documents(run: Run, db: Db) -> None:
    db.payments.insert_one(a_payment(1))
    before = everything_in(db)

    assert run("migrate_indexes.py", "--withdraw", "--apply")[0] == 0
    assert everything_in(db) == before
