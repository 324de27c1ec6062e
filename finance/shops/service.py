"""Setting up shops, and reading them."""

from collections.abc import Mapping
from datetime import datetime
from time import sleep
from typing import Any
from zoneinfo import ZoneInfo

from finance.database import Db
from finance.errors import Conflict, FieldError, Invalid, NotFound, Unavailable
from finance.shops import store
from finance.shops.model import HISTORY_MAX, Rule, Shop, default_credit_note_format, format_problem

CHANGE_ATTEMPTS_MAX = 20
CHANGE_PAUSE_S = 0.02
SETTINGS = ("name", "timezone", "currency", "max_length")
RULE_SETTINGS = ("reset", "fiscal_year_start_month", "invoice_format", "credit_note_format")


class ShopNotFound(NotFound):
    detail_default = "There is no shop of this name."


class ShopHistoryFull(Conflict):
    detail_default = f"This shop was changed {HISTORY_MAX} times; it can't be changed any more."


class ShopBusy(Unavailable):
    detail_default = "Others kept changing this shop, and nothing was changed by this request. A retry is safe."


def put_shop(
    db: Db, *, tenant: str, shop: str, posted: Mapping[str, Any], changed_by: str, now: datetime
) -> tuple[Shop, bool]:
    """Make or change a shop; return it, and whether it is new.

    A series that has numbers goes on as it is written until its period ends: invoices look at the number before them.
    Raises Invalid where the numbers could not be unique, or would be too long.
    """
    settings = _checked(db, tenant=tenant, shop=shop, posted=posted)
    rule = {name: settings[name] for name in RULE_SETTINGS}
    for _attempt in range(CHANGE_ATTEMPTS_MAX):
        standing = store.find_shop(db, tenant=tenant, shop=shop)
        if standing is None:
            document = {"tenant": tenant, "shop": shop, **{name: settings[name] for name in SETTINGS}, "rules": [rule]}
            document |= {"history": [], "created_at": now, "created_by": changed_by}
            if store.insert_shop(db, document):
                return document, True
        else:
            changed = _change(db, standing, settings, rule, changed_by=changed_by, now=now)
            if changed is not None:
                return changed, False
        sleep(CHANGE_PAUSE_S)
    raise ShopBusy


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


def _checked(db: Db, *, tenant: str, shop: str, posted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings, complete; raises Invalid with the reason where a format can't be used."""
    settings = dict(posted)
    fits = {name: settings[name] for name in ("reset", "fiscal_year_start_month", "max_length")} | {"shop": shop}
    if settings.get("credit_note_format") is None:
        settings["credit_note_format"] = default_credit_note_format(settings["invoice_format"], fits=fits)
    errors = []
    for name in ("invoice_format", "credit_note_format"):
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
        for name in ("invoice_format", "credit_note_format")
    )
    return number_format in formats


def _change(
    db: Db, shop: Shop, settings: Mapping[str, Any], rule: Rule, *, changed_by: str, now: datetime
) -> Shop | None:
    rules = _rules_after(shop["rules"], rule, replaced_on=now.astimezone(ZoneInfo(shop["timezone"])).date().isoformat())
    values = {name: settings[name] for name in SETTINGS if settings[name] != shop[name]}
    changes = {name: {"from": shop[name], "to": value} for name, value in values.items()}
    old = shop["rules"][-1]
    changes |= {name: {"from": old[name], "to": rule[name]} for name in RULE_SETTINGS if rule[name] != old[name]}
    if not changes:
        return shop
    if len(shop["history"]) >= HISTORY_MAX:
        raise ShopHistoryFull
    entry = {"at": now, "by": changed_by, "action": "changed", "changes": changes}
    return store.update_shop(db, shop, values={**values, "rules": rules}, entry=entry)


def _rules_after(rules: list[Rule], rule: Rule, *, replaced_on: str) -> list[Rule]:
    """Return the rules with `rule` as the newest; where only its formats differ, no other periods begin."""
    *earlier, newest = rules
    if all(newest[name] == rule[name] for name in ("reset", "fiscal_year_start_month")):
        return [*earlier, rule]
    return [*earlier, {**newest, "replaced_on": replaced_on}, rule]
