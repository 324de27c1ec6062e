"""CSV files, line by line: in UTF-8, or UTF-16 with its mark, whatever separates their cells."""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO

from finance.said import said
from finance.tables.cells import COLUMNS_MAX, SAVE_AS, Line, UnreadableTable, cell_of_text

LINE_LENGTH_MAX = 8 * 1024 * 1024  # 1,000 columns with long texts
_CHUNK = 1024 * 1024
_HEAD_BYTES = 4_096
_SEPARATOR_LINE = re.compile(r"sep=([^\r\n])\r?\n", re.IGNORECASE)  # Excel's own first line
_PROBLEMS = {
    "field larger": said("a cell has more than 131072 characters; is a double quote before it not closed?"),
    "unexpected end": said("a double quote is opened and never closed."),
    "expected after": said("a double quote within a cell has to be doubled, and the cell to stand in quotes."),
}


def csv_lines(file: IO[bytes], path: Path) -> Iterator[Line]:
    encoding = _encoding_of(file, path)
    text = io.TextIOWrapper(file, encoding=encoding, newline="")
    try:
        yield from _numbered(_text_lines(text, path), path)
    except UnicodeDecodeError as error:
        line = _undecodable_line(path, encoding)
        raise UnreadableTable(
            said("{path} is not in UTF-8 (line {line}): {remedy}.", path=path, line=line, remedy=SAVE_AS)
        ) from error
    finally:
        text.detach()


def _numbered(lines: Iterator[str], path: Path) -> Iterator[Line]:
    blank, first = _up_to_first(lines)
    named = _SEPARATOR_LINE.fullmatch(first)
    if named:
        blank, first = _up_to_first(lines)
    reader = csv.reader(_chained(first, lines), delimiter=named[1] if named else _delimiter_of(first), strict=True)
    try:
        for number, cells in enumerate(reader, start=blank + 1):
            if len(cells) > COLUMNS_MAX:  # before a million of them become cells
                raise UnreadableTable(
                    said(
                        "{path}: line {number} has more than {most} columns.",
                        path=path,
                        number=number,
                        most=COLUMNS_MAX,
                    )
                )
            yield Line(number, [cell_of_text(text) for text in cells])
    except csv.Error as error:
        words = next((words for part, words in _PROBLEMS.items() if part in str(error)), f"{error}.")
        raise UnreadableTable(
            said(
                "{path}: line {line} can't be read as CSV: {reason}",
                path=path,
                line=blank + reader.line_num,
                reason=words,
            )
        ) from error


def _encoding_of(file: IO[bytes], path: Path) -> str:
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and not head.startswith(codecs.BOM_UTF32_LE):
        return "utf-16"
    if b"\0" in head:
        raise _holds_nul(path)
    return "utf-8-sig"


def _holds_nul(path: Path) -> UnreadableTable:
    return UnreadableTable(
        said("{path} holds NUL characters, so it is no text in UTF-8: {remedy}.", path=path, remedy=SAVE_AS)
    )


def _text_lines(text: io.TextIOWrapper, path: Path) -> Iterator[str]:
    for line in iter(partial(text.readline, LINE_LENGTH_MAX), ""):
        if "\0" in line:
            raise _holds_nul(path)
        if len(line) == LINE_LENGTH_MAX:
            raise UnreadableTable(
                said(
                    "{path} has a line of more than {most} characters: {remedy}.",
                    path=path,
                    most=LINE_LENGTH_MAX,
                    remedy=SAVE_AS,
                )
            )
        yield line


def _up_to_first(lines: Iterator[str]) -> tuple[int, str]:
    """Return how many lines are blank before the first one that isn't, and that one; "" where there is none."""
    blank = 0
    for line in lines:
        if line.strip("\r\n"):
            return blank, line
        blank += 1
    return blank, ""


def _chained(first: str, lines: Iterator[str]) -> Iterator[str]:
    yield first
    yield from lines


def _delimiter_of(first: str) -> str:
    return max(",;\t", key=first.count)


def _undecodable_line(path: Path, encoding: str) -> int:
    """Return the line of the first bytes that are no text in this encoding."""
    decoder, line = codecs.getincrementaldecoder(encoding)(), 1
    with path.open("rb") as file:
        for chunk in iter(partial(file.read, _CHUNK), b""):
            try:
                line += decoder.decode(chunk).count("\n")
            except UnicodeDecodeError as error:
                return line + error.object[: error.start].count(b"\n")
    return line  # the last one is cut off
