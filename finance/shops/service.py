"""Setting up shops, and reading them."""

import logging
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

from finance.asked import Asked
from finance.conditions import ALWAYS, Condition
from finance.contention import until_unchanged_meanwhile
from finance.damaged import documents_in
from finance.database import Db
from finance.errors import Conflict, FieldError, Invalid, NotFound
from finance.history import changed, created_by
from finance.said import said
from finance.shops import claims, rules, store
from finance.shops.claims import Claiming, Meeting, ShopBusy, Written
from finance.shops.damaged import damaged_in
from finance.shops.model import (
    FORMAT_BY_KIND,
    HISTORY_MAX,
    INVOICE_FORMAT,
    Period,
    Rule,
    RuleSettings,
    Settings,
    Shop,
    ShopSettings,
    default_credit_note_format,
    format_problem,
)
from finance.shops.patterns import pattern_of, shape_of

log = logging.getLogger(__name__)


class ShopNotFound(NotFound):
    detail_default = said("There is no shop of this name; GET /api/v1/shops lists them.")


class ShopHistoryFull(Conflict):
    detail_default = said("This shop was changed {most} times; it can't be changed any more.", most=HISTORY_MAX)


class ShopDamaged(Conflict):
    detail_default = said("This shop is damaged in the database, so it gives no numbers until that is repaired.")

    @classmethod
    def of(cls, damaged: Iterable[str]) -> "ShopDamaged":
        """Return the refusal that names what can't be read."""
        return cls(
            said(
                "This shop is damaged in the database: its {names} can't be read, so it gives no numbers until that "
                "is repaired.",
                names=", ".join(damaged),
            )
        )


def put_shop(db: Db, asked: Asked, *, shop: str, posted: Settings, condition: Condition = ALWAYS) -> tuple[Shop, bool]:
    """Make or change a shop; return it, and whether it is new.

    A series that has numbers goes on as it is written until its period ends. Where the numbers begin again at other
    days than before, that rule begins where no period with numbers is cut in two, for both kinds on the same day.
    Raises Invalid where the numbers could not be unique, would be too long, or are another's; PreconditionFailed;
    ShopDamaged where the rules can't be read: what else is damaged is set anew, how numbers are written isn't guessed.
    """
    settings = _checked(shop, posted)

    def put() -> tuple[Shop, bool] | None:
        standing = find_readable_shop(db, tenant=asked.tenant, shop=shop)
        if standing is not None and not standing["rules"]:
            raise ShopDamaged.of(["rules"])
        condition.require(standing, is_done=standing is not None and not any(_changes_of(standing, settings)))
        if standing is None:
            new = _new_shop(asked, shop, settings)
            _claim(db, asked, new, before=None)
            return (new, True) if store.insert_shop(db, new) else None
        stored = _change(db, asked, standing, settings)
        return None if stored is None else (stored, False)

    return until_unchanged_meanwhile(put, busy=ShopBusy)


def get_shop(db: Db, *, tenant: str, shop: str) -> Shop:
    """Return the shop to number by; raises ShopNotFound, ShopDamaged."""
    found = find_shop(db, tenant=tenant, shop=shop)
    if found is None:
        raise ShopNotFound
    return found


def find_shop(db: Db, *, tenant: str, shop: str) -> Shop | None:
    """Return the shop to number by; raises ShopDamaged."""
    found = find_readable_shop(db, tenant=tenant, shop=shop)
    damaged = [] if found is None else damaged_in(found)
    if damaged:
        raise ShopDamaged.of(damaged)
    return found


def get_readable_shop(db: Db, *, tenant: str, shop: str) -> Shop:
    """Return the shop to show, as `find_readable_shop` does; raises ShopNotFound."""
    found = find_readable_shop(db, tenant=tenant, shop=shop)
    if found is None:
        raise ShopNotFound
    return found


def find_readable_shop(db: Db, *, tenant: str, shop: str) -> Shop | None:
    """Return the shop to show: with None for what is damaged in it, and no rules where they are."""
    found = store.find_shop(db, tenant=tenant, shop=shop)
    return None if found is None else _completed(db, found)


def list_shops(db: Db, *, tenant: str) -> list[Shop]:
    """Return the shops to show, as `find_readable_shop` does; one whose name is damaged has None there."""
    return [_completed(db, shop) for shop in store.list_shops(db, tenant=tenant)]


