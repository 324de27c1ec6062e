"""`scripts/import_payments.py`: what it is asked for, and what it refuses before it reads or writes anything."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import environment
import import_payments
import pytest

from finance.database import Db
from tests.maintenance.conftest import Run
from tests.payments.conftest import OF_ACME, an_old_payment, content_of, of_acme

FILE = "payment_number,amount,currency,payer,method,paid_on\nPAY20260001,1.00,EUR,Zoë,cash,2026-05-01\n"


@pytest.fixture
def old(db: Db) -> Iterator[Db]:
    database = db.client[f"finance_old_{uuid4().hex[:16]}"]
    database.payments.insert_many([an_old_payment(1), an_old_payment(2)])
    yield database
    db.client.drop_database(database.name)


@pytest.fixture
def run(
    db: Db, mongodb_uri: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Run:
    """`run("--tenant", "acme", "p.csv")` gives the exit code and what was printed, as of what an operator starts."""
    (tmp_path / "p.csv").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(environment, "enter", lambda *names: None)  # we are in it
    for name, value in {"MONGODB_URI": mongodb_uri, "FINANCE_DATABASE": db.name, "LOGNAME": "ops"}.items():
        monkeypatch.setenv(name, value)

    def call(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["import_payments.py", *arguments])
        try:
            code = import_payments.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return call


REFUSED: list[tuple[tuple[str, ...], str]] = [
    (("--tenant", "acme"), "Name either a FILE or --from-collection."),
    (("p.csv",), "Name either --tenant, or --tenants-from with its --tenant-map."),
    (("p.csv", "--tenant", "a b"), "--tenant 'a b' must be 1 to 40 of a-z"),
    (("p.csv", "--tenants-from", "shop"), "--tenants-from needs a --tenant-map"),
    (("p.csv", "--tenants-from", "shop", "--tenant-map", "none"), "No such file or directory: 'none'"),
    (("p.csv", "--tenants-from", "shop", "--tenant-map", "p.csv"), "p.csv: each line must be theirs=ours, as 6=dakar."),
    (("p.csv", "--tenant", "acme", "--set", "payer=\udcff"), "--set must be text in UTF-8, in one line."),
    (("none.csv", "--tenant", "acme"), "none.csv can't be read: No such file or directory."),
    (("p.csv", "--tenant", "acme", "--field", "payor=payer"), "no field 'payor'; did you mean payer?"),
    (
        ("p.csv", "--tenant", "acme", "--field", "payer=paier"),
        "--field: no row has a field 'paier'; did you mean payer?",
    ),
    (
        ("p.csv", "--tenant", "acme", "--row-key", "id"),
        "--row-key: no row has a field 'id'; there are: amount, currency",
    ),
    (("p.csv", "--tenant", "acme", "--field", "payer"), "--field 'payer' must have an = in it"),
    (("p.csv", "--tenant", "acme", "--value", "CASH=cash"), "--value 'CASH=cash' must be as method:CASH=cash."),
    (("p.csv", "--tenant", "acme", "--set", "allocations=1"), "has no field 'allocations'"),
    (("p.csv", "--tenant", "acme", "--field", "note=payer", "--set", "note=x"), "note can't be both of --field and of"),
    *(
        (("p.csv", "--tenant", "acme", option, first, option, second), f"{option} {second!r}: {said}")
        for option, first, second, said in (
            ("--field", "amount=a", "amount=b", "amount is named before."),
            ("--set", "currency=EUR", "currency=USD", "currency is named before."),
            ("--value", "method:CASH=cash", "method:CASH=card", "method:CASH is named before."),
            ("--last-number", "PAY20260010", "PAY20260020", "2026 is named before."),
        )
    ),
    (("p.csv", "--tenant", "acme", "--from-database", "shop"), "--from-database belongs to --from-collection"),
    (
        ("p.csv", "--tenant", "acme", "--last-number", "300"),
        "--last-number '300' must be a number such as PAY20260999.",
    ),
]


@pytest.mark.parametrize(("arguments", "said"), REFUSED)
def test_what_can_t_be_meant_is_refused_in_one_line_and_nothing_is_written(
    db: Db, run: Run, arguments: tuple[str, ...], said: str
) -> None:
    before = content_of(db)

    code, printed = run(*arguments, "--apply")

    assert (code, said in printed) == (2, True), printed
    assert "Traceback" not in printed
    assert {name: content for name, content in content_of(db).items() if name != "maintenance_leases"} == before


def test_a_collection_that_isn_t_there_is_named_with_those_that_are(run: Run, old: Db) -> None:
    code, printed = run("--tenant", "acme", "--from-database", old.name, "--from-collection", "payment")

    assert code == 2
    assert f"{old.name}.payment has no documents; in {old.name} there is: payments." in printed


def test_what_would_be_read_and_written_at_once_is_refused(db: Db, run: Run, old: Db) -> None:
    before = content_of(old)

    code, printed = run(*OF_ACME, "--database", old.name, "--apply")

    assert code == 2
    assert "Name it in FINANCE_DATABASE or --database, and the old one in --from-database." in printed
    assert content_of(old) == before


@pytest.mark.parametrize("arguments", [(), ("--apply",)])
def test_a_database_that_is_another_software_s_is_refused(run: Run, old: Db, arguments: tuple[str, ...]) -> None:
    before, indexes = content_of(old), old.payments.index_information()

    code, printed = run("--tenant", "acme", "p.csv", "--database", old.name, *arguments)

    assert code == 2
    assert f"The database {old.name} is another software's" in printed
    assert (content_of(old), old.payments.index_information()) == (before, indexes)


def test_what_is_read_from_which_field_is_said(run: Run, old: Db) -> None:
    old.payments.insert_many([an_old_payment(3, note="x"), an_old_payment(4)])

    code, printed = run(*OF_ACME, "--from-database", old.name)

    assert code == 0
    for line in ("payment_number from paymentNumber: 100 %", "note from note: 25 %", "currency is EUR"):
        assert f"  {line}\n" in printed
    assert "  not read: createdAt, updatedAt, __v\n" in printed
    assert "acme 2026: 4 numbers from PAY20260001 to PAY20260004; goes on with PAY20260005\n" in printed


def test_it_is_told_before_it_begins_and_when_it_has_ended(db: Db, run: Run) -> None:
    run("--tenant", "acme", "p.csv", "--apply")

    begun, ended = db.audit_events.find().sort("_id", 1)
    assert [(event["tenant"], event["action"], event["by"]) for event in (begun, ended)] == [
        ("acme", "imported", "scripts/import_payments.py"),
        ("acme", "import_finished", "scripts/import_payments.py"),
    ]
    assert begun["object_id"] == ended["object_id"]
    assert (begun["details"], ended["details"]) == (
        {"source": "p.csv", "rows": 1},
        {"source": "p.csv", "rows": 1, "imported": 1},
    )


def test_a_field_that_has_our_name_is_left_where_it_is_told(run: Run) -> None:
    code, printed = run("--tenant", "acme", "p.csv", "--field", "payer=")

    assert (code, "payer is required." in printed) == (1, True)


def test_a_value_that_no_row_has_is_named(run: Run) -> None:
    options = ("--value", "method:cash=card", "--value", "method:CSAH=cash")

    code, printed = run("--tenant", "acme", "p.csv", *options)

    assert code == 0
    assert "--value method:CSAH: no row that could be read has it.\n" in printed
    assert "method:cash:" not in printed


def test_of_a_file_without_rows_it_is_said_that_there_are_none(run: Run, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(FILE.splitlines()[0] + "\n")

    assert "\n0 rows\n" in run("--tenant", "acme", "p.csv")[1]


def test_metadata_and_what_is_inside_a_field_are_read_too(db: Db, run: Run, old: Db) -> None:
    old.payments.insert_one(an_old_payment(3, user={"name": "Ada"}, seq=77))

    code, printed = run(
        *of_acme("--from-database", old.name, "--apply", "--field", "payer=user.name", "--field", "metadata.seq=seq")
    )

    assert code == 1, printed  # the two others have no user.name
    (payment,) = db.payments.find()
    assert (payment["payer"], payment["metadata"]) == ("Ada", {"seq": "77"})
