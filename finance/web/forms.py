"""Forms: what was typed stays as it was typed, the errors of the API stand at their fields, and each is sent once.

The field of the pointer /lines/0/tax_rate is called lines-0-tax_rate. A form carries the Idempotency-Key that was made
when it was opened, through errors and through a sign-in in between.
"""

import re
import uuid
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from typing import Any

from flask import g, request
from marshmallow import Schema, ValidationError

from finance.customers.masking import SEARCHABLE_BY_SECRET, is_masked
from finance.edge.arguments import refuse
from finance.edge.loading import Loader
from finance.edge.problems import status_of
from finance.errors import FinanceError, Invalid, Unavailable
from finance.invoices.tax_numbers import TAX_NUMBERS
from finance.once import IdempotencyKeyReused, OutcomeUnknown
from finance.web import sessions
from finance.web.formats import UnclearAmount, read_amount
from finance.web.languages import _, readers_text

KEY = "idempotency_key"
NOT_KEPT = "not_kept"  # in what is kept: the fields that were left out of it
OURS = frozenset(("csrf_token", KEY, "confirmed", "state", "do", NOT_KEPT))  # of the form itself
# Never carried through a sign-in: what is carried stands in a page and in the session as it was typed.
SECRET = frozenset((*SEARCHABLE_BY_SECRET, *TAX_NUMBERS))
KEPT = "form"  # in the session: what was typed before somebody had to sign in again
NESTING_MAX = 8  # a name that goes deeper is taken as it is from there on
GAP_MAX = 100  # of the items of a list that were left out
MONEY = frozenset(("amount", "unit_price", "credit_limit", "min_amount", "max_amount", "min_outstanding"))


_KEY = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)  # as the header Idempotency-Key may be


class Form:
    """The values of a form as they stand in its fields, and what is wrong with them."""

    def __init__(self, values: Mapping[str, str], *, key: str | None = None) -> None:
        self.values = dict(values)
        self.key = key if key and _KEY.fullmatch(key) else str(uuid.uuid4())
        self.errors: dict[str, list[str]] = {}  # by the name of the field; "" for the whole
        self.status = 200
        self.notice: str | None = None  # what stands above it, where nothing is wrong with a field
        self.reused = False  # this form was stored already, with other values
        self.stored: tuple[str, str] | None = None  # then the number and the address of what was stored
        self.duplicate_of: str | None = None  # the customer that this one may be

    @classmethod
    def opened(cls, values: Mapping[str, Any] | None = None) -> "Form":
        """Return a form as it is opened: as it was left where a sign-in came between, else with these values."""
        kept = sessions.own().unseal(KEPT)
        if kept and kept["path"] == request.path:  # else somebody went elsewhere instead
            return cls(kept["fields"], key=kept["fields"].get(KEY))._without_secrets()
        return cls({name: str(value) for name, value in (values or {}).items() if value is not None})

    @classmethod
    def sent(cls) -> "Form":
        """Return a form as it was sent."""
        values = request.form.to_dict()
        return cls({name: value.replace("\r\n", "\n") for name, value in values.items()}, key=values.get(KEY))

    def _without_secrets(self) -> "Form":
        """Say of each field that was left out when the form was kept that it has to be written again."""
        for name in filter(None, self.values.pop(NOT_KEPT, "").split(" ")):
            self.values.setdefault(name, "")
            self.errors[name] = [_("was not kept while you were signed out, because it is secret. Write it again.")]
        return self

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")

    def has(self, name: str) -> bool:
        """Return whether a field holds anything."""
        return bool(self.values.get(name, "").strip())

    @property
    def confirmed(self) -> bool:
        return "confirmed" in self.values

    @property
    def does(self) -> str:
        """What the button that was pressed does, where a form has several."""
        return self.values.get("do", "")

    def body(self, *, without: Collection[str] = (), money: Collection[str] = MONEY) -> dict[str, Any]:
        """Return what was typed as a body of the API: empty fields left out, amounts read as the reader writes them.

        Raises Invalid where an amount can be read in two ways.
        """
        unclear: dict[str, str] = {}
        body: dict[str, Any] = {}
        for name, typed in self.values.items():
            if name in OURS or name in without or not typed.strip():
                continue
            value = typed.strip()
            if name.rpartition("-")[2] in money:
                try:
                    value = read_amount(value)
                except UnclearAmount as error:
                    unclear[name] = str(error)
            _put(body, name.split("-", NESTING_MAX), value)
        if unclear:
            for name, why in unclear.items():
                self.errors.setdefault(name, []).append(why)
            raise AmountsUnclear
        return _lists_in(body)

    def refuse(self, failure: FinanceError) -> "Form":
        """Take over what is wrong, each at its field, in the reader's language."""
        self.status = _status_of(failure)
        if isinstance(failure, AmountsUnclear):
            return self
        if isinstance(failure, IdempotencyKeyReused):
            self.reused = True
            return self
        if isinstance(failure, OutcomeUnknown):
            self.notice = _(
                "The database did not answer in time, so it is not known whether this was stored. "
                "Send it again: this form is never stored twice."
            )
            return self
        for error in failure.errors:
            name = (error.pointer if error.pointer is not None else f"/{error.parameter}").strip("/").replace("/", "-")
            self.errors.setdefault(name, []).append(readers_text(error.detail))
        if not failure.errors:
            self.errors.setdefault("", []).append(readers_text(failure.detail))
        return self

    def error(self, name: str) -> str | None:
        """Return what is wrong with a field."""
        found = self.errors.get(name)
        g.setdefault("shown_errors", set()).add(name)
        return " ".join(found) if found else None

    def all_errors(self) -> list[tuple[str, str]]:
        """Return everything that is wrong: the name of the field, and what."""
        return [(name, error) for name, errors in self.errors.items() for error in errors]


