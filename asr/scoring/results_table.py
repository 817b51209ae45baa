"""RESULTS.md: the tables that ESPnet's recipes show."""

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from asr.corpora.manifest import whole_file
from asr.scoring.corpus import CorpusScore
from asr.scoring.errors import ErrorCounts, ScoringError
from asr.scoring.printable import printable

_HEAD = "|dataset|Snt|Wrd|Corr|Sub|Del|Ins|Err|S.Err|\n|---|---|---|---|---|---|---|---|---|"


_MARK = "<!-- Made by asr, replaced by its next report. -->"


def write_results_table(path: Path, scores: Mapping[str, CorpusScore], about: Mapping[str, Any]) -> None:
    """Writes the tables of several test sets to a file, whole.

    Raises:
        ScoringError: The file is not of an earlier report.
        OSError: It cannot be written.
    """
    check_results_table(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        file.write(results_table(scores, about).encode("utf-8", "replace"))


def check_results_table(path: Path) -> None:
    """Makes sure that `write_results_table` would replace nothing but its own.

    Raises:
        ScoringError: It would.
    """
    if path.exists() and not path.read_bytes().startswith(_MARK.encode()):
        raise ScoringError(f"{path}: exists and is not of an earlier report of asr; choose another folder")


def results_table(scores: Mapping[str, CorpusScore], about: Mapping[str, Any]) -> str:
    """The file's content: what it was made with, then percents of words as NIST sclite counts them, and of characters.

    Args:
        scores: Name of each test set, and its score.
        about: What produced the scores; plain values are listed.
    """
    plain = {key: value for key, value in about.items() if isinstance(value, str | int | float) and value != ""}
    made_with = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "asr": version("asr"),
        "python": platform.python_version(),
        **plain,
    }
    lines = [
        _MARK,
        "# RESULTS",
        "## Environment",
        *(f"- {_cell(key)}: {_cell(str(value))}" for key, value in made_with.items()),
        "",
        "## WER",
        "Words as NIST sclite aligns them.",
        "",
        _HEAD,
        *(_row(name, score, score.by_sclite) for name, score in scores.items()),
        "",
        "## CER",
        "Characters by minimum edit distance, blanks included.",
        "",
        _HEAD,
        *(_row(name, score, score.characters) for name, score in scores.items()),
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
