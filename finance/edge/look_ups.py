"""Which keys are looked up although too many wrong ones came from their address: a few a second.

Without any, one forgotten program with a wrong key would keep every new key out that shares its address. Whatever a
flood sends, it costs no more than these look-ups: of one address, and of all addresses together. Kept by each process
for itself.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

PER_ADDRESS_S = 5.0  # look-ups a second
IN_ALL_S = 50.0
# What a key that comes for the first time leaves to those that come again. A flood of invented keys never sends one
# twice; who has a good one does, a second later.
LEFT_TO_REPEATS = 0.4
WRONG_S = 60.0  # for how long a key that was none isn't looked up again
REMEMBERED_MAX = 10_000  # addresses, keys

T = TypeVar("T")


class LookUps:
    """What may still be looked up, and what was: keys are known by their hashes."""

    def __init__(self, clock_s: Callable[[], float]) -> None:
        self._clock_s = clock_s
        self._in_all = _Budget(IN_ALL_S, clock_s())
        self._of_addresses: OrderedDict[str, _Budget] = OrderedDict()
        self._sent: OrderedDict[str, None] = OrderedDict()  # and not looked up
        self._wrong: OrderedDict[str, float] = OrderedDict()  # until when

    def was_wrong(self, key_hash: str) -> bool:
        """Return whether it was looked up just now, and is none of ours."""
        return self._wrong.get(key_hash, 0.0) > self._clock_s()

    def note_wrong(self, key_hash: str) -> None:
        self._sent.pop(key_hash, None)
        _put(self._wrong, key_hash, self._clock_s() + WRONG_S)

    def take(self, who: str, key_hash: str) -> bool:
        """Return whether this key may be looked up now, and take that off what is left."""
        now_s = self._clock_s()
        budgets = (self._in_all, self._of_addresses.get(who) or _Budget(PER_ADDRESS_S, now_s))
        _put(self._of_addresses, who, budgets[1])
        is_repeat = key_hash in self._sent
        if not all(budget.has_one(now_s, is_repeat=is_repeat) for budget in budgets):
            _put(self._sent, key_hash, None)
            return False
        for budget in budgets:
            budget.left -= 1
        return True


class _Budget:
    """So many a second, and no more than those of one second at once."""

    __slots__ = ("_at_s", "_per_s", "left")

    def __init__(self, per_s: float, now_s: float) -> None:
        self.left = self._per_s = per_s
        self._at_s = now_s

    def has_one(self, now_s: float, *, is_repeat: bool) -> bool:
        self.left = min(self._per_s, self.left + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        return self.left >= 1 + (0 if is_repeat else self._per_s * LEFT_TO_REPEATS)


def _put(remembered: OrderedDict[str, T], name: str, value: T) -> None:
    """Remember the newest REMEMBERED_MAX."""
    remembered[name] = value
    remembered.move_to_end(name)
    if len(remembered) > REMEMBERED_MAX:
        remembered.popitem(last=False)
