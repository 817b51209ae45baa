"""What the tests of one's own data share."""

from pathlib import Path

from asr.corpora.candidate import Splits


def faults(splits: Splits) -> dict[str, str]:
    """What is wrong, by the place in the list: `list.csv:3` or the name of a file."""
    rows = [row for split in splits.values() for row in split if row.fault]
    return {Path(row.listed or row.audio).name: (row.fault or "").split(":")[0] for row in rows}


def sound(splits: Splits) -> dict[str, list[str]]:
    """Ids without fault, by split."""
    return {name: [row.id for row in rows if not row.fault] for name, rows in splits.items()}
