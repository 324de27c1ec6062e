"""A customer master of six Django tables, and the CSV file that the documented SELECT makes of it.

sqlite3 stands for MySQL here: the SELECT is run word by word, in the SQL that both have.
"""

import csv
import sqlite3
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.customers.forms import gstin

# As Django's migrations make them, but for the types that sqlite doesn't have.
SCHEMA = """
CREATE TABLE master_customer (id INTEGER PRIMARY KEY, code VARCHAR(40) UNIQUE, name VARCHAR(200) NOT NULL,
    category VARCHAR(60), pan_number VARCHAR(10), created_at DATETIME);
CREATE TABLE master_contact (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES master_customer (id),
    name VARCHAR(200), email VARCHAR(254), phone VARCHAR(30));
CREATE TABLE master_address (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES master_customer (id),
    gstin VARCHAR(15), state VARCHAR(60), registration_type VARCHAR(60), address TEXT);
CREATE TABLE master_bankaccount (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES master_customer (id),
    bank_name VARCHAR(200), account_number VARCHAR(34), ifsc VARCHAR(11), iban VARCHAR(34), branch VARCHAR(200),
    is_primary BOOL NOT NULL);
CREATE TABLE master_tds (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL UNIQUE, applicable BOOL NOT NULL,
    section VARCHAR(20), rate TEXT, tan_number VARCHAR(10));
CREATE TABLE master_terms (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL UNIQUE, payment_terms_days INTEGER,
    credit_limit TEXT, currency VARCHAR(3), notes TEXT);
"""
PAN = "AAPFU0939F"
ROWS: dict[str, list[dict[str, Any]]] = {
    "customer": [
        {"id": 7, "code": "CUST-301819", "name": 'Rao "Steel", Société', "category": "wholesale", "pan_number": PAN},
        {"id": 9, "code": "CUST-301820", "name": "Ada", "category": None, "pan_number": ""},
        {"id": 12, "code": "CUST-301821", "name": "Three accounts", "category": "", "pan_number": None},
    ],
    "contact": [
        {"id": 1, "customer_id": 7, "name": "Asha Rao", "email": "asha@example.com", "phone": "02224931234"},
        {"id": 2, "customer_id": 7, "name": "Dev Rao", "email": "dev@example.com", "phone": None},
    ],
    "address": [
        {"id": 4, "customer_id": 7, "gstin": gstin(PAN, "29"), "state": "Karnataka", "address": "2 Road\nBengaluru"},
        {"id": 3, "customer_id": 7, "gstin": gstin(PAN), "state": "Maharashtra", "registration_type": "regular"},
        {"id": 5, "customer_id": 7, "gstin": "", "state": "Goa", "address": "the warehouse"},
    ],
    "bankaccount": [
        {"id": 1, "customer_id": 7, "bank_name": "SBI", "account_number": "00012345678901", "ifsc": "SBIN0000691"},
        {"id": 8, "customer_id": 7, "iban": "GB82WEST12345698765432", "is_primary": 1},
        *({"id": place, "customer_id": 12, "account_number": f"00000{place}"} for place in (20, 21, 22)),
    ],
    "tds": [
        {"id": 1, "customer_id": 7, "applicable": 1, "section": "194C", "rate": "2.00", "tan_number": "PDES03028F"},
        {"id": 2, "customer_id": 9, "applicable": 0, "section": None, "rate": None, "tan_number": None},
    ],
    "terms": [
        {"id": 1, "customer_id": 7, "payment_terms_days": 30, "credit_limit": "50000.00", "currency": "INR"},
    ],
}
FLAGS = ("is_primary", "applicable")


def select() -> str:
    """Return the SELECT of the documentation."""
    return (ROOT / "docs" / "customers.md").read_text(encoding="utf-8").split("```sql\n")[1].split("```")[0]


def export(path: Path) -> Path:
    """Write the CSV file that the SELECT gives of the six tables."""
    tables = sqlite3.connect(":memory:")
    tables.executescript(SCHEMA)
    for model, rows in ROWS.items():
        for row in rows:
            held = {"is_primary": 0, **row} if model == "bankaccount" else row
            names = ", ".join(held)
            tables.execute(
                f"INSERT INTO master_{model} ({names}) VALUES ({', '.join('?' * len(held))})", [*held.values()]
            )
    result = tables.execute(select())
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([[name for name, *_ in result.description], *result])
    return path
