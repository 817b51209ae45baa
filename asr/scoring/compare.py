"""Two recognisers on the same utterances: how far apart, how surely, and where."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from asr.corpora.manifest import whole_file
from asr.scoring.corpus import CorpusScore, UtteranceScore, check_ids
from asr.scoring.errors import ScoringError
from asr.scoring.files import Pairs, read_pairs, score_pairs
from asr.scoring.normalizers import RAW, Normalizer
from asr.scoring.report import per_cent, wer_line
from asr.scoring.sclite import sclite_alignment
from asr.scoring.significance import (
    MatchedPairs,
    PairedBootstrap,
    matched_pairs,
    paired_bootstrap,
    segment_differences,
)

RESULTS = "results.json"
_N_LISTED = 20


@dataclass(frozen=True, slots=True)
class Change:
    """One utterance whose hypotheses differ."""

    id: str
    reference: str
    a: UtteranceScore
    b: UtteranceScore

    @property
    def n_more(self) -> int:
        """Errors of B less those of A."""
        return self.b.words.n_errors - self.a.words.n_errors

    @property
    def verdict(self) -> Literal["better", "worse", "otherwise"]:
        """What B is, compared with A; "otherwise" is as many errors, but another text."""
        return "better" if self.n_more < 0 else "worse" if self.n_more > 0 else "otherwise"


@dataclass(frozen=True)
class Comparison:
    """Two scores of the same references.

    Attributes:
        names: Of A and B.
        a: Score of A.
        b: Score of B.
        bootstrap: Of the difference of the word error rates.
        segments: The matched-pairs test, on segments by NIST sclite's alignment.
        changes: Utterances whose hypotheses differ, those with the greatest difference of errors first.
        notes: How the texts were read and folded.
    """

    names: tuple[str, str]
    a: CorpusScore
    b: CorpusScore
    bootstrap: PairedBootstrap
    segments: MatchedPairs
    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()

    def count(self, verdict: str) -> int:
        """Utterances of a verdict."""
        return sum(change.verdict == verdict for change in self.changes)


def compare_files(a: Path, b: Path, reference: Path | None = None, normalizer: Normalizer = RAW) -> Comparison:
    """Compares two folders of `asr evaluate --out` or `asr score --out`, or two files of hypotheses.

    Args:
        a: The first, such as the older.
        b: The second.
        reference: True texts, needed for files of hypotheses that hold none.
        normalizer: Applied to all texts.

    Raises:
        ScoringError: The two have other utterances, or other references for the same; or as `read_pairs`.
        OSError: A file cannot be read.
    """
    pairs = [_read(side, reference) for side in (a, b)]
    _check_references(pairs[0], pairs[1], a, b)
    scores = [score_pairs(each, normalizer) for each in pairs]
    notes = dict.fromkeys(note for each in pairs for note in each.notes)
    return compare(scores[0], scores[1], (str(a), str(b)), (f"normalisation: {normalizer.name}", *notes))


def compare(a: CorpusScore, b: CorpusScore, names: tuple[str, str], notes: tuple[str, ...] = ()) -> Comparison:
    """Compares two scores of the same utterances, which are sorted by id in both."""
    assert [each.id for each in a.utterances] == [each.id for each in b.utterances]
    differences = [
        difference
        for x, y in zip(a.utterances, b.utterances, strict=True)
        for difference in segment_differences(
            sclite_alignment(x.reference, x.hypothesis), sclite_alignment(y.reference, y.hypothesis)
        )
    ]
    changes = [
        Change(x.id, x.reference, x, y)
        for x, y in zip(a.utterances, b.utterances, strict=True)
        if x.hypothesis.split() != y.hypothesis.split()
    ]
    changes.sort(key=lambda change: (-abs(change.n_more), change.id))
    return Comparison(
        names,
        a,
        b,
        paired_bootstrap([each.words for each in a.utterances], [each.words for each in b.utterances]),
        matched_pairs(differences),
        tuple(changes),
        notes,
    )


def comparison_lines(found: Comparison, n_listed: int = _N_LISTED) -> list[str]:
    """The comparison for people; the utterances that changed most come last, so many of each kind."""
    bootstrap, segments = found.bootstrap, found.segments
    interval = " to ".join(map(_signed, bootstrap.interval))
    n_utterances = len(found.a.utterances)
    statistic = "" if segments.statistic is None else f", z = {segments.statistic:.3f}"
    lines = [
        *(
            f"{letter} {wer_line(each.words)}  {name}"
            for letter, each, name in zip("AB", (found.a, found.b), found.names, strict=True)
        ),
        f"B − A: {_signed(bootstrap.difference)} of the reference words, 95 % interval {interval}" + _relative(found),
        f"paired bootstrap: p = {_p(bootstrap.p_value)}; B has fewer errors in {per_cent(bootstrap.b_better)} of "
        f"{bootstrap.n_resamples} drawn corpora",
        f"matched pairs (MAPSSWE): p = {_p(segments.p_value)}{statistic}; {segments.n_segments} segments with errors"
        + (", too few to be trusted" if segments.n_segments < 50 else ""),
        f"utterances: {found.count('better')} better, {found.count('worse')} worse, {found.count('otherwise')} other "
        f"text with as many errors, {n_utterances - len(found.changes)} the same; {n_utterances} in all",
        *found.notes,
    ]
    for verdict in ("worse", "better"):
        chosen = [change for change in found.changes if change.verdict == verdict]
        more = f", the first {n_listed} of {len(chosen)}" if len(chosen) > n_listed else ""
        if chosen[:n_listed]:
            lines.append(f"{verdict} in B{more}:")
        for change in chosen[:n_listed]:
            lines.append(f"  {change.id}: {change.a.words.n_errors} → {change.b.words.n_errors} errors")
            lines += [f"    {name} {text}" for name, text in zip(("ref", "A  ", "B  "), _texts(change), strict=True)]
    return lines


def write_comparison(path: Path, found: Comparison) -> None:
    """Writes the comparison with all utterances that changed as JSON, whole or not at all.

    Raises:
        ScoringError: The path is that of a file which is no comparison.
        OSError: It cannot be written.
    """
    if path.exists():
        try:
            ours = "matched_pairs" in json.loads(path.read_bytes())
        except (OSError, ValueError, TypeError, RecursionError):
            ours = False
        if not ours:
            raise ScoringError(f"{path}: exists and is no comparison of asr; choose another name")
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        text = json.dumps(as_json(found), indent=2, ensure_ascii=False, allow_nan=False)
        file.write(f"{text}\n".encode("utf-8", "replace"))


def as_json(found: Comparison) -> dict[str, Any]:
    """The comparison as JSON values; rates in percent, null where infinite."""
    bootstrap = found.bootstrap
    return {
        "a": {"name": found.names[0]} | _side(found.a),
        "b": {"name": found.names[1]} | _side(found.b),
        "n_utterances": len(found.a.utterances),
        "difference": _finite(100 * bootstrap.difference),
        "paired_bootstrap": {
            "interval_95": [_finite(100 * end) for end in bootstrap.interval],
            "p": bootstrap.p_value,
            "b_better": bootstrap.b_better,
            "n_resamples": bootstrap.n_resamples,
        },
        "matched_pairs": asdict(found.segments),
        "n_better": found.count("better"),
        "n_worse": found.count("worse"),
        "n_otherwise": found.count("otherwise"),
        "changed": [
            {
                "id": change.id,
                "verdict": change.verdict,
                "errors": [change.a.words.n_errors, change.b.words.n_errors],
            }
            | dict(zip(("reference", "a", "b"), _texts(change), strict=True))
            for change in found.changes
        ],
        "notes": list(found.notes),
    }


def _read(side: Path, reference: Path | None) -> Pairs:
    if side.is_dir() and reference is None and not (side / RESULTS).is_file():
        raise ScoringError(
            f"{side}: holds no {RESULTS}; expected a folder of `asr evaluate --out` or `asr score --out`, or --ref"
        )
    return read_pairs(reference or side, side)


def _check_references(a: Pairs, b: Pairs, path_a: Path, path_b: Path) -> None:
    """Refuses what cannot be compared, naming it."""
    both = a.references.keys() & b.references.keys()
    check_ids(
        {
            f"in {path_a} alone": a.references.keys() - b.references.keys(),
            f"in {path_b} alone": b.references.keys() - a.references.keys(),
            "with different references": {id for id in both if a.references[id] != b.references[id]},
        }
    )


def _side(score: CorpusScore) -> dict[str, Any]:
    return {
        "wer": _finite(100 * score.wer),
        "wer_interval_95": [_finite(100 * end) for end in score.wer_interval],
        "n_errors": score.words.n_errors,
        "n_reference": score.words.n_reference,
    }


def _texts(change: Change) -> tuple[str, str, str]:
    return change.reference, change.a.hypothesis, change.b.hypothesis


def _relative(found: Comparison) -> str:
    if not found.a.words.n_errors or not found.a.words.n_reference:
        return ""
    return f"; relative {100 * (found.b.words.n_errors / found.a.words.n_errors - 1):+.1f} %"


def _signed(rate: float) -> str:
    return f"{100 * rate:+.2f} %"


def _p(value: float) -> str:
    return f"{value:.4f}" if value >= 0.0001 else "below 0.0001"


def _finite(value: float) -> float | None:
    return round(value, 4) if abs(value) != float("inf") else None
