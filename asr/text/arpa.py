"""N-gram models as text: the ARPA format, which every tool for n-grams reads and writes."""

import gzip
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from asr.text.open_text import BROKEN, lines_of, open_text

_AT_ONCE = 50_000  # lines
LN_10 = math.log(10.0)
_LOWEST = -99 * LN_10  # what readers take for a probability of zero


class ArpaError(ValueError):
    """A file that is no ARPA model, or not one for this use; the message says where."""


@dataclass(frozen=True)
class NgramTable:
    """All n-grams of one length n.

    Attributes:
        rows: (R, n) int32 numbers of their words.
        log_probs: (R,) float64, natural logarithms, of the last word after those before it.
        backoffs: (R,) float64, natural logarithms, of the weight of shorter n-grams after these words.
        first_line: Where the first stands in its file; 0 for a table that was not read.
    """

    rows: NDArray[np.int32]
    log_probs: NDArray[np.float64]
    backoffs: NDArray[np.float64]
    first_line: int = 0


@dataclass(frozen=True)
class Arpa:
    """A back-off model (Katz 1987).

    Attributes:
        words: Each word once; its place is its number, and row of the table of unigrams.
        tables: By length, from unigrams on.
    """

    words: tuple[str, ...]
    tables: list[NgramTable]

    @property
    def order(self) -> int:
        """Length of the longest n-grams."""
        return len(self.tables)


def read_arpa(path: Path) -> Arpa:
    """Reads a model of any order; `.gz` and `.xz` are decompressed.

    Raises:
        ArpaError: It is not in ARPA format; the message gives file, line and what was expected.
        OSError: The file cannot be read.
    """
    try:
        with open_text(path) as file:
            return _Reader(path, lines_of(path, file)).arpa()
    except BROKEN as error:
        raise ArpaError(f"{path}: cannot be decompressed: {error}") from error