def hold_series(db: Db, *, tenant: str, shop: str, now: datetime) -> bool:
    """Return whether all that a shop writes is its own, after claiming it: a shop of a version without claims has none.

    Where it meets what another writes, that is logged, and each number has to be looked at by itself.
    """
    found = find_shop(db, tenant=tenant, shop=shop)
    if found is None:
        return False
    before = [dict(rule) for rule in found["rules"]]
    _claim_standing(db, found, now=now)
    if found["rules"] != before:
        store.mark_claimed(db, found, rules=found["rules"])
    return all(rule.get("claimed") for rule in found["rules"])


def find_in_the_way(db: Db, *, tenant: str, shop: str, now: datetime) -> str | None:
    """Return the shop that writes what a sequence of an older system wrote for a shop that isn't set up here yet."""
    if store.find_shop(db, tenant=tenant, shop=shop) is not None:
        return None  # it goes on as that shop writes, which is claimed
    met = claims.find_meetings(_claiming_taken_over(db, tenant, shop, now), _taken_over(shop))
    return met[0].other if met else None


def claim_taken_over(db: Db, *, tenant: str, shop: str, now: datetime) -> None:
    """Claim what a sequence that is taken over writes, before or after its shop is set up here."""
    if store.find_shop(db, tenant=tenant, shop=shop) is None:
        claims.take(_claiming_taken_over(db, tenant, shop, now), _taken_over(shop))
    else:
        hold_series(db, tenant=tenant, shop=shop, now=now)


def is_free(db: Db, *, tenant: str, shop: str, kind: str, number: str) -> bool:
    """Return whether no other kind of document carries a number, and claim it for this shop's documents of `kind`.

    Documents of the same kind can't carry the same number: a unique index holds that.
    """
    if store.find_other_kinds(db, tenant=tenant, number=number, kind=kind) is not None:
        return False
    return store.claim_number(db, tenant=tenant, number=number, shop=shop, kind=kind)


def _completed(db: Db, shop: Shop) -> Shop:
    """Return a shop with what earlier versions didn't store."""
    complete = dict(shop)
    if any("begins_on" not in rule for rule in shop["rules"][1:]):
        complete["rules"] = rules.with_beginnings(shop["rules"], _last_numbered(db, shop))
    return cast(Shop, complete)


def _last_numbered(db: Db, shop: Shop) -> rules.LastNumbered:
    def last_numbered(period: Period) -> date | None:
        day = store.find_last_numbered(db, tenant=shop["tenant"], shop=shop["shop"], period=period.label)
        if day is None:
            return None
        return date.fromisoformat(day) if day else date.min

    return last_numbered


def _checked(shop: str, posted: Settings) -> Settings:
    """Return the settings, complete; raises Invalid with the reason where a format can't be used."""
    settings = posted.copy()
    fits = _chosen(settings, ("reset", "fiscal_year_start_month", "max_length")) | {"shop": shop}
    if settings.get("credit_note_format") is None:
        settings["credit_note_format"] = default_credit_note_format(settings["invoice_format"], fits=fits)
    problems = {name: format_problem(settings[name], **fits) for name in FORMAT_BY_KIND.values()}
    errors = [FieldError(problem, pointer=f"/{name}") for name, problem in problems.items() if problem is not None]
    if not errors and settings["invoice_format"] == settings["credit_note_format"]:
        errors.append(FieldError(said("must differ from invoice_format."), pointer="/credit_note_format"))
    if errors:
        raise Invalid(errors=errors)
    return settings


def _new_shop(asked: Asked, shop: str, settings: Settings) -> Shop:
    named = _chosen(settings, ShopSettings.__annotations__)
    made = {"history": [], "created_at": asked.now, **created_by(asked)}
    return cast(Shop, {"tenant": asked.tenant, "shop": shop, **named, "rules": [_rule(settings)], **made})


def _change(db: Db, asked: Asked, shop: Shop, settings: Settings) -> Shop | None:
    rule = _rule(settings)
    changes, of_rule = _changes_of(shop, settings)
    values = {name: change["to"] for name, change in changes.items()}
    if not changes and not of_rule:
        return shop
    if len(documents_in(shop.get("history"))) >= HISTORY_MAX:
        raise ShopHistoryFull
    if of_rule:
        values["rules"] = _changed_rules(db, asked, shop, rule, values)
    entry = changed(asked, action="changed", changes=changes | of_rule)
    return store.update_shop(db, shop, values=values, entry=entry)


def _changed_rules(db: Db, asked: Asked, shop: Shop, rule: Rule, values: Mapping[str, Any]) -> list[Rule]:
    """Return the rules after a change, claimed; raises Invalid."""
    today = asked.now.astimezone(ZoneInfo(shop["timezone"] or values["timezone"])).date()
    is_numbered = store.has_numbers(db, tenant=shop["tenant"], shop=shop["shop"])
    last_numbered = _last_numbered(db, shop) if is_numbered else None
    after = rules.rules_after(shop["rules"], rule, today=today, last_numbered=last_numbered)
    rules.require_no_repetition(shop["shop"], after, today=today)
    if not all(earlier.get("claimed") for earlier in shop["rules"]) and _claim_standing(db, shop, now=asked.now):
        after[-1]["at_once"] = True
    _claim(db, asked, cast(Shop, {**shop, "rules": after}), before=shop)
    return after


