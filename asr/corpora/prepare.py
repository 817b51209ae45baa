"""Prepare a corpus: from a folder as published to validated manifests, one per split."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from asr.corpora.an4 import load_an4
from asr.corpora.candidate import CorpusError, Progress, Splits
from asr.corpora.digits import load_digits
from asr.corpora.fsdd import load_fsdd
from asr.corpora.fsdd_digits import load_fsdd_digits
from asr.corpora.librispeech import load_librispeech
from asr.corpora.ljspeech import load_ljspeech
from asr.corpora.manifest import Utterance, write_manifest
from asr.corpora.utterances import Utterances
from asr.corpora.validate import Fault, validate, write_faults

Loader = Callable[[Path | None, Path, Progress], Splits]
"""Lists a corpus's candidates from (SOURCE, OUT, progress); may write audio below OUT/audio, calling progress."""

CORPORA: dict[str, Loader] = {
    "an4": load_an4,
    "digits": load_digits,
    "fsdd": load_fsdd,
    "fsdd_digits": load_fsdd_digits,
    "librispeech": load_librispeech,
    "ljspeech": load_ljspeech,
}
"""The corpora that can be prepared."""


@dataclass(frozen=True, slots=True)
class SplitSummary:
    """What one manifest holds.

    Attributes:
        split: name of the split, e.g. "train".
        manifest: the JSONL file.
        n_utterances: rows in it.
        duration_s: their decoded seconds in all.
        n_speakers: different speakers among them.
        n_rejected: utterances of the split that were refused.
    """

    split: str
    manifest: Path
    n_utterances: int
    duration_s: float
    n_speakers: int
    n_rejected: int


@dataclass(frozen=True, slots=True)
class Preparation:
    """What preparing a corpus gave.

    Attributes:
        splits: one summary per split.
        rejected: the list of all faults; only a header line when there were none.
    """

    splits: tuple[SplitSummary, ...]
    rejected: Path


def prepare(
    corpus: str,
    source: Path | None,
    out: Path,
    *,
    max_rejected: float = 0.01,
    language: str = "en",
    progress: Progress | None = None,
) -> Preparation:
    """Write `out/{split}.jsonl` for every split of a corpus, and `out/rejected.tsv`.

    Every file is decoded. When too many utterances break, `rejected.tsv` is written and the manifests are not.

    Args:
        corpus: one of `CORPORA`.
        source: folder of the corpus as published; None for a corpus that brings its own audio.
        out: folder to write to; made if missing.
        max_rejected: largest share of utterances, from 0 to 1, that may be refused.
        language: code of the language, written into each row.
        progress: called with (done, total); total may grow once, when writing audio turns into checking it.

    Returns:
        Counts per split, in the order of the splits.

    Raises:
        CorpusError: unknown corpus, wrong layout, nothing usable in a split, or more refused than `max_rejected`.
    """
    if corpus not in CORPORA:
        raise CorpusError(f"unknown corpus {corpus!r}; expected one of {', '.join(sorted(CORPORA))}")
    report = progress or _ignore
    n_written = 0

    def on_written(done: int, total: int) -> None:
        nonlocal n_written
        n_written = done
        report(done, 2 * total)

    splits = CORPORA[corpus](source, out, on_written)
    out.mkdir(parents=True, exist_ok=True)  # only now, so that a wrong SOURCE leaves nothing behind
    total = n_written + sum(map(len, splits.values()))
    utterances: dict[str, list[Utterance]] = {}
    faults: list[Fault] = []
    n_done = n_written
    for split, candidates in splits.items():
        on_checked = partial(_report_from, report, n_done, total)
        utterances[split], broken = validate(candidates, language, on_checked)
        faults.extend(broken)
        n_done += len(candidates)
    rejected = out / "rejected.tsv"
    write_faults(rejected, faults)
    _refuse_broken(corpus, splits, utterances, rejected, max_rejected)
    summaries = [_write_split(out, split, rows, len(splits[split])) for split, rows in utterances.items()]
    return Preparation(tuple(summaries), rejected)


def _ignore(done: int, total: int) -> None:
    """Report progress to nobody."""


def _report_from(report: Progress, before: int, total: int, done: int, _: int) -> None:
    report(before + done, total)


def _refuse_broken(
    corpus: str,
    splits: Splits,
    utterances: dict[str, list[Utterance]],
    rejected: Path,
    max_rejected: float,
) -> None:
    total = sum(map(len, splits.values()))
    n_rejected = total - sum(map(len, utterances.values()))
    if n_rejected > max_rejected * total:
        raise CorpusError(
            f"{corpus}: {n_rejected} of {total} utterances are broken ({n_rejected / total:.1%}, at most "
            f"{max_rejected:.1%} may be); no manifest was written. Read {rejected}, mend the corpus or allow more"
        )
    for split, rows in utterances.items():
        if not rows:
            raise CorpusError(
                f"{corpus}: split {split} has no usable utterance; no manifest was written. See {rejected}"
            )


def _write_split(out: Path, split: str, rows: list[Utterance], n_candidates: int) -> SplitSummary:
    manifest = out / f"{split}.jsonl"
    write_manifest(manifest, rows)
    Utterances([manifest])  # leaves the index that a large manifest is opened with
    duration_s = sum(row.duration_s for row in rows)
    n_speakers = len({row.speaker for row in rows})
    return SplitSummary(split, manifest, len(rows), duration_s, n_speakers, n_candidates - len(rows))
