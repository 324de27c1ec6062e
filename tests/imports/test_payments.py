"""Files of payments: a verdict for every row, then stored in steps, each once."""

import io
from datetime import date, timedelta
from typing import Any

import pytest
from openpyxl import load_workbook

from finance.imports import receiving, service, storing
from finance.imports.model import KEPT
from finance.payments import bulk
from finance.tables.cells import Limits
from tests.clients import Client
from tests.imports.conftest import HEAD, Uploads, csv_of, new_rows, xlsx_of

HEAD_NUMBERED = "payment_number,amount,currency,payer,method,paid_on\n"


def test_each_row_has_its_verdict_and_nothing_is_stored_by_a_check(uploads: Uploads) -> None:
    stored = uploads.client.pay("7.00", payer="Ada", paid_on="2026-05-02").json
    upload = uploads.check(
        csv_of(
            "12.50,EUR,Zoë,card,2026-05-01,A1",
            "12.505,EUR,Zoë,card,2026-05-01,A2",
            "1,EUR,Zoë,carte,2026-05-01,",
            "7.00,EUR,ADA,cash,2026-05-02,again",
            "12.5,EUR,zoe,cash,2026-05-01,twin",
            "1,EUR,Zoë,card,1999-05-01,",
            "300,INR,Zoë,card,2026-05-01,",
        )
    )

    assert (upload["status"], upload["rows"], upload["name"]) == ("checked", 7, "november.csv")
    assert uploads.rows(upload) == [
        (2, "new", ""),
        (3, "refused", 'amount "12.505": must have at most 2 decimals: EUR has no smaller unit; a point stands before '
         "decimals alone."),
        (4, "refused", 'method "carte": must be one of: bank_transfer, card, cash, cheque, direct_debit, upi, other.'),
        (5, "alike", f"{stored['payment_number']} has the same payer, amount, currency and day."),
        (6, "alike", "Line 2 has the same payer, amount, currency and day."),
        (7, "refused", uploads.rows(upload)[5][2]),
        (8, "new", ""),
    ]  # fmt: skip
    assert "must be from 2000-01-01" in uploads.rows(upload)[5][2]
    assert upload["counts"] == {"new": 2, "alike": 2, "refused": 3}
    assert upload["totals"] == [
        {"verdict": "alike", "currency": "EUR", "direction": "incoming", "count": 2, "amount": "19.50"},
        {"verdict": "new", "currency": "EUR", "direction": "incoming", "count": 1, "amount": "12.50"},
        {"verdict": "new", "currency": "INR", "direction": "incoming", "count": 1, "amount": "300.00"},
    ]
    assert len(uploads.payments()) == 1


def test_what_is_new_is_stored_with_the_next_numbers_by_who_pressed_the_button(uploads: Uploads) -> None:
    upload = uploads.check(csv_of("12.50,EUR,Zoë,card,2026-05-01,A1", "1,EUR,Zoë,card,2026-05-01,", "x,EUR,Z,card,,"))

    done = uploads.store(upload)

    payments = uploads.payments()
    assert [(p["payment_number"], p["amount_minor"], p.get("reference")) for p in payments] == [
        ("PAY20260001", 1250, "A1"),
        ("PAY20260002", 100, None),
    ]
    assert {(p["created_by"], p["created_by_name"]) for p in payments} == {("0123456789abcdef", "Ana")}
    assert (done["status"], done["stored"], done["counts"]) == ("stored", 2, {"stored": 2, "refused": 1})
    assert [row[:2] for row in uploads.rows(done)] == [(2, "stored"), (3, "stored"), (4, "refused")]
    about = {"file": "november.csv", "kind": "payments", "rows": 3}
    assert uploads.events() == [
        ("import_finished", about | {"stored": 2, "refused": 1}),
        ("imported", about | {"to_store": 2}),
    ]


def test_what_is_alike_is_stored_only_where_that_was_confirmed(uploads: Uploads) -> None:
    uploads.client.pay("7.00", payer="Ada", paid_on="2026-05-02")
    rows = ("7.00,EUR,Ada,card,2026-05-02,", "8.00,EUR,Ada,card,2026-05-02,", "8.00,EUR,Ada,card,2026-05-02,")

    without = uploads.store(uploads.check(csv_of(*rows)))
    confirmed = uploads.store(uploads.check(csv_of(*rows, "")), alike_too=True)  # another file: one byte more

    assert (without["counts"], confirmed["counts"]) == ({"stored": 1, "alike": 2}, {"stored": 3})
    assert sorted(p["amount_minor"] for p in uploads.payments()) == [700, 700, 800, 800, 800]


