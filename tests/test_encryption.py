"""Fields that are encrypted: what may be searched, whose key it is, and how the master key is changed."""

import base64
import threading

import pytest

from finance.config import Config, ConfigError
from finance.database import Db
from finance.encryption import EncryptionKeyWrong, EncryptionNotConfigured, FieldCipher
from tests.clients import Client
from tests.customers.forms import full_form

OLD, NEW = b"old" * 32, b"new" * 32


def test_equal_texts_are_equal_where_they_are_searched_for_and_nowhere_else(db: Db) -> None:
    cipher = FieldCipher(db, master_keys=[OLD])

    searchable = [cipher.encrypt("AFZPK7190K", tenant="acme", searchable=True) for _ in range(2)]
    hidden = [cipher.encrypt("AFZPK7190K", tenant="acme", searchable=False) for _ in range(2)]
    another_tenants = cipher.encrypt("AFZPK7190K", tenant="other", searchable=True)

    assert searchable[0] == searchable[1]
    assert len({*hidden, searchable[0], another_tenants}) == 4
    assert {cipher.decrypt(text) for text in (*searchable, *hidden, another_tenants)} == {"AFZPK7190K"}


def test_processes_that_begin_together_end_with_one_data_key(db: Db) -> None:
    ciphertexts: set[bytes] = set()

    def encrypt() -> None:
        ciphertexts.add(FieldCipher(db, master_keys=[OLD]).encrypt("text", tenant="acme", searchable=True))

    threads = [threading.Thread(target=encrypt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(ciphertexts) == 1
    assert db.encryption_keys.count_documents({}) == 1


def test_the_master_key_is_changed_while_everything_goes_on(db: Db) -> None:
    client = Client(db, Config(encryption_keys=(OLD,)))
    form = full_form()
    client.post("/customers", json=form)
    stored = db.customers.find_one()

    both = Client(db, Config(encryption_keys=(NEW, OLD)))
    assert both.get("/customers/CUST-000001").json["pan_number"] == form["pan_number"]
    cipher = FieldCipher(db, master_keys=[NEW, OLD])
    assert (cipher.rewrap_data_keys(), cipher.rewrap_data_keys()) == (1, 0)

    new = Client(db, Config(encryption_keys=(NEW,)))
    assert {name: new.get("/customers/CUST-000001").json[name] for name in form} == form
    assert len(new.post("/customers/search", json={"pan_number": form["pan_number"]}).json["data"]) == 1
    assert db.customers.find_one() == stored  # no document had to be touched
    old = Client(db, Config(encryption_keys=(OLD,)))
    assert old.get("/customers/CUST-000001").status_code == 503


def test_a_wrong_key_is_named_and_writes_nothing(db: Db) -> None:
    Client(db, Config(encryption_keys=(OLD,))).post("/customers", json=full_form())
    wrong = Client(db, Config(encryption_keys=(NEW,)))

    read = wrong.get("/customers/CUST-000001")
    written = wrong.post("/customers", json=full_form())

    assert [(answer.status_code, answer.json["code"]) for answer in (read, written)] == [
        (503, "encryption_key_wrong")
    ] * 2
    assert db.customers.count_documents({}) == 1
    with pytest.raises(EncryptionKeyWrong):
        FieldCipher(db, master_keys=[NEW]).rewrap_data_keys()


def test_without_a_key_both_directions_are_refused(db: Db) -> None:
    ciphertext = FieldCipher(db, master_keys=[OLD]).encrypt("text", tenant="acme", searchable=True)
    cipher = FieldCipher(db, master_keys=[])

    with pytest.raises(EncryptionNotConfigured):
        cipher.encrypt("text", tenant="acme", searchable=True)
    with pytest.raises(EncryptionNotConfigured):
        cipher.decrypt(ciphertext)


def test_the_setting_holds_one_key_or_several() -> None:
    one, two = (base64.b64encode(key).decode() for key in (NEW, OLD))

    assert Config.from_env({"FINANCE_ENCRYPTION_KEY": f"{one}, {two}"}).encryption_keys == (NEW, OLD)
    assert Config.from_env({}).encryption_keys == ()
    assert one not in repr(Config.from_env({"FINANCE_ENCRYPTION_KEY": one}))
    assert repr(NEW) not in repr(Config.from_env({"FINANCE_ENCRYPTION_KEY": one}))


@pytest.mark.parametrize("value", ["secret", base64.b64encode(b"x" * 95).decode(), "=" * 128, "é"])
def test_a_key_that_is_none_stops_the_start_without_being_shown(value: str) -> None:
    with pytest.raises(ConfigError, match="FINANCE_ENCRYPTION_KEY must be base64 of 96 random bytes") as refused:
        Config.from_env({"FINANCE_ENCRYPTION_KEY": value})

    assert value not in str(refused.value)
