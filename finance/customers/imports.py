"""Customers from a table: the columns of the form, one customer a row, and a verdict for each.

A row is known again by its customer code, without one by its PAN, and without that by its name; so importing a file
twice changes nothing, and what an import that was killed has left is done by the next run. What a row doesn't name
stays as it is stored, field by field. A row is stored whole or not at all, in one write, so that two imports at once
hold nothing that the other would wait for.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from marshmallow import ValidationError

from finance.asked import Asked
from finance.contention import until_unchanged_meanwhile
from finance.customers import codes, merging, saving, store
from finance.customers.changes import CustomerBusy
from finance.customers.columns import REMOVE, SCHEMA, Column, Told, parse_cells
from finance.customers.forms import unmask
from finance.customers.likeness import PossibleDuplicateCustomer
from finance.customers.masking import is_masked
from finance.customers.model import Book, Customer, Form, form_of, identities_of
from finance.customers.seen import Seen
from finance.edge.hints import in_our_words
from finance.errors import Conflict, Invalid
from finance.said import said
from finance.tables.reading import Row

Verdict = Literal["created", "updated", "unchanged", "refused"]
IMPORTED_BY = "import"
_ALIKE_MAX = 10


@dataclass(frozen=True)
class RowVerdict:
    """What became of a row: `changed` names fields, `notes` what of the row has no place here."""

    line: int
    verdict: Verdict
    customer_code: str | None = None
    problems: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def import_rows(
    book: Book, asked: Asked, *, rows: Iterable[Row], columns: Mapping[str, Column], apply: bool, confirmed: bool
) -> Iterator[RowVerdict]:
    """Yield the verdict on each row, and store it where `apply`. A row is stored whole or not at all."""
    run = _Run(book, asked, apply, confirmed)
    for row in rows:
        try:
            yield _import_row(run, row, columns)
        except ValidationError as error:
            yield RowVerdict(row.line, "refused", problems=tuple(_problems(error.messages_dict)))
        except (Invalid, Conflict, CustomerBusy) as error:
            problems = [_problem(_dotted(e.pointer), e.detail) for e in error.errors] or [error.detail]
            yield RowVerdict(row.line, "refused", problems=tuple(problems))


@dataclass(frozen=True)
class _Run:
    book: Book
    asked: Asked
    apply: bool
    confirmed: bool
    seen: Seen = field(default_factory=Seen)


@dataclass(frozen=True)
class _Identity:
    """By what a row is known: `field` is customer_code, pan_number or customer_name."""

    field: str
    value: str

    @property
    def claim(self) -> str | None:
        """What keeps two imports at once from making two customers of one row; a code does so by itself."""
        return None if self.field == "customer_code" else f"import {self.value}"


def _import_row(run: _Run, row: Row, columns: Mapping[str, Column]) -> RowVerdict:
    if row.problem:
        raise Invalid(said("The row {problem}", problem=row.problem))
    told = parse_cells(row.cells, columns)
    identity = _identity_of(told)
    notes = tuple(merging.left_behind(told))

    def judge(stored: Customer | None) -> tuple[Form, list[str]]:
        before = form_of(stored)
        after, is_unchanged = merging.form_after(before, told)
        form = before if is_unchanged else unmask(form_of(after), before)
        _require_once(run, row.line, identity, stored, form)
        return form, merging.changed_fields(before, form)

    verdict, code, changed = (_store if run.apply else _look)(run, identity, judge)
    return RowVerdict(row.line, verdict, code, changed=tuple(changed) if verdict == "updated" else (), notes=notes)


Judge = Callable[[Customer | None], tuple[Form, list[str]]]
Outcome = tuple[Verdict, str | None, list[str]]


def _look(run: _Run, identity: _Identity, judge: Judge) -> Outcome:
    """Return what would become of a row; raises what would refuse it."""
    stored = _find_stored(run, identity)
    form, changed = judge(stored)
    code = _code_of(stored, identity)
    if stored is not None and not changed:
        return "unchanged", code, []
    saving.require_savable(run.book, tenant=run.asked.tenant, form=form, stored=stored, confirmed=run.confirmed)
    return ("updated" if stored else "created"), code, changed


def _store(run: _Run, identity: _Identity, judge: Judge) -> Outcome:
    """Store a row, and return what became of it. Where others change the customer meanwhile, it is judged again."""
    fresh: list[str] = []  # a code is taken from the series once, however often it is tried

    def store_now() -> Outcome | None:
        stored = _find_stored(run, identity)
        form, changed = judge(stored)
        if stored is not None and not changed:
            return "unchanged", stored["customer_code"], []
        try:
            saved = _save(run, identity, stored, form, fresh)
        except PossibleDuplicateCustomer:
            if stored is not None or identity.claim is None or _find_stored(run, identity) is None:
                raise
            return None  # it was made by another import since it was looked for
        return None if saved is None else (("updated" if stored else "created"), saved["customer_code"], changed)

    outcome: Outcome | None = None
    try:
        outcome = until_unchanged_meanwhile(store_now, busy=CustomerBusy)
        return outcome
    finally:
        if fresh and (outcome is None or outcome[1] != fresh[0]):
            codes.give_up_code(run.book.db, run.asked, fresh[0], reason="not_stored")


def _save(run: _Run, identity: _Identity, stored: Customer | None, form: Form, fresh: list[str]) -> Customer | None:
    """Store a form under its code, or a fresh one, which is put into `fresh`; None where others were faster."""
    book, asked, confirmed = run.book, run.asked, run.confirmed
    code = _code_of(stored, identity)
    if code is None:
        saving.require_savable(book, tenant=asked.tenant, form=form, stored=None, confirmed=confirmed)
        fresh[:] = fresh or [codes.reserve_code(book.db, tenant=asked.tenant)]
    new = saving.NewCustomer(code or fresh[0], identity.claim)
    return saving.save_as_known(book, asked, stored=stored, form=form, new=new, confirmed=confirmed)


def _identity_of(told: Told) -> _Identity:
    """Return by what a row is known; raises Invalid, or ValidationError where it has none that can be right."""
    values = {column.part: value for column, value in told.values.items() if column.field is None}
    if REMOVE in (values.get("customer_code"), values.get("customer_name")):
        raise Invalid(
            said("customer_code and customer_name can't be removed: {mark} is for the other fields.", mark=REMOVE)
        )
    for name in ("customer_code", "pan_number", "customer_name"):
        text = values.get(name)
        if text is None or text == REMOVE:
            continue
        try:
            known: str = SCHEMA.fields[name].deserialize(text)
        except ValidationError:
            merging.load(merging.merged({}, told))  # so that all that is wrong with the row is told at once
            raise
        if name == "pan_number" and is_masked(known):
            raise Invalid(said("pan_number is masked; write it in full, or name the customer_code."))
        return _Identity(name, known)
    raise Invalid(said("Needs a customer_name, or the customer_code or pan_number of a customer."))


def _find_stored(run: _Run, identity: _Identity) -> Customer | None:
    """Return the customer that a row is about; raises Invalid where it could be more than one."""
    tenant = run.asked.tenant
    if identity.field == "customer_code":
        return store.find_customer(run.book, tenant=tenant, customer_code=identity.value)
    sought = {identity.field: identity.value}
    found = store.find_codes(run.book, tenant=tenant, identity=sought, codes_max=_ALIKE_MAX)
    candidates = [code for code, status in found if status == "active"] or [code for code, _status in found]
    if len(candidates) > 1:
        raise Invalid(said("More than one customer has this {name}: name the customer_code.", name=identity.field))
    return store.find_customer(run.book, tenant=tenant, customer_code=candidates[0]) if candidates else None


def _code_of(stored: Customer | None, identity: _Identity) -> str | None:
    """Return the code of the customer, None where it gets a fresh one."""
    if stored is not None:
        return stored["customer_code"]
    return identity.value if identity.field == "customer_code" else None


def _require_once(run: _Run, line: int, identity: _Identity, stored: Customer | None, form: Form) -> None:
    """Raise Invalid where an earlier line is about the same customer."""
    by_name = identity.field == "customer_name"
    known = [] if by_name else [identity.value]
    known += [stored["customer_code"]] if stored else []
    run.seen.require_once(line, [*known, *([] if run.confirmed else identities_of(form))])
    run.seen.require_one_name(line, form.get("customer_name", ""), is_all=by_name)


def _dotted(pointer: str | None) -> str:
    """Return the column that a pointer is about: /banking/0/iban is banking.1.iban."""
    steps = (pointer or "").strip("/").split("/")
    return ".".join(str(int(step) + 1) if step.isdigit() else step for step in steps)


def _problems(messages: Any, path: str = "") -> Iterator[str]:
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            yield from _problems(inner, f"{path}.{name + 1 if isinstance(name, int) else name}".strip("."))
    elif isinstance(messages, list):
        for message in messages:
            yield from _problems(message, path)
    else:
        yield _problem(path, in_our_words(messages))


def _problem(column: str, problem: str) -> str:
    return said("{name} {problem}", name=column, problem=problem) if column else problem