def test_the_same_file_again_leads_to_its_first_import(uploads: Uploads) -> None:
    first = uploads.store(uploads.check(new_rows(3)))

    again = uploads.receive(new_rows(3), name="another name.csv")

    assert (again.is_known, again.upload["_id"], again.upload["status"]) == (True, first["_id"], "stored")
    assert uploads.receive(new_rows(3), kind="customers").is_known is False
    assert Uploads(uploads.client, tenant="other").receive(new_rows(3)).is_known is False
    assert len(uploads.payments()) == 3
    assert uploads.client.db.import_chunks.count_documents({"files_id": first["chunks_of"]}) == 1
    assert uploads.client.db.import_chunks.count_documents({}) == 3


def test_a_file_that_was_not_stored_yet_is_checked_as_things_are_now(uploads: Uploads) -> None:
    first = uploads.check(new_rows(2))
    uploads.client.pay("1.50", payer="payer 1", paid_on="2026-05-01")

    again = uploads.ended(uploads.receive(new_rows(2)).upload)

    assert (first["_id"], first["counts"]) == (again["_id"], {"new": 2})
    assert again["counts"] == {"new": 1, "alike": 1}
    assert uploads.client.db.import_rows.count_documents({}) == 2


def test_what_changed_between_check_and_store_is_judged_again(uploads: Uploads) -> None:
    codes = [uploads.client.post("/customers", json={"customer_name": name}).json["customer_code"] for name in "ab"]
    head = HEAD.strip() + ",customer_code\n"
    upload = uploads.check(csv_of(*(f"1,EUR,P,card,2026-05-0{n},,{code}" for n, code in enumerate(codes, 1)),
                                  "5,EUR,P,card,2026-05-01,,", head=head))  # fmt: skip
    assert uploads.client.post(f"/customers/{codes[1]}/deactivate", json={"reason": "left"}).status_code == 200
    uploads.client.pay("5.00", payer="p", paid_on="2026-05-01")

    done = uploads.store(upload)

    assert upload["counts"] == {"new": 3}
    assert [row[1] for row in uploads.rows(done)] == ["stored", "refused", "alike"]
    assert f'customer_code "{codes[1]}": ' in uploads.rows(done)[1][2]
    assert (done["status"], done["stored"]) == ("stored", 1)


