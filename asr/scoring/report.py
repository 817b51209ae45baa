"""A corpus score as files: report.html, RESULTS.md, wer.txt for people, results.json for programs, trn for sclite."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from asr.corpora.manifest import whole_file
from asr.scoring.corpus import CorpusScore, UtteranceScore
from asr.scoring.errors import AlignedPair, ErrorCounts, ScoringError, align_words
from asr.scoring.evidence import Evidence
from asr.scoring.page import render_page
from asr.scoring.printable import printable
from asr.scoring.results_table import results_table
from asr.scoring.trn import format_trn

FILES = ("report.html", "results.json", "RESULTS.md", "wer.txt", "ref.trn", "hyp.trn")
_RULE = "=" * 80
_MARKS = {"equal": "=", "substitute": "S", "delete": "D", "insert": "I"}


def wer_line(counts: ErrorCounts, name: str = "WER") -> str:
    """Formats counts as Kaldi does, to the letter: ``%WER 3.09 [ 1622 / 52576, 167 ins, 171 del, 1284 sub ]``."""
    return (
        f"%{name} {100 * counts.rate:.2f} [ {counts.n_errors} / {counts.n_reference}, "
        f"{counts.insertions} ins, {counts.deletions} del, {counts.substitutions} sub ]"
    )


def score_lines(score: CorpusScore) -> list[str]:
    """The lines to print: Kaldi's %WER, the same for characters, sclite's counts, and how sure the rates are."""
    rates = [
        f"{name} {per_cent(rate)}, 95 % interval {per_cent(low)}–{per_cent(high)}"
        for name, rate, (low, high) in (
            ("WER", score.wer, score.wer_interval),
            ("CER", score.cer, score.cer_interval),
            ("SER", score.ser, score.ser_interval),
        )
    ]
    return [
        wer_line(score.words),
        wer_line(score.characters, "CER"),
        _ser_line(score),
        f"{wer_line(score.by_sclite)} by NIST sclite's alignment",
        f"{'; '.join(rates)}; {len(score.utterances)} utterances",
    ]


def write_report(
    out: Path,
    score: CorpusScore,
    about: Mapping[str, Any] | None = None,
    *,
    name: str | None = None,
    evidence: Callable[[], Evidence] = Evidence,
) -> None:
    """Writes ref.trn, hyp.trn, wer.txt, RESULTS.md, results.json and report.html, each replaced whole.

    Args:
        out: Folder for the files, created when missing.
        score: What `asr.scoring.corpus.score` returned.
        about: What produced the hypotheses (command, model, search settings, seconds), put into results.json as it is.
        name: Of the test set; None takes the folder's.
        evidence: Makes what the page shows beside texts, when all other files are written: it may take long, or fail.

    Raises:
        ScoringError: The folder holds a file of one of these names that no earlier report made.
        OSError: A file cannot be written.
    """
    about, name = dict(about or {}), name or out.resolve().name
    results = json.dumps(summary(score) | {"about": about}, indent=2, ensure_ascii=False, allow_nan=False)
    contents = {
        "ref.trn": format_trn({each.id: each.reference for each in score.utterances}),
        "hyp.trn": format_trn({each.id: each.hypothesis for each in score.utterances}),
        "wer.txt": "".join(f"{line}\n" for line in wer_lines(score)),
        "RESULTS.md": results_table({name: score}, about),
        "results.json": results + "\n",
    }
    check_folder(out)
    out.mkdir(parents=True, exist_ok=True)
    for file_name, text in contents.items():
        _write(out / file_name, text)
    _write(out / "report.html", render_page(score, evidence(), name, about, out))


def _write(path: Path, text: str) -> None:
    with whole_file(path) as file:
        file.write(text.encode("utf-8", "replace"))  # half of a surrogate pair, which JSON may hold, is no text


def is_report(results: object) -> bool:
    """Whether the content of a results.json is a report of ours."""
    return isinstance(results, dict) and {"wer", "cer", "utterances"} <= results.keys()


def check_folder(out: Path) -> None:
    """Makes sure that `write_report` would replace nothing but an earlier report.

    Raises:
        ScoringError: It would.
    """
    there = [name for name in FILES if (out / name).exists()]
    if not there:
        return
    try:
        made_here = is_report(json.loads((out / "results.json").read_bytes()))
    except (OSError, ValueError, RecursionError):
        made_here = False
    if not made_here:
        raise ScoringError(f"{out}: holds {', '.join(there)}, not of an earlier report of asr; choose another folder")


def summary(score: CorpusScore) -> dict[str, Any]:
    """The score as JSON values; rates in percent, null where infinite (no reference words, but insertions)."""
    return {
        "wer": _percent(score.wer),
        "wer_interval_95": [_percent(end) for end in score.wer_interval],
        "cer": _percent(score.cer),
        "cer_interval_95": [_percent(end) for end in score.cer_interval],
        "ser": _percent(score.ser),
        "ser_interval_95": [_percent(end) for end in score.ser_interval],
        "n_utterances": len(score.utterances),
        "n_wrong": score.n_wrong,
        "words": _plain(score.words),
        "characters": _plain(score.characters),
        "words_by_sclite_weights": _plain(score.by_sclite),
        "speakers": {speaker: _plain(counts) for speaker, counts in score.by_speaker().items()},
        "utterances": [
            {
                "id": each.id,
                "speaker": each.speaker,
                "reference": each.reference,
                "hypothesis": each.hypothesis,
                "words": _plain(each.words),
            }
            for each in score.utterances
        ],
    }


def wer_lines(score: CorpusScore) -> Iterator[str]:
    """The lines of wer.txt: totals first, then every utterance as three lines (reference, operation, hypothesis)."""
    low, high = (100 * end for end in score.wer_interval)
    yield wer_line(score.words)
    yield _ser_line(score)
    yield f"Scored {len(score.utterances)} sentences, 0 not present in hyp."
    yield wer_line(score.characters, "CER")
    yield f"95 % interval of the WER (bootstrap over utterances): {low:.2f} to {high:.2f}"
    yield _RULE
    yield "Each utterance: reference, operation (= hit, S substitution, D deletion, I insertion), hypothesis"
    for utterance in score.utterances:
        yield _RULE
        yield from _utterance_lines(utterance)


def _utterance_lines(utterance: UtteranceScore) -> Iterator[str]:
    yield f"{printable(utterance.id)}, {wer_line(utterance.words)}"
    columns = [_column(pair) for pair in align_words(utterance.reference, utterance.hypothesis)]
    for row in range(3):
        yield " ; ".join(column[row] for column in columns)


def _column(pair: AlignedPair) -> list[str]:
    cells = [printable(pair.reference or "<eps>"), _MARKS[pair.operation], printable(pair.hypothesis or "<eps>")]
    width = max(map(len, cells))
    return [cell.center(width) for cell in cells]


def _ser_line(score: CorpusScore) -> str:
    return f"%SER {100 * score.ser:.2f} [ {score.n_wrong} / {len(score.utterances)} ]"


def per_cent(rate: float) -> str:
    """A rate for people: 0.0309 is "3.09 %"."""
    return f"{100 * rate:.2f} %"


def _percent(rate: float) -> float | None:
    return round(100 * rate, 4) if math.isfinite(rate) else None


def _plain(counts: ErrorCounts) -> dict[str, Any]:
    return {
        "rate": _percent(counts.rate),
        "n_errors": counts.n_errors,
        "n_reference": counts.n_reference,
        "substitutions": counts.substitutions,
        "deletions": counts.deletions,
        "insertions": counts.insertions,
    }
