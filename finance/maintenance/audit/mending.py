"""What mends what a check found: the commands, as whoever runs the service types them."""

from collections.abc import Iterable

from finance.maintenance.audit.stored import NumberCheck
from finance.maintenance.kinds import KINDS

AUDIT, REPAIR = "scripts/audit_numbers.py", "scripts/repair_duplicates.py"
_RENUMBERABLE = {kind.numbered.name for kind in KINDS if kind.renumberable}


def command_for(counter_id: str, *options: str) -> str:
    """Return the command that checks one series alone, however long it takes."""
    return " ".join((AUDIT, "--series", counter_id, *options))


def commands_for(checks: Iterable[NumberCheck]) -> list[str]:
    """Return the commands that mend what was found in these series, in the order in which they are run.

    None for a leap of numbers, or duplicates of what can't be renumbered: these are looked at by hand.
    """
    found = list(checks)
    options = []
    if any(check.late or _has_lost(check) for check in found):
        options.append("--record-gaps")
    if any(check.counter_again for check in found):
        options.append("--sync-counters")
    repair = [f"{REPAIR} --apply"] if any(_can_renumber(check) for check in found) else []
    if not options:
        return repair
    audit = command_for(found[0].counter_id, *options) if len(found) == 1 else " ".join((AUDIT, *options))
    return [*repair, audit]


def _has_lost(check: NumberCheck) -> bool:
    """Return whether numbers are missing that are recorded as lost; a leap isn't."""
    in_leaps = sum(one.count for one in check.missing_ranges if one.is_leap)
    return check.missing > in_leaps


def _can_renumber(check: NumberCheck) -> bool:
    return bool(check.duplicates) and check.kind in _RENUMBERABLE
