"""What can be read of a shop that is damaged, or that another software stored.

It is shown as far as it can be, and gives no number: how its numbers are written is never guessed.
"""

from collections.abc import Mapping
from datetime import date
from itertools import pairwise
from typing import Any, cast

from finance.config import is_timezone
from finance.damaged import documents_in
from finance.money import DECIMALS_BY_CURRENCY, is_whole
from finance.shops.model import FORMAT_BY_KIND, ISSUE_AHEAD_DAYS, RESETS, Rule, Shop, is_format

_TEXTS = ("shop", "name", "timezone", "currency")
_WHOLE_NUMBERS = ("max_length", "issue_ahead_days")
# Without these no document can be numbered, dated or reckoned.
NEEDED = ("rules", "timezone", "currency", *_WHOLE_NUMBERS)


def readable(stored: Mapping[str, Any]) -> Shop:
    """Return a stored shop with None in the place of each setting that can't be read, and no rules where one can't."""
    complete = {"issue_ahead_days": ISSUE_AHEAD_DAYS, **stored}  # which earlier versions didn't store
    settings = {name: complete.get(name) for name in (*_TEXTS, *_WHOLE_NUMBERS)}
    read = {name: value if _is_readable(name, value) else None for name, value in settings.items()}
    return cast(Shop, {**stored, **read, "rules": _rules_in(stored.get("rules"))})


def damaged_in(shop: Shop) -> list[str]:
    """Return which settings a readable shop lacks to number anything."""
    return [name for name in NEEDED if shop.get(name) in (None, [])]


def _is_readable(name: str, value: object) -> bool:
    if name in _WHOLE_NUMBERS:
        return is_whole(value)
    if not isinstance(value, str):
        return False
    return {"timezone": is_timezone, "currency": DECIMALS_BY_CURRENCY.__contains__}.get(name, bool)(value)


def _rules_in(value: object) -> list[Rule]:
    rules = documents_in(value)
    is_whole_list = isinstance(value, list) and len(rules) == len(value)
    are_read = all(_is_rule(rule) for rule in rules) and all(
        "begins_on" in rule or _is_day(earlier.get("replaced_on")) for earlier, rule in pairwise(rules)
    )
    return cast(list[Rule], rules) if is_whole_list and are_read else []


def _is_rule(rule: Mapping[str, Any]) -> bool:
    month, former = rule.get("fiscal_year_start_month"), rule.get("former", [])
    return (
        rule.get("reset") in RESETS
        and is_whole(month)
        and 1 <= month <= 12
        and ("begins_on" not in rule or _is_day(rule["begins_on"]))
        and isinstance(former, list)
        and len(documents_in(former)) == len(former)
        and all(is_format(formats.get(name)) for formats in (rule, *former) for name in FORMAT_BY_KIND.values())
    )


def _is_day(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(date.fromisoformat(value))
    except ValueError:
        return False