def test_a_customer_deactivated_at_the_last_moment_takes_its_rows_out(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = uploads.client.post("/customers", json={"customer_name": "a"}).json["customer_code"]
    upload = uploads.check(
        csv_of(
            f"1,EUR,P,card,2026-05-01,{code}",
            "2,EUR,P,card,2026-05-01,",
            head=HEAD.replace("reference", "customer_code"),
        )
    )
    record = storing.record_payments

    def just_before(*args: Any, **options: Any) -> Any:
        uploads.client.post(f"/customers/{code}/deactivate", json={"reason": "left"})
        return record(*args, **options)

    monkeypatch.setattr(storing, "record_payments", just_before)
    done = uploads.store(upload)

    assert [row[1] for row in uploads.rows(done)] == ["refused", "stored"]
    assert [p["amount_minor"] for p in uploads.payments()] == [200]


def test_rows_with_a_number_are_taken_over_and_the_others_get_the_next(uploads: Uploads) -> None:
    rows = (
        "PAY20260001,1.00,EUR,A,card,2026-05-01",
        "PAY20260004,2.00,EUR,A,card,2026-05-01",
        ",3.00,EUR,A,card,2026-05-01",
        "PAY20260006,4.00,EUR,A,card,2026-05-01",
        "PAY20260006,5.00,EUR,A,card,2026-05-01",
        "INV/17,5.00,EUR,A,card,2026-05-01",
    )
    upload = uploads.check(csv_of(*rows, head=HEAD_NUMBERED))
    done = uploads.store(upload)

    assert upload["counts"] == {"taken_over": 2, "new": 1, "twice": 2, "refused": 1}
    assert [(one["last"], one["holes"]) for one in upload["series"]] == [("PAY20260006", 3)]
    assert done["counts"] == {"stored": 3, "twice": 2, "refused": 1}
    assert [p["payment_number"] for p in uploads.payments()] == ["PAY20260001", "PAY20260004", "PAY20260007"]
    assert uploads.client.db.number_gaps.count_documents({"reason": "issued_by_older_system"}) == 4
    assert uploads.client.db.maintenance_leases.count_documents({}) == 0


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_an_export_that_was_changed_is_understood(uploads: Uploads, suffix: str, language: str) -> None:
    for amount in ("7.00", "8.25"):
        uploads.client.pay(amount, payer="Ada", paid_on="2026-05-02", reference="0012")
    options = "&delimiter=%3B&decimal=," if suffix == "csv" else ""
    data = uploads.client.get(f"/payments/export.{suffix}?language={language}{options}").data
    if suffix == "csv":
        first, second, third = data.decode("utf-8-sig").splitlines()
        data = "\n".join([first, second, third.replace("Ada", "Eve")]).encode()
    else:
        data = _with_payer(data, "Eve")

    upload = uploads.check(data, name=f"payments.{suffix}")

    assert upload["status"] == "checked", upload.get("failure")
    assert upload["counts"] == {"unchanged": 1, "differs": 1}, uploads.rows(upload)
    [differs] = [said for _line, verdict, said in uploads.rows(upload) if verdict == "differs"]
    assert "is another here (payer), and stays as it is." in differs
    assert {one.get("meant") for one in upload["not_read"]} == {None}


def _with_payer(data: bytes, payer: str) -> bytes:

    book = load_workbook(io.BytesIO(data))
    sheet = book.worksheets[1]
    column = next(cell.column for cell in sheet[1] if cell.value in ("Payer", "Payeur"))
    sheet.cell(row=3, column=column).value = payer
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def test_a_list_of_a_bank_is_read_as_people_write_it(uploads: Uploads) -> None:
    head = "Montant;Devise;Payeur;Mode;Payé le;Référence;Commentaire\n"
    rows = (
        "1 250,50;EUR;Zoë;card;2026-05-01;0012;x",
        "1.250,50;EUR;Zoë;card;2026-05-01;;",
        "1,250;EUR;Z;card;2026-05-01;;",
    )
    upload = uploads.check(csv_of(*rows, head=head))

    assert [verdict for _line, verdict, _said in uploads.rows(upload)] == ["new", "refused", "refused"]
    assert upload["totals"][0]["amount"] == "1250.50"
    assert upload["not_read"] == [{"name": "commentaire"}]


def test_a_workbook_has_real_days_and_numbers(uploads: Uploads) -> None:
    head = ["amount", "currency", "payer", "method", "paid_on", "reference"]
    upload = uploads.check(
        xlsx_of(
            head, [12.5, "EUR", "Zoë", "card", date(2026, 5, 1), "0012"], [1, "EUR", "Z", "card", date(2026, 5, 1), 12]
        ),
        name="bank.xlsx",
    )

    assert [(verdict, said[:24]) for _line, verdict, said in uploads.rows(upload)] == [
        ("new", ""),
        ("refused", "reference is a number, w"),
    ]
    assert uploads.store(upload)["stored"] == 1
    assert (uploads.payments()[0]["paid_on"], uploads.payments()[0]["reference"]) == ("2026-05-01", "0012")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"amnt,currency,payer,method\n1,EUR,A,card\n", "amount is missing (is it 'amnt'?)."),
        (b"a,b\n1,2\n", "amount is missing. currency is missing."),
        (b"amount,Montant,currency,payer,method\n", "The columns 'amount' and 'montant' are the same"),
        (b"\x00\x01\x02", "november.csv holds NUL characters"),
        (b"%PDF-1.7\n%\xe2\xe3\n", "november.csv is not in UTF-8 (line 2)"),
        (b"<html><body>", "november.csv is a web page or XML"),
        (b"PK\x03\x04" + bytes(500), "november.csv is damaged"),
    ],
)
def test_a_file_that_can_not_be_used_is_refused_in_one_sentence(uploads: Uploads, data: bytes, said: str) -> None:
    upload = uploads.check(data)

    assert upload["status"] == "refused"
    assert said in upload["failure"]
    assert "/tmp" not in upload["failure"]
    with pytest.raises(service.ImportChanged):
        uploads.press(upload)


