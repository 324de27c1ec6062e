"""Work grows with the size of what is sent, and no faster: each hostile shape is judged at a size and at 8 times it.

Eight times the size takes eight times as long where work is linear, 64 times where it is quadratic; what no longer fits
into the processor's caches takes up to twice as long again. What is compared is the processor's time of this process,
the best of several, so it is the shape that is tested and not the machine.
"""

import time
from collections.abc import Callable

import marshmallow
import pytest

from finance.app import create_app
from finance.config import Config
from finance.customers.schemas import CustomerFormSchema
from finance.edge import arguments
from finance.edge.bodies import parse_json
from finance.errors import FinanceError
from finance.invoices.schemas import NewInvoiceSchema
from finance.payments.schemas import AllocatedPaymentSchema, PaymentListSchema

TIMES = 8
RATIO_MAX = 3.0 * TIMES
ATTEMPTS_MAX = 3  # what is quadratic is so each time; what shares its caches with much else is slow only at times
ROUNDS = 5
SECONDS_MIN = 0.001  # of the smaller size, below which a clock says nothing
LARGEST = 1024 * 1024

# How a shape of about `size` bytes is written.
SHAPES: dict[str, Callable[[int], bytes]] = {
    "a text without end below 33 levels": lambda size: b"[" * 33 + b'"' + b'\\"' * (size // 2),
    "a text with an end below 33 levels": lambda size: b"[" * 33 + b'"' + b'\\"' * (size // 2) + b'"' + b"]" * 33,
    "many texts without end": lambda size: b"[" * 33 + b'"\\' * (size // 2),
    "members, the last one repeated": lambda size: _members(size)[:-1] + b',"m0":1}',
    "members, every one repeated": lambda size: b"{" + b'"a":1,' * (size // 6) + b'"a":1}',
    "unknown members": lambda size: _members(size),
    "names of one long text": lambda size: b'{"' + b"n" * (size // 2) + b'":[' + b"[]," * (size // 6) + b"[]]}",
    "lists": lambda size: b"[" + b"[]," * (size // 3) + b"[]]",
    "lists of 31 levels": lambda size: b"[" + b",".join([b"[" * 30 + b"]" * 30] * (size // 61)) + b"]",
    "brackets that only open": lambda size: b"[" * size,
    "objects": lambda size: b"[" + b"{}," * (size // 3) + b"{}]",
    "empty lines": lambda size: b"\n" * size,
    "spaces before nonsense": lambda size: b" " * size + b"x",
    "one long text": lambda size: b'{"payer":"' + b"a" * size + b'"}',
    "escaped text": lambda size: b'{"payer":"' + b"\\u00e9" * (size // 6) + b'"}',
    "escaped halves": lambda size: b'{"payer":"' + b"\\ud800" * (size // 6) + b'"}',
    "text that isn't ASCII": lambda size: b'{"payer":"\\u00e9' + "é".encode() * (size // 2) + b'"}',
    "a number with many decimals": lambda size: b'{"amount":1.' + b"1" * size + b"}",
    "a number with many digits": lambda size: b'{"amount":' + b"1" * size + b"}",
    "numbers of 4,300 digits": lambda size: b'{"lines":[' + b",".join([b"1" * 4_300] * (size // 4_301)) + b"]}",
    "numbers with exponents": lambda size: b'{"lines":[' + b",".join([b"1e99999"] * (size // 8)) + b"]}",
    "exponents that no number has": lambda size: b'{"lines":[' + b",".join([b"1e" + b"9" * 30] * (size // 33)) + b"]}",
    "an amount of many digits": lambda size: b'{"currency":"EUR","amount":"' + b"1" * size + b'"}',
    "an amount of many zeros": lambda size: b'{"currency":"EUR","amount":"' + b"0" * size + b'"}',
    "empty lines of an invoice": lambda size: b'{"lines":[' + b",".join([b"{}"] * (size // 3)) + b"]}",
    "wrong lines of an invoice": lambda size: b'{"lines":[' + b",".join([b"1"] * (size // 2)) + b"]}",
    "long lines of an invoice": lambda size: b'{"lines":[' + b",".join([_line(size // 500)] * 500) + b"]}",
    "empty allocations": lambda size: b'{"allocations":[' + b",".join([b"{}"] * (size // 3)) + b"]}",
    "metadata": lambda size: b'{"metadata":' + _members(size) + b"}",
    "20 long texts of metadata": lambda size: b'{"metadata":' + _long_members(20, size // 20) + b"}",
    "a long e-mail address": lambda size: b'{"email_address":"' + b"a." * (size // 2) + b'@a"}',
    "a long phone number": lambda size: b'{"contact_number":"' + b"1 " * (size // 2) + b'"}',
    "a long tax number": lambda size: b'{"pan_number":"' + b"A" * size + b'"}',
    "a day of many digits": lambda size: b'{"paid_on":"' + b"2" * size + b'"}',
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_body_is_judged_in_linear_time(shape: Callable[[int], bytes]) -> None:
    schemas = [AllocatedPaymentSchema(), NewInvoiceSchema(), CustomerFormSchema()]

    def judge(raw: bytes) -> None:
        try:
            body = parse_json(raw)
        except FinanceError:
            return
        for schema in schemas:
            _refuse(schema, body, "json")

    assert _growth(judge, shape) < RATIO_MAX


@pytest.mark.parametrize(
    "query",
    [
        lambda size: "&".join(f"p{n}=1" for n in range(size // 8)),
        lambda size: "limit=1&" * (size // 8),
        lambda size: "&" * size,
        lambda size: "payer=" + "%E9" * (size // 3),
        lambda size: "cursor=" + "a." * (size // 2),
        lambda size: "min_amount=" + "1" * size + "&currency=EUR",
        lambda size: "paid_from=" + "2" * size,
    ],
    ids=["unknown", "repeated", "nothing", "escapes", "a cursor", "an amount", "a day"],
)
def test_a_query_is_judged_in_linear_time(query: Callable[[int], str]) -> None:
    """Far longer ones than the server takes: a request's first line has at most 4,094 bytes."""
    app, schema = create_app(Config()), PaymentListSchema()

    def judge(raw: bytes) -> None:
        with app.test_request_context(f"/api/v1/payments?{raw.decode()}"):
            try:
                loaded = arguments.read_query()
            except FinanceError:
                return
            _refuse(schema, loaded, "query")

    assert _growth(judge, lambda size: query(size // 4).encode()) < RATIO_MAX


def _refuse(schema: marshmallow.Schema, body: object, location: str) -> None:
    """Load a body as the parser does, with the errors as they would be answered."""
    try:
        schema.load(body, unknown=marshmallow.RAISE)
    except marshmallow.ValidationError as error:
        with pytest.raises(FinanceError):
            arguments.refuse(error, schema, location=location)


def _growth(judge: Callable[[bytes], None], shape: Callable[[int], bytes]) -> float:
    """Return how many times as long it takes at TIMES the size."""
    large_size = LARGEST * 3 // 4  # some shapes come out larger than they were asked to be
    small, large = shape(large_size // TIMES), shape(large_size)
    for _attempt in range(ATTEMPTS_MAX):
        ratio = _processor_s(judge, large) / max(_processor_s(judge, small), SECONDS_MIN)
        if ratio < RATIO_MAX:
            break
    return ratio


def _processor_s(judge: Callable[[bytes], None], raw: bytes) -> float:
    taken = []
    for _round in range(ROUNDS):
        began = time.process_time()
        judge(raw)
        taken.append(time.process_time() - began)
        if taken[-1] > 1:  # the ratio will say what it means
            break
    return min(taken)


def _members(size: int) -> bytes:
    return b"{" + b",".join(b'"m%d":1' % number for number in range(size // 10)) + b"}"


def _long_members(count: int, length: int) -> bytes:
    return b"{" + b",".join(b'"m%d":"%s"' % (number, b"a" * length) for number in range(count)) + b"}"


def _line(length: int) -> bytes:
    return b'{"description":"' + b"a" * (length // 2) + b'","unit_price":"' + b"1" * (length // 2) + b'"}'
