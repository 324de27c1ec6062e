"""Several small calls at the same time, a bounded number of them: what waits for MongoDB waits together."""

import contextvars
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

AT_ONCE_MAX = 16

_lock = threading.Lock()
_pools: list[ThreadPoolExecutor] = []


def side_by_side(calls: Sequence[Callable[[], T]]) -> list[T | Exception]:
    """Return what each call returns, or the exception that it ends with, in their order.

    Each runs under the deadline of the caller.
    """
    if len(calls) < 2:
        return [_ended(call) for call in calls]
    # A context can be entered once at a time, so each call gets a copy of the caller's.
    running = [_pool().submit(contextvars.copy_context().run, _ended, call) for call in calls[1:]]
    return [_ended(calls[0]), *(future.result() for future in running)]


def _ended(call: Callable[[], T]) -> T | Exception:
    try:
        return call()
    except Exception as error:  # noqa: BLE001  it is the call's result, and concerns that one alone
        return error


def _pool() -> ThreadPoolExecutor:
    """Return the process's threads, started at the first use: started earlier they would not survive a fork."""
    if not _pools:
        with _lock:
            if not _pools:
                _pools.append(ThreadPoolExecutor(AT_ONCE_MAX, thread_name_prefix="finance-side-by-side"))
    return _pools[0]
