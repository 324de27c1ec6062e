"""What lies at an address, and near one at which nothing lies. Only our own addresses are ever named."""

import re
from collections.abc import Iterable

from flask import current_app
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule

from finance.edge.hints import nearest
from finance.said import said

_BASE = ("api", "v1")
_OTHER_BASE = re.compile(r"api|v\d{1,3}", re.ASCII)
_SEGMENTS_MAX = 8
BELOW_MAX = 12  # of what is possible below an address, in one sentence
_IMPLIED = frozenset(("HEAD", "OPTIONS"))
_PARAMETER = re.compile(r"<(?:[^:>]+:)?([^>]+)>")


def nearest_address(path: str, *, other_than: Rule | None = None) -> str | None:
    """Return the address of ours that is like `path`, None where none is: /payments, /api/v1/payments/export.cvs."""
    segments = [segment for segment in path.split("/", _SEGMENTS_MAX) if segment]
    if tuple(segments[:2]) != _BASE:
        segments = [*_BASE, *(segment for segment in segments if not _OTHER_BASE.fullmatch(segment))]
    # One with as many names in it as that of the request has is asked for with the same words, in vain.
    rules = (
        rule
        for rule in current_app.url_map.iter_rules()
        if rule.rule.startswith("/api/") and (other_than is None or len(rule.arguments) < len(other_than.arguments))
    )
    candidates = (rule for rule in rules if _is_near(_segments(rule), segments))
    best = min(candidates, key=lambda rule: len(rule.arguments), default=None)
    return None if best is None else _shown(best)


def possible_above(path: str) -> str | None:
    """Return what is possible at the thing that `path` goes on from, None where it is none: /invoices/F-1/void."""
    above = path.rstrip("/").rpartition("/")[0]
    try:
        rule, arguments = current_app.url_map.bind("").match(above, method="GET", return_rule=True)
    except HTTPException:  # nothing there either, or another way to write it
        return None
    if not arguments:
        return None
    return said("{address} takes {possible}", address=_shown(rule), possible=possible_at(above, _methods_of(rule)))


def methods_at(path: str) -> set[str]:
    """Return the methods of the routes whose address is `path` itself, with nothing in it to be filled in."""
    return _methods(rule for rule in current_app.url_map.iter_rules() if rule.rule == path)


def possible_at(path: str, methods: Iterable[str]) -> str:
    """Return what is possible at an address that has `methods`, and below it."""
    here = sorted(set(methods) - _IMPLIED)
    rule, _arguments = current_app.url_map.bind("").match(path, method=here[0], return_rule=True)
    below = [
        f"{method} {_shown(other)}"
        for other in current_app.url_map.iter_rules()
        if other.rule.startswith(f"{rule.rule}/")
        for method in sorted(_methods([other]))
    ]
    if not below:
        return ", ".join(here)
    template = said("{here}, and below it {below}")
    if len(below) > BELOW_MAX:
        template = said("{here}, and below it {below}, and more: GET /api/v1/docs")
    return template.format(here=", ".join(here), below=", ".join(below[:BELOW_MAX]))


def _is_near(rule: list[str], segments: list[str]) -> bool:
    return len(rule) == len(segments) and all(
        own.startswith("<") or own == sent or (_is_word(sent) and nearest(sent, (own,)) == own)
        for own, sent in zip(rule, segments, strict=True)
    )


def _is_word(segment: str) -> bool:
    """A number that is like another is another one."""
    return not any(character.isdigit() for character in segment)


def _segments(rule: Rule) -> list[str]:
    return rule.rule.strip("/").split("/")


def _methods_of(rule: Rule) -> set[str]:
    return _methods(other for other in current_app.url_map.iter_rules() if other.rule == rule.rule)


def _methods(rules: Iterable[Rule]) -> set[str]:
    return {method for rule in rules for method in rule.methods or ()} - _IMPLIED


def _shown(rule: Rule) -> str:
    return _PARAMETER.sub(r"{\1}", rule.rule)