def _claim(db: Db, asked: Asked, shop: Shop, *, before: Shop | None) -> None:
    """Claim what the newest rule of a shop writes, and note that it is claimed; raises Invalid."""
    newest = shop["rules"][-1]
    wanted = rules.patterns_of(shop["shop"], [{**newest, "former": []}])
    _claim_others(db, asked, shop, wanted)
    met = claims.take(_claiming(db, shop, before=before, now=asked.now), wanted)
    if met:
        raise Invalid(errors=[FieldError(_met(one, shop), pointer=f"/{FORMAT_BY_KIND[one.kind]}") for one in met])
    newest["claimed"] = True


def _met(meeting: Meeting, shop: Shop) -> str:
    is_own = meeting.other == shop["shop"]
    written = shop["rules"][-1][FORMAT_BY_KIND[meeting.kind]]
    return said(
        "would write numbers that {whose} writes for its {kinds}, as {pattern}; {instead}.",
        whose=said("this shop") if is_own else said("the shop '{shop}'", shop=meeting.other),
        kinds=said("invoices") if meeting.other_kind == "invoice" else said("credit notes"),
        pattern=meeting.pattern,
        instead=said("write another text before {number}") if "{shop}" in written else said("it must hold {shop}"),
    )


def _claim_others(db: Db, asked: Asked, shop: Shop, wanted: Iterable[Written]) -> None:
    """Claim what other shops write, where it looks like what is wanted and they haven't: those of an earlier version,
    or of a backup that was older than they are.
    """
    shapes = {shape_of(pattern) for _kind, pattern in wanted}
    for other in store.list_shops(db, tenant=shop["tenant"]):
        written = rules.patterns_of(other["shop"], other["rules"]) if other["shop"] is not None else set()
        if other["shop"] != shop["shop"] and any(shape_of(pattern) in shapes for _kind, pattern in written):
            for rule in other["rules"]:
                rule.pop("claimed", None)
            _claim_standing(db, other, now=asked.now)


def _claim_standing(db: Db, shop: Shop, *, now: datetime) -> list[Meeting]:
    """Claim what each rule of a stored shop writes, note it in the rules, and return and log what can't be claimed."""
    met: list[Meeting] = []
    for rule in shop["rules"]:
        if not rule.get("claimed"):
            found = claims.take(_claiming(db, shop, before=shop, now=now), rules.patterns_of(shop["shop"], [rule]))
            if not found:
                rule["claimed"] = True
            met += found
    for one in met:
        log.warning(
            "Shop %s of %s writes its %ss as %s does its %ss; where both come to the same number, it is given once and "
            "refused then. Change one of the two formats.",
            *(shop["shop"], shop["tenant"], one.kind, one.other, one.other_kind),
        )
    return met


def _claiming_taken_over(db: Db, tenant: str, shop: str, now: datetime) -> Claiming:
    return Claiming(db, tenant, shop, now, stored=_taken_over(shop), keeps=_taken_over(shop), taken_over=True)


def _taken_over(shop: str) -> set[Written]:
    return {("invoice", pattern_of(INVOICE_FORMAT, shop=shop))}


def _claiming(db: Db, shop: Shop, *, before: Shop | None, now: datetime) -> Claiming:
    stored = rules.patterns_of(before["shop"], before["rules"]) if before else ()
    keeps = rules.patterns_of(shop["shop"], shop["rules"])
    return Claiming(db, shop["tenant"], shop["shop"], now, stored, keeps)


def _changes_of(shop: Shop, settings: Settings) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the settings change of the shop itself, and of its newest rule."""
    of_shop = _changes(shop, settings, ShopSettings.__annotations__)
    return of_shop, _changes(shop["rules"][-1], settings, RuleSettings.__annotations__)


def _changes(before: Mapping[str, object], after: Mapping[str, object], names: Iterable[str]) -> dict[str, Any]:
    return {name: {"from": before[name], "to": after[name]} for name in names if after[name] != before[name]}


def _rule(settings: Settings) -> Rule:
    return cast(Rule, _chosen(settings, RuleSettings.__annotations__))


def _chosen(settings: Mapping[str, object], names: Iterable[str]) -> dict[str, Any]:
    return {name: settings[name] for name in names}