class _Reader:
    """Goes through a file and knows the number of the last line."""

    def __init__(self, path: Path, lines: Iterator[bytes]) -> None:
        self.path = path
        self.lines = lines
        self.number = 0
        self.words: dict[bytes, int] = {}

    def arpa(self) -> Arpa:
        while (line := self._next("\\data\\")) != b"\\data\\":
            pass
        counts: list[int] = []
        while (line := self._next("\\1-grams:")) != b"\\1-grams:":
            name, _, count = line.partition(b"=")
            if name.split() != [b"ngram", b"%d" % (len(counts) + 1)] or not count.strip().isdigit():
                self._fail(f"found {_shown(line)}, expected 'ngram {len(counts) + 1}=COUNT' or '\\1-grams:'")
            counts.append(int(count))
        if not counts:
            self._fail("no 'ngram 1=COUNT' before the n-grams")
        tables = [self._table(1, counts)]
        for n in range(2, len(counts) + 1):
            self._expect(f"\\{n}-grams:", f"the header says {counts[n - 2]} n-grams of {n - 1} words")
            tables.append(self._table(n, counts))
        self._expect("\\end\\", f"the header says {counts[-1]} n-grams of {len(counts)} words")
        return Arpa(tuple(word.decode() for word in self.words), tables)

    def _next(self, wanted: str) -> bytes:
        """The next line that is not empty."""
        line = next(self.lines, None)
        while line is not None:
            self.number += 1
            if line.strip():
                break
            line = next(self.lines, None)
        if line is None:
            self._fail(f"the file ends before {wanted!r}")
        return line.strip()

    def _expect(self, wanted: str, why: str) -> None:
        line = self._next(wanted)
        if line != wanted.encode():
            self._fail(f"found {_shown(line)}, expected {wanted!r}: {why}")

    def _table(self, n: int, counts: Sequence[int]) -> NgramTable:
        first, left = self.number + 1, counts[n - 1]
        parts = []
        while left:
            lines = list(islice(self.lines, min(left, _AT_ONCE)))
            if not lines:
                self._fail(f"the file ends where {left} more n-grams of {n} words should stand")
            parts.append(self._parse(n, lines))
            self.number += len(lines)
            left -= len(lines)
        rows, values, backoffs = map(np.concatenate, zip(*parts, strict=True)) if parts else _nothing(n)
        return NgramTable(rows, values * LN_10, backoffs * LN_10, first)

    def _parse(self, n: int, lines: Sequence[bytes]) -> tuple[NDArray, NDArray, NDArray]:
        """Lines of n-grams to rows, log-probabilities and back-off weights, both to the base of ten."""
        if n == 1:
            self._learn_words(lines)
        # All lines at once and by columns: three times as fast as line by line.
        flat = b"".join(lines).split()
        if len(flat) != (n + 2) * len(lines):  # back-off weights are missing where they are one
            fields = [line.split() for line in lines]
            flat = [word for field in fields for word in (field if len(field) > n + 1 else [*field, b"0"])]
        columns = [flat[place :: n + 2] for place in range(n + 2)]
        try:
            values, backoffs = (np.fromiter(map(float, columns[place]), np.float64) for place in (0, n + 1))
            rows = [np.fromiter(map(self.words.__getitem__, column), np.int32) for column in columns[1 : n + 1]]
        except (KeyError, ValueError):
            self._blame(n, lines)
        shapes = {len(column) for column in columns}
        if shapes != {len(lines)} or not ((values <= 0).all() and (backoffs < np.inf).all()):
            self._blame(n, lines)
        return np.stack(rows, 1), values, backoffs

    def _learn_words(self, lines: Sequence[bytes]) -> None:
        for place, field in enumerate(line.split() for line in lines):
            word = field[1] if len(field) > 1 else b""
            try:
                word.decode()
            except UnicodeDecodeError:
                self._fail(f"the word {word!r} is not UTF-8", place + 1)
            if word in self.words:
                self._fail(f"the word {_shown(word)} is there twice", place + 1)
            if word:
                self.words[word] = len(self.words)

    def _blame(self, n: int, lines: Sequence[bytes]) -> NoReturn:
        """Finds the line that is wrong, and says so."""
        for place, field in enumerate(line.split() for line in lines):
            line = b" ".join(field)
            if not n + 1 <= len(field) <= n + 2:
                self._fail(f"found {_shown(line)}, expected a log-probability, {n} words and a back-off", place + 1)
            for word in field[1 : n + 1]:
                if word not in self.words:
                    self._fail(f"the word {_shown(word)} is not among the 1-grams", place + 1)
            try:
                value, backoff = float(field[0]), float((*field, b"0")[n + 1])
            except ValueError:
                self._fail(f"found {_shown(line)}, expected numbers before and after the words", place + 1)
            if not value <= 0 or not backoff < math.inf:
                self._fail(f"found {_shown(line)}, expected a log-probability of at most 0", place + 1)
        raise AssertionError("a fault that cannot be found")

    def _fail(self, fault: str, further: int = 0) -> NoReturn:
        raise ArpaError(f"{self.path}:{self.number + further}: {fault}")


def _nothing(n: int) -> tuple[NDArray, NDArray, NDArray]:
    return np.zeros((0, n), np.int32), np.zeros(0), np.zeros(0)


def _shown(line: bytes) -> str:
    return repr(line.decode(errors="replace")[:80])


def write_arpa(path: Path, arpa: Arpa) -> None:
    """Writes a model, whole or not at all; `.gz` is compressed. Numbers are to the base of ten, with seven digits.

    Raises:
        OSError: The file cannot be written.
    """
    draft = path.with_name(f".tmp-{path.name}")
    with (gzip.open if path.suffix == ".gz" else open)(draft, "wt", encoding="utf-8", newline="\n") as file:
        file.write("\\data\\\n")
        file.writelines(f"ngram {n}={len(table.rows)}\n" for n, table in enumerate(arpa.tables, 1))
        for n, table in enumerate(arpa.tables, 1):
            file.write(f"\n\\{n}-grams:\n")
            for start in range(0, len(table.rows), _AT_ONCE):
                file.writelines(_lines(arpa, n, slice(start, start + _AT_ONCE)))
        file.write("\n\\end\\\n")
    draft.replace(path)


def _lines(arpa: Arpa, n: int, chosen: slice) -> Iterator[str]:
    table, words = arpa.tables[n - 1], arpa.words
    values, backoffs = (column[chosen].clip(min=_LOWEST) / LN_10 for column in (table.log_probs, table.backoffs))
    for row, value, backoff in zip(table.rows[chosen].tolist(), values.tolist(), backoffs.tolist(), strict=True):
        end = f"\t{backoff:.7g}\n" if n < arpa.order else "\n"
        yield f"{value:.7g}\t{' '.join([words[word] for word in row])}{end}"
