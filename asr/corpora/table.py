"""One's own corpus as tables: CSV or TSV whose header says which column is what.

SOURCE is a file, or a folder of files named after splits (`train.csv`, `dev.tsv`, …). The header names columns as
`asr.corpora.listing.COLUMNS` lists them, in any order and case: audio and text (or label) are needed; id, speaker,
start, end, duration, language, split and label are understood, further columns are kept in the manifest. A table of two
columns without a header holds the path of the audio, then the text. The delimiter is a tab, comma, semicolon or bar,
whichever the header uses. A row is a line: line ends inside a field are not read.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

from asr.audio.suffixes import AUDIO_SUFFIXES
from asr.corpora.candidate import CorpusError, Splits
from asr.corpora.layout import split_files
from asr.corpora.listing import COLUMNS, Fields, Line, name_values, read_listing, rows_to_splits

SUFFIXES = (".csv", ".tsv", ".txt", ".psv")

_HINT = "give a CSV or TSV file, or a folder that holds train.csv, dev.csv and test.csv"


def load_table(source: Path, audio_root: Path | None, out: Path) -> Splits:
    """List the utterances of tables.

    Args:
        source: a table, or a folder of tables.
        audio_root: folder that audio is relative to; None for the folder of the table.
        out: unused, nothing is written.

    Returns:
        Splits by name; "" for rows that belong to none.

    Raises:
        CorpusError: there is no table, or one has no columns of audio and text.
    """
    splits: Splits = {}
    for split, path in split_files(source, SUFFIXES, "table", _HINT):
        for name, rows in rows_to_splits(read_table(path), audio_root or path.parent, split).items():
            splits.setdefault(name, []).extend(rows)
    return splits


def read_table(path: Path, header: list[str] | None = None) -> Iterator[Fields]:
    """Read a table row by row; a broken row comes with its fault.

    Args:
        path: a text file.
        header: the columns of a table with tabs, where they are known; its first line may repeat them. None looks.

    Raises:
        CorpusError: it is empty, or its columns are not understood.
    """
    lines = read_listing(path)
    first = next(lines, None)
    if first is None or first.fault:
        raise CorpusError(f"{path}:1: {first.fault if first else 'the table is empty'}")
    if header is not None:
        delimiter, headless = "\t", _cells(first.text, "\t") != header
    else:
        delimiter, found = _sniff(path, first)
        header, headless = found or ["audio", "text"], found is None
    if headless:
        yield _fields(path, first, delimiter, header)
    for line in lines:
        yield _fields(path, line, delimiter, header)


def _sniff(path: Path, first: Line) -> tuple[str, list[str] | None]:
    """Delimiter and header: those by which most columns have a known name."""
    known = {name for names in COLUMNS.values() for name in names}
    best: tuple[int, str, list[str]] = (0, "", [])
    for delimiter in "\t,;|":
        try:
            names = [name.strip().lower().replace(" ", "_") for name in _cells(first.text, delimiter)]
        except ValueError:
            continue  # a quote left open, if this is the delimiter
        best = max(best, (len(known & set(names)), delimiter, names), key=lambda found: found[0])
        if len(names) == 2 and Path(names[0]).suffix in AUDIO_SUFFIXES:
            return delimiter, None
    _, delimiter, names = best
    values, _ = name_values(dict.fromkeys(names))
    if "audio" not in values or not {"text", "label"} & set(values):
        raise CorpusError(
            f"{path}:1: looked for columns of audio and text and found {first.text[:200]!r}; name them in a first "
            f"line, audio as one of {', '.join(COLUMNS['audio'])}, text as one of {', '.join(COLUMNS['text'])}"
        )
    return delimiter, names


def _fields(path: Path, line: Line, delimiter: str, header: list[str]) -> Fields:
    listed = f"{path}:{line.number}"
    try:
        if line.fault:
            raise ValueError(line.fault)
        cells = _cells(line.text, delimiter)
    except (ValueError, csv.Error) as error:
        return Fields(listed, {}, {}, str(error))
    if len(cells) != len(header):
        what = f"{len(cells)} columns, the header has {len(header)}"
        return Fields(listed, {}, {}, f"not a row: {what}; quote a field that holds {delimiter!r}")
    return Fields(listed, *name_values(dict(zip(header, cells, strict=True))))


def _cells(text: str, delimiter: str) -> list[str]:
    """Cuts a line. Tabs never stand inside a field, so quotes there are part of it unless they enclose it."""
    if delimiter == "\t":
        return [_unquote(cell.strip()) for cell in text.split("\t")]
    try:
        return [cell.strip() for cell in next(csv.reader([text], delimiter=delimiter, strict=True))]
    except csv.Error as error:
        what = "a quote is not closed on its line" if "unexpected end" in str(error) else str(error)
        raise ValueError(f"not a row: {what}; double the quotes inside a quoted field") from error


def _unquote(cell: str) -> str:
    inner = cell[1:-1]
    quoted = len(cell) >= 2 and cell[0] == cell[-1] == '"' and '"' not in inner.replace('""', "")
    return inner.replace('""', '"') if quoted else cell
