"""The table of bad requests, continued: bodies that can't be read, and bodies whose values can't be taken."""

from collections.abc import Iterator

from tests.edge.bad_requests import MIB, PAYMENT, BadRequest, members, post

INVOICE = {"shop": '"dkr1"', "customer_name": '"Ada"', "lines": '[{"description": "Work", "unit_price": "1.00"}]'}
CUSTOMER = {"customer_name": '"Ada"'}
SHOP = {"name": '"Dakar"', "timezone": '"Africa/Dakar"', "currency": '"XOF"'}
KEY = {"role": '"client"'}


MANY_WRONG_LINES = "[" + ",".join(["{}"] * 500) + "]"


def rows() -> Iterator[BadRequest]:
    yield from _json()
    yield from _sizes()
    yield from _fields()


def _json() -> Iterator[BadRequest]:
    for name, body in (
        ("nothing but a space", b" "),
        ("half an object", b'{"amount": "1.00"'),
        ("half a text", b'{"amount": "1.00'),
        ("half an escape", b'{"amount": "\\'),
        ("half a code point", b'{"amount": "\\u12'),
        ("single quotes", b"{'amount': 1}"),
        ("a comma too many", b'{"amount": 1,}'),
        ("a comment", b'{"amount": 1} // one'),
        ("two objects", b"{} {}"),
        ("a name without quotes", b"{amount: 1}"),
        ("NaN", b'{"amount": NaN}'),
        ("Infinity", b'{"amount": Infinity}'),
        ("-Infinity", b'{"amount": -Infinity}'),
        ("a number that begins with 0", b'{"amount": 01}'),
        ("a number that begins with +", b'{"amount": +1}'),
        ("a number that begins with a point", b'{"amount": .5}'),
        ("a number that ends with a point", b'{"amount": 5.}'),
        ("a hexadecimal number", b'{"amount": 0x10}'),
        ("True", b'{"amount": True}'),
        ("an integer of 5,000 digits", b'{"amount": ' + b"9" * 5_000 + b"}"),
        ("a member twice", b'{"amount": 1, "amount": 2}'),
        ("a member twice inside", b'{"metadata": {"a": "1", "a": "2"}}'),
        ("a member twice, once escaped", b'{"a": 1, "\\u0061": 2}'),
        ("20,000 members, the last one repeated", _many_members(20_000)[:-1] + b', "m19999": 1}'),
        ("33 levels of lists", b"[" * 33 + b"]" * 33),
        ("33 levels of objects", b'{"a":' * 33 + b"1" + b"}" * 33),
        ("900 levels", b"[" * 900 + b"]" * 900),
        ("100,000 levels", b"[" * 100_000 + b"]" * 100_000),
        ("1 MiB of [", b"[" * MIB),
        ("33 levels and a text without end", b"[" * 33 + b'"' + b'\\"' * 24_000),
        ("1 MiB of escapes", b'["' + b'\\"' * (MIB // 2 - 1)),
        ("1 MiB of spaces", b" " * MIB),
        ("1 MiB of empty lines", b"\n" * MIB),
        ("half a surrogate pair", b'{"payer": "\\ud800"}'),
        ("the other half", b'{"payer": "\\udc00"}'),
        ("halves in the wrong order", b'{"payer": "\\udc00\\ud800"}'),
        ("half a pair in a name", b'{"\\ud800": 1}'),
        ("a NUL", b'{"payer": "a\\u0000b"}'),
        ("a NUL in a name", b'{"a\\u0000": 1}'),
        ("a NUL as a byte", b'{"payer": "a\x00b"}'),
        ("a tab as a byte", b'{"payer": "a\tb"}'),
        ("an escape that nobody knows", b'{"payer": "\\x41"}'),
        ("Latin-1", '{"payer": "é"}'.encode("latin-1")),
        ("UTF-16", '{"payer": "é"}'.encode("utf-16")),
        ("UTF-16 without a mark", '{"payer": "é"}'.encode("utf-16-le")),
        ("UTF-32", '{"payer": "é"}'.encode("utf-32-be")),
        ("a byte order mark", b"\xef\xbb\xbf{}"),
        ("a surrogate in UTF-8", b'{"payer": "\xed\xa0\x80"}'),
        ("an overlong slash", b'{"payer": "\xc0\xaf"}'),
    ):
        yield BadRequest(name, post("/payments", body), 400, "not_parseable")
    for name, body in (
        ("a list for an object", b"[]"),
        ("a text for an object", b'"text"'),
        ("a number for an object", b"5"),
        ("null for an object", b"null"),
    ):
        yield BadRequest(name, post("/payments", body), 422, "invalid", at="")


def _sizes() -> Iterator[BadRequest]:
    yield BadRequest("20,000 unknown members", post("/payments", _many_members(20_000)), 422, "invalid", at="")
    inside = members(PAYMENT, metadata=_many_members(20_000).decode())
    yield BadRequest("20,000 members inside", post("/payments", inside), 422, "invalid", at="/metadata")
    second = members(INVOICE, lines=f'[{{"a": 1}}, {_many_members(101).decode()}]')
    yield BadRequest("101 members of a line", post("/invoices", second), 422, "invalid", at="/lines/1")
    for name, path, base, member, item, count in (
        ("300,000 empty lines", "/invoices", INVOICE, "lines", "{}", 300_000),
        ("501 lines", "/invoices", INVOICE, "lines", '{"description": "Work", "unit_price": "1"}', 501),
        ("no lines", "/invoices", INVOICE, "lines", "", 1),
        ("300,000 empty allocations", "/payments", PAYMENT, "allocations", "{}", 300_000),
        ("101 allocations", "/payments", PAYMENT, "allocations", '{"invoice_number": "F", "amount": "1"}', 101),
        ("300,000 empty accounts", "/customers", CUSTOMER, "banking", "{}", 300_000),
        ("300,000 empty GST details", "/customers", CUSTOMER, "gst_details", "{}", 300_000),
        ("300,000 empty products", "/customers", CUSTOMER, "products_services", "{}", 300_000),
    ):
        items = "[" + ",".join([item] * count) + "]"
        yield BadRequest(name, post(path, members(base, **{member: items})), 422, "invalid", at=f"/{member}")
    yield BadRequest("500 wrong lines", post("/invoices", members(INVOICE, lines=MANY_WRONG_LINES)), 422, "invalid")


def _fields() -> Iterator[BadRequest]:
    for path, base, member, values in (
        (
            *("/payments", PAYMENT, "amount"),
            (
                *("1e9999999999999999999999", "1e-9999999999999999999999", "-1e9999999999999999999999", "1e400", "1e2"),
                *(
                    "0",
                    "0.0",
                    "-0",
                    "-5",
                    "1.005",
                    "12345678901234",
                    "1" + "0" * 400,
                    "1." + "0" * 5_000,
                    "null",
                    "true",
                ),
                *(
                    "[]",
                    "{}",
                    '""',
                    '"-5"',
                    '"+5"',
                    '"1,50"',
                    '"1 000"',
                    '"1_000"',
                    '"1e2"',
                    '"0x10"',
                    '"NaN"',
                    '"١٢٣"',
                ),
                *('"1.00\\n"', '" 1.00"', '"1."', '".5"'),
            ),
        ),
        ("/payments", PAYMENT, "currency", ("null", '"eur"', '"XXX"', '"EURO"', "978", '"EUR\\n"', "[]")),
        ("/payments", PAYMENT, "payer", ("null", '""', '"   "', "5", f'"{"a" * 201}"', '"a\\nb"', '"a\\u007fb"', "{}")),
        ("/payments", PAYMENT, "method", ("null", '"CARD"', '"card,cash"', "1", "[]", '["card"]')),
        ("/payments", PAYMENT, "direction", ("null", '"in"', "true")),
        (
            "/payments",
            PAYMENT,
            "paid_on",
            ('"2026-02-30"', '"2026-2-3"', '"20260203"', '"0001-01-01"', '"9999-12-31"', "20260203"),
        ),
        ("/payments", PAYMENT, "customer_code", ('"CUST-999999"', '"a b"', "7", '""')),
        ("/payments", PAYMENT, "reference", (f'"{"a" * 101}"', "5")),
        ("/payments", PAYMENT, "metadata", ("[]", '"a"', "5")),
        ("/payments", PAYMENT, "payr", ('"Ada"',)),
        ("/payments", PAYMENT, "payment_number", ('"PAY20260001"',)),
        ("/payments", PAYMENT, "$where", ('"1"',)),
        ("/payments", PAYMENT, "allocations", ("{}", '"all"', "5")),
        ("/invoices", INVOICE, "lines", ("null", "{}", '"all"', "5")),
        ("/invoices", INVOICE, "issued_on", ('"yesterday"', "0")),
        ("/invoices", INVOICE, "total", ('"1e2"', "1e9999999999999999999999", "-1")),
        ("/customers", CUSTOMER, "banking", ("{}", '"all"')),
        ("/customers", CUSTOMER, "tds", ("[]", '"yes"')),
        ("/customers", CUSTOMER, "email_address", ('"nobody"', '"a@b"', f'"{"a" * 5_000}@example.com"')),
        ("/keys", KEY, "role", ("null", '"root"', "5", "[]")),
    ):
        for value in values:
            pointer = f"/{member}"
            yield BadRequest(
                f"{path} {member} {value[:30]}",
                post(path, members(base, **{member: value})),
                422,
                "invalid",
                at=pointer,
            )
    for name, path, body, pointer in (
        ("metadata that is not text", "/payments", members(PAYMENT, metadata='{"a": 1}'), "/metadata/a"),
        ("metadata with a $", "/payments", members(PAYMENT, metadata='{"$a": "1"}'), "/metadata/$a"),
        ("a line that is no object", "/invoices", members(INVOICE, lines="[5]"), "/lines/0"),
        ("a line with an exponent", "/invoices", _line(unit_price="1e9999999999999999999999"), "/lines/0/unit_price"),
        ("a line with a long number", "/invoices", _line(quantity="1." + "1" * 5_000), "/lines/0/quantity"),
        ("a line of nothing", "/invoices", _line(quantity="0"), "/lines/0/quantity"),
        ("a line with much tax", "/invoices", _line(tax_rate="101"), "/lines/0/tax_rate"),
        ("a line with a large discount", "/invoices", _line(discount='"101%"'), "/lines/0/discount"),
        (
            *("a rate with an exponent", "/customers"),
            *(members(CUSTOMER, tds='{"applicable": true, "rate": 1e9999999999999999999999}'), "/tds/rate"),
        ),
        (
            *("days with a point", "/customers"),
            *(
                members(CUSTOMER, terms_conditions='{"payment_terms_days": 1.5}'),
                "/terms_conditions/payment_terms_days",
            ),
        ),
        ("a void without a reason", "/payments/<payment>/void", "{}", "/reason"),
        ("a cancel without a reason", "/invoices/<invoice>/cancel", "{}", "/reason"),
        ("a customer ended without a reason", "/customers/<customer>/deactivate", "{}", "/reason"),
    ):
        yield BadRequest(name, post(path, body), 422, "invalid", at=pointer)
    for member, value in (
        *(("timezone", '"Mars/Olympus"'), ("timezone", '"../../etc/passwd"'), ("currency", '"CFA"')),
        *(("max_length", "1e9999999999999999999999"), ("max_length", "1.0"), ("reset", '"weekly"'), ("name", "null")),
    ):
        sent = post("/shops/dkr2", members(SHOP, **{member: value}), method="PUT")
        yield BadRequest(f"/shops {member} {value}", sent, 422, "invalid", at=f"/{member}")
    sent = post("/payments/<payment>", '{"amount": "2.00"}', method="PATCH")
    yield BadRequest("an amount that would change", sent, 422, "invalid", at="/amount")


def _many_members(count: int) -> bytes:
    return ("{" + ", ".join(f'"m{n}": 1' for n in range(count)) + "}").encode()


def _line(**changes: str) -> str:
    line = members({"description": '"Work"', "unit_price": '"1.00"'}, **changes)
    return members(INVOICE, lines=f"[{line}]")