def kept_of(fields: Mapping[str, str]) -> dict[str, str]:
    """Return what of a form may be kept while somebody signs in: no number that is secret, unless it is masked."""
    secret = [name for name, value in fields.items() if _is_secret(name) and value.strip() and not is_masked(value)]
    kept = {name: value for name, value in fields.items() if name not in secret}
    return kept | {NOT_KEPT: " ".join(secret)} if secret else kept


def _is_secret(name: str) -> bool:
    return name.rpartition("-")[2] in SECRET


class AmountsUnclear(Invalid):
    """An amount can be read in two ways; which one, the form says already."""


def load(schema: Schema, body: Mapping[str, Any]) -> Any:
    """Return what a schema of the API makes of a body; raises Invalid with pointers, as the API would."""
    try:
        return _loader(type(schema)).load(dict(body))
    except ValidationError as error:
        refuse(error, schema, location="json")


@cache
def _loader(schema: type[Schema]) -> Loader:
    return Loader(schema())


def _status_of(failure: FinanceError) -> int:
    return status_of(type(failure)) if isinstance(failure, Unavailable) else 422


def _put(body: dict[str, Any], names: Iterable[str], value: str) -> None:
    *above, last = names
    for name in above:
        inner = body.setdefault(name, {})
        if not isinstance(inner, dict):  # a field and fields below it: no form of ours has both
            return
        body = inner
    body[last] = value


def _lists_in(body: Any) -> Any:
    """Return a body in which what is called 0, 1, 2 is a list; what is left out in between is an empty one."""
    if not isinstance(body, dict):
        return body
    inner = {name: _lists_in(value) for name, value in body.items()}
    if inner and all(name.isascii() and name.isdigit() and len(name) <= 4 for name in inner):
        last = max(int(name) for name in inner)
        if last - len(inner) <= GAP_MAX:
            return [inner.get(str(place), {}) for place in range(last + 1)]
    return inner
