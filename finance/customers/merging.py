"""What a customer's form is once a row has said something about it: field by field, and place by place in a list."""

from collections.abc import Mapping
from typing import Any, cast

from finance.customers.columns import LISTS, OTHERS_COUNTED, REMOVE, SCHEMA, Column, Told
from finance.customers.model import Form, PostedForm, form_of
from finance.errors import FieldError, Invalid
from finance.money import shown_amount
from finance.said import said

_ONE_TAKEN = said("{taken} of its {count} {name} is taken: there is no place for more.")
_SOME_TAKEN = said("{taken} of its {count} {name} are taken: there is no place for more.")
_AMOUNTS = ("unit_price", "credit_limit")


def form_after(stored: Form, told: Told) -> tuple[PostedForm, bool]:
    """Return the form after the row, and whether it is as it was. Raises ValidationError, Invalid."""
    posted = merged(stored, told)
    if stored and _flat(posted) == _flat(as_posted(stored)):
        return cast(PostedForm, stored), True  # also of a customer that could not be saved as it is
    loaded = load(posted)
    return loaded, bool(stored) and not changed_fields(stored, form_of(loaded))


def merged(stored: Form, told: Told) -> PostedForm:
    """Return the form that results, as it is posted; what the row doesn't name stays. Raises Invalid."""
    form: dict[str, Any] = as_posted(stored)
    lists = {name: dict(enumerate(form.pop(name, []), start=1)) for name in LISTS}
    for column, value in sorted(told.values.items(), key=_wholes_first):
        if column.part in lists:
            _say_of_list(lists[column.part], column, value)
        elif column.field is None:
            _say(form, column.part, value)
        else:
            _say(form.setdefault(column.part, {}), column.field, value)
    _require_no_holes(lists)
    _require_counted(told)
    return cast(PostedForm, form | {name: [*items.values()] for name, items in lists.items()})


def load(posted: PostedForm) -> PostedForm:
    """Return a form that was merged, checked; raises ValidationError."""
    loaded: PostedForm = SCHEMA.load(_without_empty_parts(posted))
    return loaded


def left_behind(told: Told) -> list[str]:
    """Return a sentence for what an older system has more of than there is a place for here."""
    columns = told.values
    taken = {
        "contacts": int(
            any(column.part in ("contact_person", "email_address", "contact_number") for column in columns)
        ),
        "addresses": len({column.place for column in columns if column.part == "gst_details"}),
    }
    return [
        (_ONE_TAKEN if taken[name] == 1 else _SOME_TAKEN).format(taken=taken[name], count=told.counts[name], name=name)
        for name in OTHERS_COUNTED
        if told.counts.get(name, 0) > taken[name]
    ]


def changed_fields(before: Form, after: Form) -> list[str]:
    """Return the names of the fields that differ, in the order of the form; nothing of what they hold."""
    old, new = _flat(as_posted(before)), _flat(as_posted(after))
    names = [*new, *(name for name in old if name not in new)]
    return [name if name in new else f"{name} (removed)" for name in names if old.get(name) != new.get(name)]


def as_posted(form: Form | PostedForm) -> dict[str, Any]:
    """Return a copy of a stored form as somebody would post it, with amounts as they are written."""
    posted: dict[str, Any] = _posted(form)
    return posted


def _posted(value: Any) -> Any:
    if isinstance(value, list):
        return [_posted(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    posted = {name: _posted(member) for name, member in value.items() if not name.endswith("_minor")}
    amounts = {
        name: shown_amount(value[f"{name}_minor"], value.get("currency"))
        for name in _AMOUNTS
        if f"{name}_minor" in value
    }
    return posted | {name: amount for name, amount in amounts.items() if amount is not None}


def _wholes_first(told: tuple[Column, Any]) -> tuple[bool, bool]:
    """A part as a whole, then a place: `banking` removed beside `banking.1.iban` says that there is this one alone."""
    column, _value = told
    return column.field is not None, column.place is not None


def _say_of_list(items: dict[int, dict[str, Any]], column: Column, value: Any) -> None:
    if column.field is not None:
        _say(items.setdefault(cast(int, column.place), {}), column.field, value)
    elif column.place is None:
        items.clear()
    else:
        items.pop(column.place, None)


def _say(part: dict[str, Any], name: str, value: Any) -> None:
    if value == REMOVE:
        part.pop(name, None)
    else:
        part[name] = value


def _require_no_holes(lists: dict[str, dict[int, dict[str, Any]]]) -> None:
    """Raise Invalid where a place has none before it: the next run of the same file would find it elsewhere."""
    refused = []
    for name, items in lists.items():
        for place in [place for place, item in items.items() if not item]:
            del items[place]  # nothing but removals of what isn't there
        holes = set(range(1, max(items, default=0))) - items.keys()
        if holes:
            after = min(place for place in items if place > min(holes))
            told = said(
                "{name}.{after} has no {name}.{place} before it: fill the places from 1 on, and remove the last.",
                name=name,
                after=after,
                place=min(holes),
            )
            refused.append(FieldError(told))
        lists[name] = dict(sorted(items.items()))
    if refused:
        raise Invalid(errors=refused)


def _require_counted(told: Told) -> None:
    """Raise Invalid where the file says that there are more than the row names."""
    named = {name: {column.place for column in told.values if column.part == name and column.field} for name in LISTS}
    refused = [
        FieldError(
            said(
                "{name}.count is {count} and the row has {places}: add columns for the others.",
                name=name,
                count=told.counts[name],
                places=len(places),
            )
        )
        for name, places in named.items()
        if told.counts.get(name, len(places)) != len(places)
    ]
    if refused:
        raise Invalid(errors=refused)


def _without_empty_parts(posted: PostedForm) -> dict[str, Any]:
    return {name: value for name, value in posted.items() if value not in ({}, [])}


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, list):
        value = {str(place): item for place, item in enumerate(value, start=1)}
    if not isinstance(value, Mapping):
        return {} if value is False and path.endswith(".primary") else {path: value}  # older versions stored none
    flat: dict[str, Any] = {}
    for name, member in value.items():
        flat |= _flat(member, f"{path}.{name}" if path else name)
    return flat
