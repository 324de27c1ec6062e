"""What the amounts of a file come to: exact, and never across currencies."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from finance.edge.cells import NUMBER, text_of
from finance.edge.files.tables import Table

GROUPS_MAX = 10_000  # more would be a table of its own, and its totals no help


class Totals:
    """Counts and sums of each group that the table's `totals_by` makes."""

    def __init__(self, table: Table) -> None:
        self.amounts = [name for name in table.columns if table.kind_of(name) == "amount"]
        places = {name: place for place, name in enumerate(table.columns)}
        self._by = [places[name] for name in table.totals_by]
        self._of = [places[name] for name in self.amounts]
        self._currency = table.totals_by.index(table.currency) if table.currency in table.totals_by else None
        self._sums_shown = self.amounts if table.sums is None else table.sums
        self._counts: dict[tuple[str, ...], int] = {}
        self._sums: dict[tuple[str, ...], list[Decimal]] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, columns: Sequence[Sequence[Any]]) -> None:
        """Count some rows more, given as columns."""
        if not self._by:
            return
        groups = zip(*(map(text_of, columns[place]) for place in self._by), strict=True)
        amounts = zip(*(columns[place] for place in self._of), strict=True)
        for group, row in zip(groups, amounts, strict=True):
            sums = self._sums.get(group)
            if sums is None:
                if len(self._sums) >= GROUPS_MAX:
                    continue
                sums = self._sums[group] = [Decimal(0)] * len(self.amounts)
            self._counts[group] = self._counts.get(group, 0) + 1
            for place, amount in enumerate(row):
                if type(amount) is str and NUMBER.fullmatch(amount):
                    sums[place] += Decimal(amount)

    def groups(self) -> Iterator[tuple[tuple[str, ...], int, list[str]]]:
        """Yield each group with its count and its sums, in the order of their names."""
        for group in sorted(self._counts):
            yield group, self._counts[group], [f"{amount:f}" for amount in self._sums[group]]

    def of_currencies(self) -> Iterator[tuple[str, str, str]]:
        """Yield (currency, amount column, sum) over all groups of a currency."""
        if self._currency is None:
            return
        found: dict[tuple[str, str], Decimal] = {}
        for group, sums in self._sums.items():
            for name, amount in zip(self.amounts, sums, strict=True):
                key = group[self._currency], name
                if name in self._sums_shown:
                    found[key] = found.get(key, Decimal(0)) + amount
        for (currency, name), amount in sorted(found.items()):
            yield currency, name, f"{amount:f}"
