"""Files that are read for seconds, while others wait: in our workers requests are greenlets of one thread."""

import io
import time
from pathlib import Path
from typing import IO, Any
from zipfile import ZipFile

LINES_AT_ONCE = 25
_PIECE_S = 0.001


class PausingFile(io.BufferedReader):
    """A file; after a millisecond of reading it, and of what is done with it, others have their turn."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self._began_s = time.perf_counter()

    def read(self, *size: Any) -> bytes:
        self._pause()
        return super().read(*size)

    def read1(self, *size: Any) -> bytes:
        self._pause()
        return super().read1(*size)

    def _pause(self) -> None:
        if time.perf_counter() - self._began_s > _PIECE_S:
            time.sleep(0)
            self._began_s = time.perf_counter()


class PausingZip(ZipFile):
    """A ZIP file; a little of it may unpack to very much, so others have their turn before each piece that is read."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        return _PausingMember(super().open(*args, **kwargs))


class _PausingMember:
    def __init__(self, member: IO[bytes]) -> None:
        self._member = member

    def read(self, *size: Any) -> bytes:
        time.sleep(0)
        return self._member.read(*size)

    def __enter__(self) -> "_PausingMember":
        return self

    def __exit__(self, *error: object) -> None:
        self._member.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._member, name)
