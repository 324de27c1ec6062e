"""A kill between any two writes of a request, for the app inside the test's own process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from pymongo.collection import Collection

WRITES = ("insert_one", "insert_many", "update_one", "find_one_and_update", "delete_one")


class Killed(BaseException):
    """What stands for SIGKILL: nobody catches it, so nothing is done after it."""


@contextmanager
def killed_at_write(patch: pytest.MonkeyPatch, number: int, *, after: bool) -> Iterator[list[str]]:
    """Kill the request before (or right after) its write of this number; give the list of the writes it began."""
    writes: list[str] = []

    def stop() -> None:
        if threading.current_thread().name == "finance-committer":
            raise RuntimeError("killed")  # a committer that is gone would leave its request waiting
        raise Killed

    def counting(name: str) -> Any:
        original = getattr(Collection, name)

        def write(self: Collection, *args: Any, **kwargs: Any) -> Any:
            if self.name == "api_keys":  # the hour of a key's last use, noted in some requests before they begin
                return original(self, *args, **kwargs)
            writes.append(f"{self.name}.{name}")
            if len(writes) == number and not after:
                stop()
            result = original(self, *args, **kwargs)
            if len(writes) == number and after:
                stop()
            return result

        return write

    with patch.context() as patched:
        for name in WRITES:
            patched.setattr(Collection, name, counting(name))
        with suppress(Killed):
            yield writes
