"""RESULTS.md: the tables that ESPnet's recipes show."""

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from asr.scoring.corpus import CorpusScore
from asr.scoring.errors import ErrorCounts
from asr.scoring.printable import printable

_HEAD = "|dataset|Snt|Wrd|Corr|Sub|Del|Ins|Err|S.Err|\n|---|---|---|---|---|---|---|---|---|"


def results_table(score: CorpusScore, dataset: str, about: Mapping[str, Any]) -> str:
    """The file's content: what it was made with, then percents of words as NIST sclite counts them, and of characters.

    Args:
        score: To be told.
        dataset: Name of the row.
        about: What produced the score; plain values are listed.
    """
    plain = {key: value for key, value in about.items() if isinstance(value, str | int | float)}
    made_with = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "asr": version("asr"),
        "python": platform.python_version(),
        **plain,
    }
    lines = [
        "<!-- Made by asr, replaced by its next report. -->",
        "# RESULTS",
        "## Environment",
        *(f"- {_cell(key)}: {_cell(str(value))}" for key, value in made_with.items()),
        "",
        "## WER",
        "Words as NIST sclite aligns them.",
        "",
        _HEAD,
        _row(dataset, score, score.by_sclite),
        "",
        "## CER",
        "Characters by minimum edit distance, blanks included.",
        "",
        _HEAD,
        _row(dataset, score, score.characters),
    ]
    return "\n".join(lines) + "\n"


def _row(dataset: str, score: CorpusScore, counts: ErrorCounts) -> str:
    each = (counts.hits, counts.substitutions, counts.deletions, counts.insertions, counts.n_errors)
    rates = [100 * n / counts.n_reference if counts.n_reference else float("nan") for n in each]
    cells = [len(score.utterances), counts.n_reference, *(f"{rate:.1f}" for rate in (*rates, 100 * score.ser))]
    return f"|{_cell(dataset)}|{'|'.join(map(str, cells))}|"


def _cell(text: str) -> str:
    """Text that is text in Markdown, too."""
    plain = " ".join(printable(text).split())
    return "".join(f"\\{char}" if char in "\\|`*<>[]#" else char for char in plain)