def test_more_than_a_page_takes_is_told_the_command(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finance.imports.reading.LIMITS", Limits(rows=2))

    upload = uploads.check(new_rows(3), name="big file.csv")

    assert "has more than 2 rows" in upload["failure"]
    assert "scripts/import_payments.py 'big file.csv' --tenant acme --apply" in upload["failure"]
    monkeypatch.setattr(receiving, "FILE_BYTES_MAX", 100)
    with pytest.raises(receiving.FileTooLarge, match=r"import_payments\.py november\.csv --tenant acme --apply"):
        uploads.receive(new_rows(4))
    assert uploads.client.db.import_chunks.count_documents({}) == 1


def test_storing_goes_in_steps_and_can_be_stopped_and_gone_on_with(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "STEP_ROWS", 10)
    upload = uploads.check(new_rows(25))
    monkeypatch.setattr(storing, "_require_going_on", stop_after_a_step)

    stopped = uploads.store(upload)
    monkeypatch.undo()
    monkeypatch.setattr(storing, "STEP_ROWS", 10)

    assert (stopped["status"], stopped["stored"], stopped["to_store"]) == ("stopped", 10, 25)
    assert len(uploads.payments()) == 10
    with pytest.raises(service.ImportChanged):
        service.throw_away(uploads.client.db, uploads.asked(), import_id=upload["_id"])
    done = uploads.go_on(stopped)
    assert (done["status"], done["stored"], done["parts"]) == ("stored", 25, 3)
    assert [p["reference"] for p in uploads.payments()] == [f"R{number:05}" for number in range(1, 26)]


def stop_after_a_step(life: Any) -> None:
    raise storing.Stopped


def test_a_step_that_broke_off_is_completed_and_never_doubled(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "PART_SIZE", 4)
    upload = uploads.check(new_rows(10))
    note = storing._note_stored

    def broken(*args: Any) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(storing, "_note_stored", broken)
    stopped = uploads.store(upload)
    monkeypatch.setattr(storing, "_note_stored", note)
    uploads.client.pay("1.50", payer="Payer 1", paid_on="2026-05-01")  # nobody judges again what was decided

    done = uploads.go_on(stopped)

    assert (stopped["status"], stopped["stored"]) == ("stopped", 0)
    assert (done["status"], done["stored"]) == ("stored", 10)
    assert len(uploads.payments()) == 11


def test_what_was_taken_for_dead_and_wakes_up_changes_nothing(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker freezes between reading a step's rows and judging them; another stores them all meanwhile."""
    other = Uploads(Client(uploads.client.db))
    upload = uploads.check(new_rows(5))
    refused = storing._judged_again

    def frozen(life: Any, rows: Any) -> int:
        monkeypatch.setattr(storing, "_judged_again", refused)
        long_ago = upload["created_at"] - timedelta(days=1)
        uploads.client.db.imports.update_one({}, {"$set": {"alive_at": long_ago}})
        assert other.ended(upload)["status"] == "stored"
        storing._set_verdicts(life, [{"line": row["line"], "verdict": "refused", "problems": ["late"]} for row in rows])
        return len(rows)

    monkeypatch.setattr(storing, "_judged_again", frozen)
    done = uploads.store(upload)

    assert [row[1] for row in uploads.rows(done)] == ["stored"] * 5
    assert (done["stored"], len(uploads.payments())) == (5, 5)


def test_two_presses_of_the_button_are_one(uploads: Uploads) -> None:
    upload = uploads.check(new_rows(3))

    pressed = [uploads.press(upload) for _each in range(2)]
    done = uploads.ended(upload)
    after = uploads.press(upload)

    assert [one["status"] for one in (*pressed, done, after)] == ["to_store", "to_store", "stored", "stored"]
    assert len(uploads.payments()) == 3
    assert len(uploads.events()) == 2


def test_a_file_that_is_thrown_away_leaves_nothing(uploads: Uploads) -> None:
    upload = uploads.check(new_rows(3))

    service.throw_away(uploads.client.db, uploads.asked(), import_id=upload["_id"])

    for collection in ("imports", "import_chunks", "import_rows"):
        assert uploads.client.db[collection].count_documents({}) == 0
    with pytest.raises(service.ImportNotFound):
        uploads.find(upload)


def test_another_tenants_import_is_not_there(uploads: Uploads) -> None:
    upload = uploads.check(new_rows(1))
    other = Uploads(uploads.client, tenant="other")

    for act in (
        other.find,
        other.press,
        lambda one: service.throw_away(other.client.db, other.asked(), import_id=one["_id"]),
    ):
        with pytest.raises(service.ImportNotFound):
            act(upload)


def test_everything_of_an_upload_has_an_end(uploads: Uploads) -> None:
    upload = uploads.check(new_rows(2))
    db = uploads.client.db

    ends = {name: db[name].distinct("expires_at") for name in ("imports", "import_chunks", "import_rows")}

    assert {name: len(found) for name, found in ends.items()} == dict.fromkeys(ends, 1)
    assert ends["import_rows"][0] - upload["created_at"] == KEPT
    assert ends["imports"] == ends["import_chunks"]


def test_a_file_about_to_be_removed_is_not_begun(client: Client) -> None:
    uploads = Uploads(client)
    upload = uploads.check(new_rows(1))
    client.db.imports.update_one({}, {"$set": {"expires_at": upload["created_at"] + timedelta(minutes=5)}})

    with pytest.raises(service.ImportEnding):
        uploads.press(upload)
