"""Setting up shops, and reading them."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, cast
from zoneinfo import ZoneInfo

from finance.asked import Asked
from finance.conditions import ALWAYS, Condition
from finance.contention import until_unchanged_meanwhile
from finance.database import Db
from finance.errors import Conflict, FieldError, Invalid, NotFound, Unavailable
from finance.history import changed, created_by
from finance.shops import store
from finance.shops.model import (
    HISTORY_MAX,
    Rule,
    RuleSettings,
    Settings,
    Shop,
    ShopSettings,
    default_credit_note_format,
    format_problem,
)

FORMATS: tuple[Literal["invoice_format", "credit_note_format"], ...] = ("invoice_format", "credit_note_format")


class ShopNotFound(NotFound):
    detail_default = "There is no shop of this name; GET /api/v1/shops lists them."


class ShopHistoryFull(Conflict):
    detail_default = f"This shop was changed {HISTORY_MAX} times; it can't be changed any more."


class ShopBusy(Unavailable):
    detail_default = "Others kept changing this shop, and nothing was changed by this request. A retry is safe."


def put_shop(db: Db, asked: Asked, *, shop: str, posted: Settings, condition: Condition = ALWAYS) -> tuple[Shop, bool]:
    """Make or change a shop; return it, and whether it is new.

    A series that has numbers goes on as it is written until its period ends: invoices look at the number before them.
    Raises Invalid where the numbers could not be unique, or would be too long; PreconditionFailed.
    """
    settings = _checked(db, tenant=asked.tenant, shop=shop, posted=posted)

    def put() -> tuple[Shop, bool] | None:
        standing = store.find_shop(db, tenant=asked.tenant, shop=shop)
        condition.require(standing, is_done=standing is not None and not _changes_of(standing, settings))
        if standing is None:
            new = _new_shop(asked, shop, settings)
            return (new, True) if store.insert_shop(db, new) else None
        stored = _change(db, asked, standing, settings)
        return None if stored is None else (stored, False)

    return until_unchanged_meanwhile(put, busy=ShopBusy)


def get_shop(db: Db, *, tenant: str, shop: str) -> Shop:
    """Return the shop; raises ShopNotFound."""
    found = store.find_shop(db, tenant=tenant, shop=shop)
    if found is None:
        raise ShopNotFound
    return found


def find_shop(db: Db, *, tenant: str, shop: str) -> Shop | None:
    return store.find_shop(db, tenant=tenant, shop=shop)


def list_shops(db: Db, *, tenant: str) -> list[Shop]:
    return store.list_shops(db, tenant=tenant)


def _checked(db: Db, *, tenant: str, shop: str, posted: Settings) -> Settings:
    """Return the settings, complete; raises Invalid with the reason where a format can't be used."""
    settings = posted.copy()
    fits = _chosen(settings, ("reset", "fiscal_year_start_month", "max_length")) | {"shop": shop}
    if settings.get("credit_note_format") is None:
        settings["credit_note_format"] = default_credit_note_format(settings["invoice_format"], fits=fits)
    errors = []
    for name in FORMATS:
        problem = format_problem(settings[name], **fits)
        if problem is None and "{shop}" not in settings[name] and _is_used_elsewhere(db, tenant, shop, settings[name]):
            problem = "must hold {shop}: another shop writes its numbers in the same way."
        if problem is not None:
            errors.append(FieldError(problem, pointer=f"/{name}"))
    if not errors and settings["invoice_format"] == settings["credit_note_format"]:
        errors.append(FieldError("must differ from invoice_format.", pointer="/credit_note_format"))
    if errors:
        raise Invalid(errors=errors)
    return settings


def _is_used_elsewhere(db: Db, tenant: str, shop: str, number_format: str) -> bool:
    formats = (
        rule[name]
        for other in store.list_shops(db, tenant=tenant)
        if other["shop"] != shop
        for rule in other["rules"]
        for name in FORMATS
    )
    return number_format in formats


def _new_shop(asked: Asked, shop: str, settings: Settings) -> Shop:
    named = _chosen(settings, ShopSettings.__annotations__)
    made = {"history": [], "created_at": asked.now, **created_by(asked)}
    return cast(Shop, {"tenant": asked.tenant, "shop": shop, **named, "rules": [_rule(settings)], **made})


def _change(db: Db, asked: Asked, shop: Shop, settings: Settings) -> Shop | None:
    rule = _rule(settings)
    changes = _changes_of(shop, settings)
    values = {name: change["to"] for name, change in changes.items() if name in ShopSettings.__annotations__}
    if not changes:
        return shop
    if len(shop["history"]) >= HISTORY_MAX:
        raise ShopHistoryFull
    today = asked.now.astimezone(ZoneInfo(shop["timezone"])).date()
    values["rules"] = _rules_after(shop["rules"], rule, replaced_on=today.isoformat())
    return store.update_shop(db, shop, values=values, entry=changed(asked, action="changed", changes=changes))


def _changes_of(shop: Shop, settings: Settings) -> dict[str, Any]:
    changes = _changes(shop, settings, ShopSettings.__annotations__)
    return changes | _changes(shop["rules"][-1], settings, RuleSettings.__annotations__)


def _changes(before: Mapping[str, object], after: Mapping[str, object], names: Iterable[str]) -> dict[str, Any]:
    return {name: {"from": before[name], "to": after[name]} for name in names if after[name] != before[name]}


def _rule(settings: Settings) -> Rule:
    return cast(Rule, _chosen(settings, RuleSettings.__annotations__))


def _chosen(settings: Mapping[str, object], names: Iterable[str]) -> dict[str, Any]:
    return {name: settings[name] for name in names}


def _rules_after(rules: list[Rule], rule: Rule, *, replaced_on: str) -> list[Rule]:
    """Return the rules with `rule` as the newest; where only its formats differ, no other periods begin."""
    *earlier, newest = rules
    if (newest["reset"], newest["fiscal_year_start_month"]) == (rule["reset"], rule["fiscal_year_start_month"]):
        return [*earlier, rule]
    return [*earlier, {**newest, "replaced_on": replaced_on}, rule]
