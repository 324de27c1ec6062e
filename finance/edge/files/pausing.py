"""Packing a workbook a little at a time: XlsxWriter copies and compresses for seconds, and others wait meanwhile.

In our workers requests are greenlets of one thread, so what works for long has to give the others their turn. A thread
of its own would not do: it takes the interpreter from them for 5 ms at each of their steps.
"""

import time
from typing import Any

from xlsxwriter.worksheet import Worksheet

_PIECE_S = 0.001


class Pausing:
    """A file; after a millisecond of reading and writing it others have their turn."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._began_s = time.perf_counter()

    def read(self, *size: int) -> Any:
        self._pause()
        return self._file.read(*size)

    def write(self, data: Any) -> Any:
        self._pause()
        return self._file.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def _pause(self) -> None:
        if time.perf_counter() - self._began_s > _PIECE_S:
            time.sleep(0)
            self._began_s = time.perf_counter()


class PausingSheet(Worksheet):
    """A sheet whose rows, written to a file of their own, are read back with pauses when the workbook is packed."""

    def _opt_reopen(self) -> None:
        super()._opt_reopen()
        self.row_data_fh: Any = Pausing(self.row_data_fh)
